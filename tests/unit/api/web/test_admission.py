"""So many requests are worked on, so many wait in order; the others are told at once to come later."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from services.api.app import create_app
from services.api.metrics import ApiMetrics
from services.api.web.admission import Admission, Busy, Permits


def make(*, at_work: int = 1, waiting: int = 2, wait_s: float = 60.0) -> tuple[Permits, ApiMetrics]:
    metrics = ApiMetrics()
    return Permits(metrics, at_work=at_work, waiting=waiting, wait_s=wait_s), metrics


def sample(metrics: ApiMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"undertone_http_requests_{name}", labels)


async def turn() -> None:
    """Lets everything happen that can happen now."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_came_first_is_served_first_and_who_comes_to_a_full_queue_is_not() -> None:
    permits, metrics = make(waiting=3)
    served: list[int] = []

    async def come(number: int) -> None:
        await permits.take()
        served.append(number)

    await permits.take()
    waiting = [asyncio.create_task(come(number)) for number in range(3)]
    await turn()
    assert sample(metrics, "waiting") == 3
    with pytest.raises(Busy, match="full"):
        await permits.take()
    for number in range(3):
        permits.give_back()
        await waiting[number]
    assert served == [0, 1, 2]
    assert (sample(metrics, "waiting"), sample(metrics, "at_work")) == (0, 1)


async def test_a_turn_that_does_not_come_in_time_leaves_its_place_to_others() -> None:
    permits, _ = make(waiting=1, wait_s=0.01)
    await permits.take()
    for _ in range(3):
        with pytest.raises(Busy, match="waited"):
            await permits.take()
    permits.give_back()
    await permits.take()


async def test_who_leaves_the_queue_takes_no_permit_along() -> None:
    permits, metrics = make()
    await permits.take()
    leaving = asyncio.create_task(permits.take())
    await turn()
    leaving.cancel()
    permits.give_back()  # in the very moment
    await asyncio.gather(leaving, return_exceptions=True)
    if not leaving.cancelled():
        permits.give_back()
    assert sample(metrics, "waiting") == 0
    async with asyncio.timeout(10):
        await permits.take()


class Work:
    """An application whose requests end when the test says so, some of them by an error."""

    def __init__(self) -> None:
        self.running = 0
        self.may_answer = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.fails = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.running += 1
        await self.may_answer.wait()
        if self.fails:
            raise LookupError
        await JSONResponse({})(scope, receive, send)
        await self.may_end.wait()


@pytest.fixture
def work() -> Work:
    return Work()


def client_of(app: ASGIApp) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


@pytest.fixture
async def admitted(work: Work) -> AsyncIterator[tuple[httpx.AsyncClient, ApiMetrics]]:
    """One request at work, one that waits."""
    permits, metrics = make(waiting=1)
    async with client_of(Admission(work, permits, metrics)) as client:
        yield client, metrics


async def test_a_refusal_says_when_to_come_again_and_is_counted(
    work: Work, admitted: tuple[httpx.AsyncClient, ApiMetrics]
) -> None:
    client, metrics = admitted
    requests = [asyncio.create_task(client.get("/api/posts")) for _ in range(5)]
    await turn()
    assert work.running == 1
    refused = [request.result() for request in requests if request.done()]
    assert [answer.status_code for answer in refused] == [429] * 3
    assert int(refused[0].headers["retry-after"]) > 0
    assert refused[0].json()["detail"]
    assert sample(metrics, "refused_total", reason="full") == 3
    work.may_answer.set()
    assert sorted([answer.status_code for answer in await asyncio.gather(*requests)]) == [200, 200, 429, 429, 429]


@pytest.mark.parametrize("path", ["/api/health", "/metrics", "/", "/assets/page.js", "/api/openapi.json", "/apis"])
async def test_what_tells_of_an_overload_needs_no_permit(
    work: Work, admitted: tuple[httpx.AsyncClient, ApiMetrics], path: str
) -> None:
    client, metrics = admitted
    requests = [asyncio.create_task(client.get(path)) for _ in range(9)]
    await turn()
    assert work.running == 9
    assert sample(metrics, "at_work") == 0
    work.may_answer.set()
    await asyncio.gather(*requests)


@pytest.mark.parametrize("path", ["/api/sources", "/api/dead-letters", "/api/dead-letters/1/retry", "/api/unknown"])
async def test_every_other_route_of_the_api_needs_one(
    work: Work, admitted: tuple[httpx.AsyncClient, ApiMetrics], path: str
) -> None:
    client, metrics = admitted
    request = asyncio.create_task(client.post(path))
    await turn()
    assert sample(metrics, "at_work") == 1
    work.may_answer.set()
    await request
    assert sample(metrics, "at_work") == 0


async def test_reading_posts_needs_one_and_sending_them_has_a_limit_of_its_own(
    work: Work, admitted: tuple[httpx.AsyncClient, ApiMetrics]
) -> None:
    client, metrics = admitted
    requests = [asyncio.create_task(client.request(method, "/api/posts")) for method in ("GET", "POST", "POST")]
    await turn()
    assert (work.running, sample(metrics, "at_work")) == (3, 1)
    work.may_answer.set()
    await asyncio.gather(*requests)


async def test_who_reads_the_answer_slowly_holds_no_permit(
    work: Work, admitted: tuple[httpx.AsyncClient, ApiMetrics]
) -> None:
    client, metrics = admitted
    work.may_answer.set()
    work.may_end.clear()
    requests = [asyncio.create_task(client.get("/api/posts")) for _ in range(5)]
    await turn()
    assert (work.running, sample(metrics, "at_work")) == (5, 0)
    work.may_end.set()
    assert {answer.status_code for answer in await asyncio.gather(*requests)} == {200}


async def test_a_request_that_fails_gives_its_permit_back(
    work: Work, admitted: tuple[httpx.AsyncClient, ApiMetrics]
) -> None:
    client, metrics = admitted
    work.fails = True
    work.may_answer.set()
    for _ in range(3):
        assert (await client.get("/api/posts")).status_code == 500
    assert sample(metrics, "at_work") == 0


async def test_a_refusal_has_the_headers_of_every_answer_and_a_route_of_its_own_in_the_metrics(tmp_path: Path) -> None:
    permits, metrics = make(waiting=0)
    await permits.take()
    async with client_of(create_app(tmp_path, metrics, permits)) as client:
        answer = await client.get("/api/alerts")
    assert answer.status_code == 429
    assert answer.headers["x-content-type-options"] == "nosniff"
    labels = {"method": "GET", "route": "refused", "status": "429"}
    assert metrics.registry.get_sample_value("undertone_http_requests_total", labels) == 1
