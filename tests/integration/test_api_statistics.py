"""`/api/inference`: what a real Triton counts is what was sent to it, through restarts; nothing is made up."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import msgspec
import pytest

from services.api.metrics import ApiMetrics
from services.api.statistics.arrivals import Arrivals
from services.api.statistics.latency import RELATIVE_ERROR
from services.api.statistics.watch import InferenceWatch, open_sources
from services.common.messages import ResultsMessage, encode_message
from services.common.settings import Settings
from services.common.streams import RESULTS_CHANNEL, open_redis
from services.inference.analyzer import Analyzer, open_analyzer
from tests.integration.asking_api import asking_api
from tests.integration.conftest import triton_settings_for
from tests.integration.test_api_server import Api
from tests.integration.triton_server import child_of, started
from tests.integration.version_repositories import TEXTS, make_repository
from tests.ports import free_ports
from tests.unit.api.analysed import analysed_posts
from tests.waiting import eventually

SENTIMENT, EMOTION = ("sentiment", 1), ("emotion", 1)


@asynccontextmanager
async def watching(settings: Settings) -> AsyncIterator[tuple[InferenceWatch, Analyzer]]:
    metrics = ApiMetrics()
    async with open_sources(settings) as sources, open_analyzer(settings) as analyzer:
        yield InferenceWatch(sources, analyzer.models, Arrivals(metrics), metrics), analyzer


async def test_what_triton_counts_is_what_was_sent(small_triton: Settings) -> None:
    async with watching(small_triton) as (watch, analyzer):
        await watch.look()
        courses = [(await analyzer.analyse_timed(TEXTS[: 3 * n]))[1] for n in range(1, 6)]
        await watch.look()
        counted = watch.window(60).counted
        assert set(counted) == {SENTIMENT, EMOTION}
        for version, requests in (
            (SENTIMENT, sum(course.sentiment.requests for course in courses)),
            (EMOTION, sum(course.emotion.requests for course in courses)),
        ):
            assert (counted[version].requests, counted[version].failures) == (requests, 0)
            assert counted[version].inferences == 3 * (1 + 2 + 3 + 4 + 5)
            assert 0 < counted[version].executions <= requests
            assert 0 <= (counted[version].queue_ms or 0) < 20_000
            assert 0 < (counted[version].compute_ms or 0) < 20_000
        (point,) = watch.history
        assert (point.inferences_per_s or 0) > 0


async def test_a_measured_call_has_the_split_of_its_own_requests(small_triton: Settings) -> None:
    """Nobody else is there: what one request waited and took is no more than the whole answer took."""
    async with open_analyzer(small_triton) as analyzer:
        _, course = await analyzer.analyse_timed(TEXTS[:1])
        for inferred in (course.sentiment, course.emotion):
            assert inferred.requests == 1
            assert inferred.split is not None
            assert 0 < inferred.split.queue_ms + inferred.split.compute_ms <= inferred.took_ms


async def test_the_machine_of_triton_is_told(small_triton: Settings) -> None:
    async with watching(small_triton) as (watch, _):

        async def hardware_is_known() -> bool:
            await watch.look()
            return bool(watch.seen.hardware and watch.seen.hardware.memory_total_bytes)

        await eventually(hardware_is_known, "Triton's first look at its machine")
        hardware = watch.seen.hardware
        assert hardware is not None
        assert 0 < (hardware.memory_used_bytes or 0) < (hardware.memory_total_bytes or 0)
        assert 0 <= (hardware.cpu_utilization or 0) <= 1
        assert hardware.pending == {SENTIMENT: 0, EMOTION: 0}
        assert watch.seen.server is not None
        assert watch.seen.server[0].startswith("undertone-")


async def test_a_restart_of_triton_takes_nothing_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its counters begin anew, with the warm-up: what was counted before stays, and no rate is negative."""
    folder = tmp_path_factory.mktemp("restart")
    repository, ports = make_repository(folder / "repository").folder, free_ports(2)
    child = child_of(folder / "work", repository, ports)
    async with watching(triton_settings_for(ports[0], ports[1], repository)) as (watch, analyzer):
        texts = 0
        for _ in range(2):
            with ExitStack() as stack:
                await asyncio.to_thread(stack.enter_context, started(child))

                async def answers() -> bool:
                    await watch.look()
                    return watch.last is not None and watch.last.statistics is not None

                await eventually(answers, "Triton's statistics")
                for _ in range(4):
                    await analyzer.analyse(TEXTS[:10])
                    texts += 10
                await watch.look()
                assert watch.window(600).counted[SENTIMENT].inferences == texts
                await asyncio.to_thread(stack.close)
            await watch.look()
            assert watch.last is not None
            assert watch.last.statistics is None
            assert watch.window(600).counted[SENTIMENT].inferences == texts
        assert all((point.inferences_per_s or 0) >= 0 for point in watch.history)
        assert watch.history[-1].inferences_per_s is None


async def test_the_answer_has_the_models_the_pipeline_and_every_posts_latency(
    small_triton_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also that of posts that the live feed leaves out."""
    monkeypatch.setattr("services.api.state.LOOK_INTERVAL_S", 0.2)
    settings = small_triton_settings.model_copy(update={"feed_posts_per_s": 1})
    posts = analysed_posts(500)
    async with asking_api(settings) as http:

        async def answer() -> dict[str, Any]:
            return dict((await http.get("/api/inference", params={"minutes": 15})).json())

        async def is_seen() -> bool:
            found = await answer()
            return bool(found["triton"]["ready"] and found["hardware"]["memory_total_bytes"] and found["window_s"])

        await eventually(is_seen, "everything seen once")
        async with open_redis(settings.redis_dsn) as client:
            queued_ms = int(time.time() * 1_000) - 60_000
            message = ResultsMessage(posts=tuple(msgspec.structs.replace(post, queued_ms=queued_ms) for post in posts))

            async def is_heard() -> bool:
                return bool(await client.publish(RESULTS_CHANNEL, encode_message(message)))

            await eventually(is_heard, "a subscriber")

        async def is_counted() -> dict[str, Any] | None:
            found = await answer()
            return found if found["latency"] and found["latency"]["count"] == len(posts) else None

        found = await eventually(is_counted, "every post")
        assert found is not None
        for quantile in ("p50_ms", "p95_ms", "p99_ms"):
            assert 60_000 * (1 - RELATIVE_ERROR) <= found["latency"][quantile] <= 120_000
        assert sum(point["p50_ms"] is not None for point in found["history"]) == 1
        assert {key: found["pipeline"][key] for key in ("lag", "pending", "consumers", "dead_letters")} == {
            "lag": 0,
            "pending": 0,
            "consumers": 0,
            "dead_letters": 0,
        }
        assert found["pipeline"]["posts_per_s"] * found["window_s"] == pytest.approx(len(posts))
        models = {model["name"]: model for model in found["models"]}
        assert list(models) == ["sentiment", "emotion"]
        for name, model in models.items():
            assert (model["role"], model["version"], model["state"]) == (name, 1, "ready")
            assert (model["precision"], model["device"], model["is_canary"]) == ("fp32", "cpu", False)
            assert (model["failures_total"], model["pending_requests"]) == (0, 0)
        assert 'undertone_post_latency_seconds_bucket{le="60.0"} 0.0' in (await http.get("/metrics")).text
        assert f"undertone_post_latency_seconds_count {len(posts)}.0" in (await http.get("/metrics")).text


async def test_without_triton_its_numbers_are_null_or_missing(api: Api) -> None:
    found = await api.get("/api/inference")
    assert found["triton"] == {"ready": False, "version": None, "server_name": None}
    assert (found["models"], found["latency"]) == ([], None)
    assert found["hardware"] == {
        "cpu_utilization": None,
        "memory_used_bytes": None,
        "memory_total_bytes": None,
        "gpus": [],
    }
    for minutes in (0, 16, "x"):
        assert (await api.http.get("/api/inference", params={"minutes": minutes})).status_code == 422
