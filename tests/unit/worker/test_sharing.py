"""Whatever happens to workers and leases, in the end every shard is read by one worker, and nobody reads too many."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import Transient
from services.common.shards import MAX_SHARDS, shard_streams
from services.worker.sharing.quota import quota
from services.worker.sharing.share import Share

LEASE_S = 5
NAMES = st.text(alphabet="abcdef", min_size=1, max_size=3)


@dataclass
class Server:
    """The keys, with the time at which each expires."""

    now_s: int = 0
    leases: dict[str, tuple[str, int]] = field(default_factory=dict)
    workers: dict[str, int] = field(default_factory=dict)
    # Shards whose node does not answer.
    away: set[str] = field(default_factory=set)

    def owner(self, stream: str) -> str | None:
        owner, expires_at = self.leases.get(stream, (None, 0))
        return owner if expires_at > self.now_s else None


class View:
    """One worker's view of them; a LeaseStore."""

    def __init__(self, server: Server, worker: str) -> None:
        self._server = server
        self._worker = worker

    async def register(self) -> Sequence[str]:
        server = self._server
        server.workers[self._worker] = server.now_s + LEASE_S
        return [name for name, expires_at in server.workers.items() if expires_at > server.now_s]

    async def unregister(self) -> None:
        self._server.workers.pop(self._worker, None)

    async def take(self, stream: str) -> bool:
        self._ask(stream)
        return self._server.owner(stream) is None and await self.renew(stream)

    async def renew(self, stream: str) -> bool:
        self._ask(stream)
        if self._server.owner(stream) not in (None, self._worker):
            return False
        self._server.leases[stream] = self._worker, self._server.now_s + LEASE_S
        return True

    def _ask(self, stream: str) -> None:
        if stream in self._server.away:
            raise Transient("its node is away")

    async def release(self, stream: str) -> None:
        self._ask(stream)
        if self._server.owner(stream) == self._worker:
            del self._server.leases[stream]


class Worker:
    """Reads its shards; of one that it gives up, what it has in hand is done some rounds later."""

    def __init__(self, server: Server, name: str, streams: Sequence[str], rounds_to_finish: int) -> None:
        self.name = name
        self.stopping = asyncio.Event()
        self._rounds_to_finish = rounds_to_finish
        self._left: dict[str, int] = {}
        self._held: set[str] = set()
        self.share = Share(self, View(server, name), streams, self.stopping)

    @property
    def reading(self) -> frozenset[str]:
        return frozenset(self._held - self._left.keys())

    @property
    def held(self) -> frozenset[str]:
        return frozenset(self._held)

    def is_done(self, stream: str) -> bool:
        self._left[stream] -= 1
        return self._left[stream] < 0

    def start(self, stream: str) -> None:
        assert stream not in self._held
        self._held.add(stream)

    def stop(self, stream: str) -> None:
        self._left[stream] = self._rounds_to_finish

    async def drop(self, stream: str) -> None:
        del self._left[stream]
        self._held.remove(stream)

    async def end(self) -> None:
        """As on SIGTERM: it reads nothing more."""
        self.stopping.set()
        for stream in self.reading:
            self.stop(stream)
        await self.share.leave()


# What happens: a worker joins, dies, ends, makes its round; time passes; the node of a shard is away, or back; Redis
# loses a lease, or everything.
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            ("join", "die", "end", "round", "round", "round", "pass", "away", "back", "lose lease", "lose all")
        ),
        st.integers(0, 11),
    ),
    max_size=60,
)


@given(st.integers(1, 12), EVENTS, st.integers(0, 3))
def test_every_shard_ends_with_one_living_worker_and_shares_differ_by_one_at_most(
    shards: int, events: Sequence[tuple[str, int]], rounds_to_finish: int
) -> None:
    asyncio.run(_happens(shards, events, rounds_to_finish))


async def _happens(shards: int, events: Sequence[tuple[str, int]], rounds_to_finish: int) -> None:
    server, streams = Server(), shard_streams("posts", shards)
    names = iter(range(1_000))

    def join() -> Worker:
        # The names of real ones are in no order either.
        number = next(names)
        return Worker(server, f"worker-{number * 7 % 10}-{number}", streams, rounds_to_finish)

    workers = [join()]
    for what, number in events:
        chosen = number % len(workers)
        match what:
            case "join":
                workers.append(join())
            case "die" if len(workers) > 1:
                workers.pop(chosen)
            case "end" if len(workers) > 1:
                await workers.pop(chosen).end()
            case "round":
                with suppress(Transient):
                    await workers[chosen].share.round()
            case "away or back":
                server.away ^= {streams[number % shards]}
            case "pass":
                server.now_s += number
            case "lose lease":
                server.leases.pop(streams[number % shards], None)
            case "lose all":
                server.leases.clear()
                server.workers.clear()
    server.away.clear()
    # The dead are forgotten; then one shard a round changes hands, and takes some rounds to be finished.
    for _ in range(LEASE_S + (2 + rounds_to_finish) * (shards + 2)):
        server.now_s += 1
        for worker in workers:
            await worker.share.round()
    for stream in streams:
        readers = [worker.name for worker in workers if stream in worker.reading]
        assert readers == [server.owner(stream)], stream
    sizes = [len(worker.reading) for worker in workers]
    assert max(sizes) - min(sizes) <= 1
    assert sum(len(worker.held) for worker in workers) == shards


@given(st.sets(NAMES, min_size=1, max_size=20), st.integers(1, MAX_SHARDS))
def test_quotas_are_all_shards_together_and_differ_by_one_at_most(workers: set[str], shards: int) -> None:
    quotas = [quota(worker, workers, shards) for worker in workers]
    assert sum(quotas) == shards
    assert max(quotas) - min(quotas) <= 1


@given(st.sets(NAMES, max_size=20), NAMES, st.integers(1, MAX_SHARDS))
def test_a_worker_that_nobody_has_heard_of_yet_counts_itself(others: set[str], worker: str, shards: int) -> None:
    assert quota(worker, others - {worker}, shards) == quota(worker, others | {worker}, shards)
