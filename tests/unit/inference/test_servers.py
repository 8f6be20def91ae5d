"""Several Tritons: who gets a request, what becomes of one that a server cannot answer, and who rests."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest
from tritonclient.grpc.service_pb2 import ModelConfigResponse, ModelStatisticsResponse
from tritonclient.utils import InferenceServerException

from services.common.errors import Rejected, Transient
from services.inference import servers
from services.inference.client import MAX_FAILURES, TritonClient
from services.inference.servers import Servers
from tests.unit.inference.small_models import config
from tests.waiting import eventually

ROW = np.ones((1, 4), np.int64)
A, B, C, D = (f"10.0.0.{number}:8001" for number in range(1, 5))
ANY = rf"({A}|{B}|{C}|{D})"


def refusal(status: str) -> InferenceServerException:
    return InferenceServerException(f"says {status}", status=f"StatusCode.{status}")


class Answer:
    def as_numpy(self, _name: str) -> Any:
        return np.ones((1, 2), np.float32)


class FakeServer:
    """Answers for its `versions` while it is `ready`, or as `refuses` says; `release` holds answers back."""

    def __init__(self) -> None:
        self.versions = {1}
        self.ready = True
        self.refuses = ""
        self.release = asyncio.Event()
        self.release.set()
        self.models: Counter[str] = Counter()
        self.closed = False

    @property
    def requests(self) -> int:
        return self.models.total()

    async def infer(self, model: str, _inputs: Any, model_version: str = "", **_: Any) -> Any:
        self.models[model] += 1
        await self.release.wait()
        if self.refuses:
            raise refusal(self.refuses)
        if not self.ready or int(model_version) not in self.versions:
            raise refusal("NOT_FOUND")
        return Answer()

    async def is_server_ready(self, **_: Any) -> bool:
        if self.refuses == "UNAVAILABLE":
            raise refusal("UNAVAILABLE")
        return self.ready

    async def get_model_config(self, model: str, **_: Any) -> ModelConfigResponse:
        if self.refuses:
            raise refusal(self.refuses)
        if not self.ready or not self.versions:
            raise refusal("NOT_FOUND")
        return ModelConfigResponse(config=config(model, version=str(max(self.versions))))

    async def get_inference_statistics(self, **_: Any) -> ModelStatisticsResponse:
        return ModelStatisticsResponse()

    async def close(self) -> None:
        self.closed = True


class Tritons:
    def __init__(self) -> None:
        self.by_address: dict[str, FakeServer] = {}
        self.hosts: dict[str, str] = {}

    def opening(self, address: str, host: str) -> FakeServer:
        self.hosts[address] = host
        return self.by_address.setdefault(address, FakeServer())

    def client(self, *names: str) -> TritonClient:
        return TritonClient(Servers(names, self.opening, 5.0), 5.0)

    def __getitem__(self, address: str) -> FakeServer:
        return self.by_address.setdefault(address, FakeServer())

    @property
    def requests(self) -> list[int]:
        return [server.requests for server in self.by_address.values()]


@pytest.fixture
def tritons() -> Tritons:
    return Tritons()


@pytest.fixture
async def client(tritons: Tritons) -> AsyncIterator[TritonClient]:
    client = tritons.client(A, B)
    yield client
    await client.close()
    assert len(asyncio.all_tasks()) == 1, "closing leaves a task behind"


async def ask(client: TritonClient, version: int = 1, model: str = "sentiment") -> None:
    assert (await client.infer(model, version, ROW, ROW)).shape == (1, 2)


async def test_requests_one_after_the_other_are_shared(tritons: Tritons, client: TritonClient) -> None:
    for _ in range(10):
        await ask(client)
    assert tritons.requests == [5, 5]


async def test_a_request_goes_to_the_server_with_the_least_to_do(tritons: Tritons, client: TritonClient) -> None:
    tritons[A].release.clear()
    waiting = [asyncio.create_task(ask(client)) for _ in range(4)]
    await eventually(lambda: _that(sum(tritons.requests) == 4), "all are sent")
    for _ in range(10):
        await ask(client)
    assert tritons.requests == [2, 12]
    tritons[A].release.set()
    await asyncio.gather(*waiting)


async def test_each_model_of_each_server_has_as_much_to_do(tritons: Tritons, client: TritonClient) -> None:
    # As a worker does: two models are asked of each batch at the same time.
    for _ in range(10):
        await asyncio.gather(*(ask(client, model=model) for model in ("sentiment", "emotion")))
    assert all(tritons[server].models == {"sentiment": 5, "emotion": 5} for server in (A, B))


async def test_not_all_processes_begin_with_the_same_server(tritons: Tritons) -> None:
    for _ in range(50):
        client = tritons.client(A, B)
        await ask(client)
        await client.close()
    assert min(tritons.requests) > 0


async def _that(condition: bool) -> bool:
    return condition


@pytest.mark.parametrize("status", ["UNAVAILABLE", "CANCELLED", "NOT_FOUND", "INTERNAL"])
async def test_what_one_server_cannot_answer_another_one_does(
    tritons: Tritons, client: TritonClient, status: str
) -> None:
    tritons[A].refuses = status
    for _ in range(10):
        await ask(client)
    assert tritons[B].requests == 10
    # It is not asked again for a while, unless by chance that was longer than all this took.
    assert tritons[A].requests < 10


async def test_an_input_that_is_refused_is_refused_by_one(tritons: Tritons, client: TritonClient) -> None:
    for server in (A, B):
        tritons[server].refuses = "INVALID_ARGUMENT"
    with pytest.raises(Rejected):
        await ask(client)
    assert sum(tritons.requests) == 1


async def test_a_request_past_its_deadline_goes_nowhere_else(tritons: Tritons, client: TritonClient) -> None:
    for server in (A, B):
        tritons[server].refuses = "DEADLINE_EXCEEDED"
    with pytest.raises(Transient):
        await ask(client)
    assert sum(tritons.requests) == 1


async def test_a_version_is_asked_of_the_server_that_has_it(tritons: Tritons, client: TritonClient) -> None:
    tritons[A].versions, tritons[B].versions = {1}, {2}
    for _ in range(5):
        await ask(client, 1)
        await ask(client, 2)
    with pytest.raises(Transient, match=rf"Triton at .*NOT_FOUND.*asked before: ({A}|{B}) \(StatusCode.NOT_FOUND\)"):
        await ask(client, 3)


async def test_a_request_breaks_so_many_servers_and_no_more(tritons: Tritons) -> None:
    client = tritons.client(A, B, C, D)
    for server in (A, B, C, D):
        tritons[server].refuses = "UNAVAILABLE"
    with pytest.raises(Transient, match=f"Triton at {ANY}.*asked before: {ANY} .*{ANY} "):
        await ask(client)
    assert sum(tritons.requests) == MAX_FAILURES
    await client.close()


async def test_a_server_that_is_not_ready_gets_nothing_until_it_is(
    tritons: Tritons, client: TritonClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "LOOK_INTERVAL_S", 0.001)
    tritons[A].ready = False
    await ask(client)
    await ask(client)
    assert tritons[A].requests == 1, "it was asked once, and said no"
    for _ in range(20):
        await ask(client)
        await asyncio.sleep(0.001)  # rounds of looking, which do not send it anything either
    assert tritons[A].requests == 1
    tritons[A].ready = True

    async def gets_work() -> bool:
        await ask(client)
        return tritons[A].requests > 1

    await eventually(gets_work, "it gets requests again")


async def test_where_all_rest_the_server_that_answers_again_is_found_at_once(
    tritons: Tritons, client: TritonClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "LOOK_INTERVAL_S", 3_600)
    for server in (A, B):
        tritons[server].refuses = "UNAVAILABLE"
    with pytest.raises(Transient):
        await ask(client)
    for server in (A, B):
        tritons[server].refuses = ""
    await ask(client)


async def test_a_single_server_is_not_looked_at_and_named_as_ever(tritons: Tritons) -> None:
    client = tritons.client(A)
    tritons[A].refuses = "UNAVAILABLE"
    with pytest.raises(Transient, match=r"^Triton, model sentiment: says UNAVAILABLE \(StatusCode.UNAVAILABLE\)$"):
        await ask(client)
    assert tritons.requests == [1]
    assert len(asyncio.all_tasks()) == 1
    await client.close()
    assert tritons[A].closed


async def test_the_version_in_service_is_that_of_most_servers_and_of_two_halves_the_newer(tritons: Tritons) -> None:
    client = tritons.client(A, B, C)

    async def version_in_service() -> str:
        return str((await client.model_config("sentiment")).parameters["version"].string_value)

    seen = []
    for upgraded in (A, B, C):
        seen.append(await version_in_service())
        tritons[upgraded].versions = {2}
    assert [*seen, await version_in_service()] == ["1", "1", "2", "2"]
    tritons[C].versions, tritons[B].refuses = {1}, "UNAVAILABLE"
    assert await version_in_service() == "2"
    await client.close()


async def test_a_model_that_some_servers_have_is_found_and_one_that_none_has_is_not(
    tritons: Tritons, client: TritonClient
) -> None:
    tritons[A].versions = set()
    tritons[B].versions = {1}
    assert await client.find_model_config("sentiment_canary") is not None
    tritons[B].versions = set()
    assert await client.find_model_config("sentiment_canary") is None


async def test_each_server_counts_for_itself(tritons: Tritons, client: TritonClient) -> None:
    assert set(await client.statistics()) == {A, B}


@pytest.fixture
def lead_to(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Says what the name `triton.svc` leads to."""
    monkeypatch.setattr(servers, "RESOLVE_INTERVAL_S", 0.0)

    def set_addresses(*addresses: str) -> None:
        def resolve(host: str, port: str, *_: Any) -> list[Any]:
            if host != "triton.svc" or not addresses:
                raise socket.gaierror(host)
            families = [socket.AF_INET6 if ":" in each else socket.AF_INET for each in addresses]
            return [(family, 1, 6, "", (each, int(port))) for family, each in zip(families, addresses, strict=True)]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)

    return set_addresses


async def test_a_name_with_several_addresses_is_several_servers_and_is_followed(
    tritons: Tritons, lead_to: Callable[..., None]
) -> None:
    lead_to("10.0.0.1", "10.0.0.2", "fd00::1")
    client = tritons.client("triton.svc:8001")
    for _ in range(4):
        await ask(client)
    assert tritons.requests == [2, 2]
    # The certificate is that of the name.
    assert tritons.hosts == {A: "triton.svc", B: "triton.svc"}
    tritons[A].release.clear()
    held = [asyncio.create_task(ask(client)) for _ in range(2)]
    await eventually(lambda: _that(tritons[A].requests == 3), "one of them is sent there")
    lead_to("10.0.0.2", "10.0.0.3")

    async def third_works() -> bool:
        await ask(client)
        return C in tritons.by_address and tritons[C].requests > 0

    await eventually(third_works, "the new server gets requests")
    assert not tritons[A].closed, "one that leaves finishes what it has"
    tritons[A].release.set()
    await asyncio.gather(*held)
    await eventually(lambda: _that(tritons[A].closed), "it is let go")
    lead_to()
    for _ in range(4):
        await ask(client)
    await client.close()
    assert tritons[B].closed
    assert tritons[C].closed


@pytest.mark.parametrize("addresses", [(), ("10.0.0.9",), ("10.0.0.9", "fd00::9")])
async def test_a_name_with_one_address_is_one_server_that_grpc_looks_up(
    tritons: Tritons, lead_to: Callable[..., None], addresses: tuple[str, ...]
) -> None:
    lead_to(*addresses)
    client = tritons.client("triton.svc:8001")
    await ask(client)
    assert tritons.hosts == {"triton.svc:8001": "triton.svc"}
    await client.close()


async def test_only_addresses_of_ipv6_are_servers_too(tritons: Tritons, lead_to: Callable[..., None]) -> None:
    lead_to("fd00::1", "fd00::2")
    client = tritons.client("triton.svc:8001")
    await ask(client)
    assert set(tritons.hosts) == {"[fd00::1]:8001", "[fd00::2]:8001"}
    await client.close()
