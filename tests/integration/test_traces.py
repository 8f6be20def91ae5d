"""Traces from the ingester to the browsers, Triton's spans among them; a collector that is away holds up nobody."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from services.common.messages import Post, encode_post
from services.common.settings import Settings
from services.common.streams import dead_letter_stream, open_redis
from services.local.triton_server import trace_flags
from tests.collector import Collector, collecting
from tests.integration.test_worker import nothing_is_open, stored
from tests.integration.triton_server import running_triton
from tests.integration.version_repositories import make_repository
from tests.ports import free_port
from tests.posts import make_posts
from tests.processes import service
from tests.redis_reads import entries
from tests.system import START_TIMEOUT_S
from tests.waiting import eventually

INFER = "inference.GRPCInferenceService/ModelInfer"
# Malformed, of an unknown kind, not sampled, without a trace.
NO_PARENTS = (
    b"",
    b"\xff\xfe",
    b"hello",
    b"00-" + b"4" * 1_000_000,
    b"ff-%s-00f067aa0ba902b7-01" % (b"4b" * 16),
    b"00-%s-00f067aa0ba902b7-00" % (b"4b" * 16),
    b"00-%s-00f067aa0ba902b7-01" % (b"00" * 16),
)
SERVICES = {"undertone-ingester", "undertone-worker", "undertone-api", "undertone-triton"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def traced_triton(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[tuple[str, Path]]:
    """`host:port`, and the repository that is served."""
    folder = tmp_path_factory.mktemp("triton")
    repository = make_repository(folder / "repository").folder
    flags = [*trace_flags(collector.endpoint), "--trace-config=opentelemetry,bsp_schedule_delay=100"]
    with running_triton(folder, repository, flags) as running:
        yield f"127.0.0.1:{running.grpc_port}", repository


@pytest.fixture
def traced(settings: Settings, traced_triton: tuple[str, Path], collector: Collector) -> Settings:
    """Every post is traced."""
    collector.spans.clear()
    url, repository = traced_triton
    return settings.model_copy(
        update={
            "triton_url": url,
            "model_repository": repository,
            "traces_endpoint": collector.endpoint,
            "traces_sample_ratio": 1.0,
            "api_port": free_port(),
        }
    )


def write(folder: Path, posts: Sequence[Post]) -> Path:
    file = folder / "posts.jsonl"
    file.write_text("".join(json.dumps(encode_post(post)) + "\n" for post in posts))
    return file


async def ingest(settings: Settings, folder: Path, posts: Sequence[Post]) -> None:
    file = write(folder, posts)
    async with service("ingester", settings, folder, "--source", "replay", "--file", str(file)) as ingester:
        assert await asyncio.wait_for(ingester.process.wait(), 30) == 0, ingester.output
        assert not ingester.errors


async def test_one_post_is_one_trace_from_its_publication_to_the_browsers(
    traced: Settings, collector: Collector, tmp_path: Path
) -> None:
    stream = traced.redis_stream_name
    async with service("worker", traced, tmp_path) as worker, service("api", traced, tmp_path) as api:
        await eventually(lambda: is_up(traced), "the API is up", START_TIMEOUT_S)
        async with connect(f"ws://127.0.0.1:{traced.api_port}/ws/sentiment") as browser:
            await ingest(traced, tmp_path, make_posts(1))
            async with asyncio.timeout(60):
                while json.loads(await browser.recv())["type"] != "new_post":
                    pass
        await eventually(lambda: arrived(collector, "push sentiment_updates", "compute"), "the whole trace", 30)
        assert await worker.stop() == 0, worker.output
        assert await api.stop() == 0, api.output

    spans = collector.spans
    assert len({span.trace_id for span in spans}) == 1
    assert {span.service for span in spans} == SERVICES
    assert collector.paths == {"/v1/traces"}
    beginning = [f"publish {stream}", f"receive {stream}", f"process {stream}"]
    ways = {tuple(collector.way_to(span)) for span in spans}
    assert (*beginning, "publish sentiment_updates", "push sentiment_updates") in ways
    assert (*beginning, "tokenize") in ways
    assert (*beginning, "INSERT social_media_posts") in ways
    for model in ("sentiment", "emotion"):
        assert (*beginning, INFER, "InferRequest", model, "compute") in ways
    (push,) = collector.named("push sentiment_updates")
    assert push.attributes["undertone.websocket.clients"] == 1
    (publication,) = collector.named(f"publish {stream}")
    assert publication.attributes["undertone.post.id"] == make_posts(1)[0].post_id
    for span in spans:
        assert make_posts(1)[0].content not in map(str, span.attributes.values())
        assert not span.failed


async def test_posts_of_one_batch_keep_their_traces_and_share_the_work_in_one_of_them(
    traced: Settings, collector: Collector, tmp_path: Path
) -> None:
    stream, posts = traced.redis_stream_name, make_posts(20)
    await ingest(traced, tmp_path, posts)
    async with open_redis(traced.redis_dsn) as client, service("worker", traced, tmp_path) as worker:
        await eventually(lambda: nothing_is_open(client, traced), "everything acknowledged", 60)
        assert await worker.stop() == 0, worker.output

    created = collector.named(f"create {stream}")
    assert {span.attributes["undertone.post.id"] for span in created} == {post.post_id for post in posts}
    assert len({span.trace_id for span in created}) == len(posts)
    (publication,) = collector.named(f"publish {stream}")
    assert set(publication.linked_ids) == {span.span_id for span in created}
    processed = {span.span_id: span for span in collector.named(f"process {stream}")}
    assert {span.trace_id for span in processed.values()} == {span.trace_id for span in created}
    for name in ("tokenize", INFER, "INSERT social_media_posts", "publish sentiment_updates"):
        for span in collector.named(name):
            # The post in whose trace it is, and the others.
            assert {span.parent_id, *span.linked_ids} == set(processed)
        assert collector.named(name)


async def test_what_is_not_sampled_leaves_no_mark_in_the_stream(
    traced: Settings, collector: Collector, tmp_path: Path
) -> None:
    settings = traced.model_copy(update={"traces_sample_ratio": 0.0})
    await ingest(settings, tmp_path, make_posts(20))
    async with open_redis(settings.redis_dsn) as client:
        assert not any(b"traceparent" in fields for fields in await entries(client, settings.redis_stream_name))
        async with service("worker", settings, tmp_path) as worker:
            await eventually(lambda: nothing_is_open(client, settings), "everything acknowledged", 60)
            assert await worker.stop() == 0, worker.output
    assert not collector.spans


async def test_a_traceparent_that_is_none_costs_no_post_and_one_of_a_bad_post_is_kept(
    traced: Settings, collector: Collector, tmp_path: Path
) -> None:
    stream = traced.redis_stream_name
    sampled = b"00-%s-00f067aa0ba902b7-01" % (b"4b" * 16)
    async with open_redis(traced.redis_dsn) as client:
        for post, traceparent in zip(make_posts(len(NO_PARENTS)), NO_PARENTS, strict=True):
            fields: dict[Any, Any] = {**encode_post(post), "traceparent": traceparent}
            await client.xadd(stream, fields)
        await client.xadd(stream, {"post_id": "bad", "traceparent": sampled})
        async with service("worker", traced, tmp_path) as worker:
            await eventually(lambda: nothing_is_open(client, traced), "everything acknowledged", 60)
            assert await worker.stop() == 0, worker.output
        (letter,) = await entries(client, dead_letter_stream(stream))
    assert letter[b"traceparent"] == sampled
    assert await stored(traced.database_dsn) == len(NO_PARENTS)
    (refused,) = collector.named(f"process {stream}")
    assert (refused.failed, refused.attributes["error.type"]) == (True, "missing_field")
    assert {span.trace_id for span in collector.spans} == {"4b" * 16}


async def test_a_request_continues_the_trace_of_its_client_and_so_does_triton(
    traced: Settings, collector: Collector, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{traced.api_port}"
    parent = {"traceparent": f"00-{'5c' * 16}-00f067aa0ba902b7-01"}
    async with service("api", traced, tmp_path) as api:
        await eventually(lambda: is_up(traced), "the API is up", START_TIMEOUT_S)
        async with httpx.AsyncClient(base_url=url, timeout=30) as http:
            assert (await http.post("/predict", json={"inputs": "hello"}, headers=parent)).status_code == 200
            await http.get("/api/posts", params={"search": "a secret word"}, headers=parent)
        await eventually(lambda: arrived(collector, "compute"), "Triton's spans")
        assert await api.stop() == 0, api.output
    (predict,) = collector.named("POST /predict")
    assert (predict.trace_id, predict.parent_id) == ("5c" * 16, "00f067aa0ba902b7")
    (compute,) = collector.named("compute")
    below = [compute]
    while below[0] is not predict:
        below.insert(0, collector.parent(below[0]))
    assert [span.name for span in below] == ["POST /predict", INFER, "InferRequest", "sentiment", "compute"]
    (search,) = collector.named("GET /api/posts")
    assert "secret" not in str(search.attributes)
    assert not collector.named("GET /api/health")


async def test_a_collector_that_is_away_stops_nobody_and_is_told_once(
    traced: Settings, collector: Collector, tmp_path: Path
) -> None:
    port = free_port()
    away = traced.model_copy(update={"traces_endpoint": f"http://127.0.0.1:{free_port()}", "worker_metrics_port": port})
    async with open_redis(away.redis_dsn) as client, service("worker", away, tmp_path) as worker:
        await ingest(away, tmp_path, make_posts(30))
        await eventually(lambda: nothing_is_open(client, away), "everything acknowledged", 60)

        async def lost() -> float:
            async with httpx.AsyncClient() as http:
                text = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
            lines = [line for line in text.splitlines() if line.startswith('undertone_trace_spans_total{outcome="fail')]
            return float(lines[0].split()[1]) if lines else 0

        await eventually(lost, "spans that are counted as lost")
        assert await worker.stop() == 0
    assert worker.output.count("traces are lost") == 1, worker.output
    assert "TRACES_ENDPOINT" in worker.output
    assert not worker.errors
    assert await stored(away.database_dsn) == 30


async def is_up(settings: Settings) -> bool:
    async with httpx.AsyncClient() as http:
        try:
            return (await http.get(f"http://127.0.0.1:{settings.api_port}/api/health")).status_code == 200
        except httpx.TransportError:
            return False


async def arrived(collector: Collector, *names: str) -> bool:
    return all(collector.named(name) for name in names)
