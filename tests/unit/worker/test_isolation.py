"""One bad post fails its whole batch: it is found and stands alone, its neighbours pass, and nobody else is blamed."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.common import backoff
from services.common.circuit import Circuit
from services.common.errors import Rejected, Transient
from services.worker.isolation import ATTEMPTS, LAST_ATTEMPTS, MAX_BLAMED_IN_A_ROW, PARTS, Isolation


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INITIAL_BACKOFF_S", "MAX_BACKOFF_S", "MAX_PROBE_BACKOFF_S", "JITTER_S"):
        monkeypatch.setattr(backoff, name, 0.0)


class Server:
    """Does a batch of numbers, but refuses the one set of them and breaks on the other; and may be away."""

    def __init__(self, refused: Sequence[int] = (), breaking: Sequence[int] = ()) -> None:
        self.refused, self.breaking = set(refused), set(breaking)
        self.failures = 0
        self.calls = 0
        self.away_for_probes = 0

    async def probe(self) -> None:
        if self.away_for_probes:
            self.away_for_probes -= 1
            raise Transient("away")

    async def act(self, items: Sequence[int]) -> list[int]:
        self.calls += 1
        if self.away_for_probes or self.breaking.intersection(items):
            self.failures += 1
            raise Transient("broke")
        if self.refused.intersection(items):
            raise Rejected("refused")
        return [10 * item for item in items]

    def isolation(self, *, probe_is_proof: bool = True) -> Isolation[int, int]:
        return Isolation(self.act, Circuit("test", self.probe), "test", probe_is_proof=probe_is_proof)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(0, 59), max_size=5), st.sets(st.integers(0, 59), max_size=5))
async def test_only_the_bad_are_blamed_for_what_they_did_and_every_other_passes(
    refused: set[int], breaking: set[int]
) -> None:
    server = Server([*refused], [*breaking])
    passed, blamed = await server.isolation().run(range(60))
    assert passed == [10 * item for item in range(60) if item not in refused | breaking]
    assert {item for item, error in blamed if isinstance(error, Transient)} == breaking
    assert {item for item, error in blamed if isinstance(error, Rejected)} == refused - breaking
    assert len(blamed) == len(refused | breaking)


async def test_a_post_that_crashes_the_server_is_found_after_few_crashes() -> None:
    server = Server(breaking=[77])
    _, blamed = await server.isolation().run(range(PARTS**2))
    assert [item for item, _ in blamed] == [77]
    assert server.failures == 2 * ATTEMPTS + LAST_ATTEMPTS


async def test_a_refused_post_costs_two_rounds_of_calls() -> None:
    server = Server(refused=[77])
    await server.isolation().run(range(PARTS**2))
    assert server.calls == 1 + PARTS + PARTS


@pytest.mark.parametrize("probe_is_proof", [True, False])
@pytest.mark.parametrize("items", [1, 40])
async def test_nobody_is_blamed_while_the_server_is_away(items: int, probe_is_proof: bool) -> None:
    server = Server()
    server.away_for_probes = 50
    passed, blamed = await server.isolation(probe_is_proof=probe_is_proof).run(range(items))
    assert (len(passed), blamed) == (items, [])


async def test_a_server_that_answers_and_then_fails_once_blames_nobody() -> None:
    server = Server(breaking=[3])
    isolation = server.isolation()

    async def heals(items: Sequence[int]) -> list[int]:
        try:
            return await server.act(items)
        finally:
            server.breaking.clear()

    isolation._action = heals
    assert await isolation.run([3]) == ([30], [])


async def test_where_a_probe_proves_nothing_a_failure_is_only_waited_for() -> None:
    server = Server(breaking=[3])
    isolation = server.isolation(probe_is_proof=False)

    async def heals(items: Sequence[int]) -> list[int]:
        if server.failures == 2 * LAST_ATTEMPTS:
            server.breaking.clear()
        return await server.act(items)

    isolation._action = heals
    assert await isolation.run([1, 2, 3]) == ([10, 20, 30], [])
    assert server.calls == 2 * LAST_ATTEMPTS + 1


async def test_where_every_post_fails_the_posts_are_not_to_blame() -> None:
    server = Server(breaking=range(100))
    isolation = server.isolation()

    async def heals(items: Sequence[int]) -> list[int]:
        if len(items) == 1 and items[0] == MAX_BLAMED_IN_A_ROW and server.failures > 200:
            server.breaking.clear()
        return await server.act(items)

    isolation._action = heals
    passed, blamed = await isolation.run(range(100))
    assert [item for item, _ in blamed] == [*range(MAX_BLAMED_IN_A_ROW)]
    assert len(passed) == 100 - MAX_BLAMED_IN_A_ROW


async def test_nothing_is_nothing() -> None:
    server = Server()
    assert await server.isolation().run([]) == ([], [])
    assert server.calls == 0
