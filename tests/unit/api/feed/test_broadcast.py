"""One message reaches every browser; none waits for another."""

import asyncio
import json
from collections import Counter
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest

from services.api.feed import broadcast, frames
from services.api.feed.broadcast import Broadcaster, TooManyClients
from services.api.feed.frame_queue import FrameQueue, QueueClosed
from services.api.metrics import ApiMetrics
from services.common.messages import AlertMessage, ResultsMessage
from tests.unit.api.analysed import analysed_posts


@pytest.fixture(autouse=True)
def one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything happens at once, however long the test takes: with every second, more posts are shown."""
    monkeypatch.setattr(broadcast, "monotonic", lambda: 1_000.0)


def make(queue_size: int = 4, max_clients: int = 10, posts_per_s: int = 0) -> tuple[Broadcaster, ApiMetrics]:
    metrics = ApiMetrics()
    return Broadcaster(metrics, queue_size=queue_size, max_clients=max_clients, posts_per_s=posts_per_s), metrics


def sample(metrics: ApiMetrics, name: str) -> float | None:
    return metrics.registry.get_sample_value(f"undertone_websocket_{name}")


async def test_every_browser_gets_the_same_frame_encoded_once() -> None:
    broadcaster, _ = make()
    with broadcaster.join() as first, broadcaster.join() as second:
        broadcaster.publish(ResultsMessage(posts=analysed_posts(1)))
        assert await first.get() is await second.get()


async def test_a_browser_that_does_not_read_loses_its_own_oldest_posts_only() -> None:
    broadcaster, metrics = make(queue_size=4)
    posts = analysed_posts(10)
    with broadcaster.join() as slow, broadcaster.join() as fast:
        seen = []
        for post in posts:
            broadcaster.publish(ResultsMessage(posts=(post,)))
            seen.append(json.loads(await fast.get())["data"]["post_id"])
        assert seen == [post.post.post_id for post in posts]
        assert json.loads(await slow.get())["data"]["post_id"] == posts[6].post.post_id
    assert sample(metrics, "frames_dropped_total") == 6


async def test_a_batch_longer_than_a_queue_keeps_its_end_and_counts_the_rest() -> None:
    broadcaster, metrics = make(queue_size=4)
    posts = analysed_posts(10)
    with broadcaster.join() as queue:
        broadcaster.publish(ResultsMessage(posts=posts))
        assert json.loads(await queue.get())["data"]["post_id"] == posts[6].post.post_id
    assert sample(metrics, "frames_dropped_total") == 6


async def test_an_alert_overtakes_posts() -> None:
    broadcaster, _ = make()
    with broadcaster.join() as queue:
        broadcaster.publish(ResultsMessage(posts=analysed_posts(9)))
        broadcaster.publish(AlertMessage(change="raised", alert={"id": 7}))
        assert json.loads(await queue.get()) == {"type": "alert", "change": "raised", "data": {"id": 7}}


async def test_a_deletion_is_told_to_every_browser_before_posts_that_wait() -> None:
    broadcaster, _ = make()
    with broadcaster.join() as first, broadcaster.join() as second:
        broadcaster.publish(ResultsMessage(posts=analysed_posts(1), deleted=("a", "b")))
        for queue in (first, second):
            assert json.loads(await queue.get()) == {"type": "deleted", "data": {"post_ids": ["a", "b"]}}
            assert json.loads(await queue.get())["type"] == "new_post"


async def waiting_in(queue: FrameQueue) -> list[dict[str, Any]]:
    """Every frame that waits now."""
    taken: list[dict[str, Any]] = []
    while True:
        try:
            async with asyncio.timeout(0.01):
                taken.append(json.loads(await queue.get()))
        except TimeoutError:
            return taken


async def test_above_the_limit_every_browser_sees_the_same_sample_and_hears_of_it_but_alerts_are_never_sampled() -> (
    None
):
    broadcaster, metrics = make(queue_size=10_000, posts_per_s=10)
    with broadcaster.join() as first, broadcaster.join() as second:
        for _ in range(20):
            broadcaster.publish(ResultsMessage(posts=analysed_posts(100)))
            broadcaster.publish(AlertMessage(change="raised", alert={"id": 7}))
        await broadcaster.report_sample()
        frames_of_first, frames_of_second = await waiting_in(first), await waiting_in(second)
    assert frames_of_first == frames_of_second
    kinds = Counter(frame["type"] for frame in frames_of_first)
    report = next(frame["data"] for frame in frames_of_first if frame["type"] == "feed")
    assert report.pop("seconds") >= 0
    assert report == {"sampled": True, "posts": 2_000, "shown": kinds["new_post"]}
    assert 20 <= kinds["new_post"] < 100
    assert kinds["alert"] == 20
    left_out = metrics.registry.get_sample_value("undertone_feed_posts_left_out_total")
    assert left_out == 2_000 - kinds["new_post"]
    assert sample(metrics, "frames_dropped_total") == 0


async def test_below_the_limit_nobody_hears_of_a_sample() -> None:
    broadcaster, _ = make(queue_size=100, posts_per_s=10)
    with broadcaster.join() as queue:
        broadcaster.publish(ResultsMessage(posts=analysed_posts(9)))
        await broadcaster.report_sample()
        assert [frame["type"] for frame in await waiting_in(queue)] == ["new_post"] * 9


async def test_places_are_limited_and_come_free_again() -> None:
    broadcaster, metrics = make(max_clients=1)
    with broadcaster.join():
        assert sample(metrics, "clients") == 1
        with pytest.raises(TooManyClients), broadcaster.join():
            pass
    assert sample(metrics, "clients") == 0
    with broadcaster.join():
        pass


async def test_closing_ends_every_browser_waits_for_them_and_admits_nobody() -> None:
    broadcaster, _ = make()

    async def browse() -> None:
        with broadcaster.join() as queue:
            await queue.get()

    browsers = [asyncio.create_task(browse()) for _ in range(3)]
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await broadcaster.close()
    for browser in browsers:
        with pytest.raises(QueueClosed):
            await browser
    with pytest.raises(TooManyClients), broadcaster.join():
        pass


def test_a_post_speaks_every_dialect_of_the_contract() -> None:
    (plain,) = analysed_posts(1)
    analysed = msgspec.structs.replace(plain, queued_ms=1_767_225_600_250)
    frame = json.loads(frames.new_post(analysed))
    assert frame["type"] == "new_post"
    assert frame["data"] == {
        "post_id": "p0",
        "content": "text 0 😀",
        "source": "test",
        "author": "me",
        "created_at": "2026-01-01T00:00:00Z",
        "sentiment_label": "negative",
        "confidence_score": 0.75,
        "emotion": "anger",
        "timestamp": "2026-01-01T00:00:01Z",
        "queued_at": "2026-01-01T00:00:00.250000Z",
        "sentiment": {
            "label": "negative",
            "sentiment_label": "negative",
            "confidence": 0.75,
            "emotion": "anger",
            "emotion_confidence": 0.5,
            "model_name": "model",
            "model_version": 0,
        },
    }
    assert json.loads(frames.new_post(plain))["data"]["queued_at"] is None


@pytest.mark.parametrize(("browsers", "each_at_most"), [(1, 20), (4, 20), (10, 12)])
async def test_the_more_browsers_there_are_the_fewer_posts_each_of_them_sees(browsers: int, each_at_most: int) -> None:
    metrics = ApiMetrics()
    broadcaster = Broadcaster(metrics, queue_size=10_000, max_clients=10, posts_per_s=10, frames_per_s=60)
    with ExitStack() as stack:
        queues = [stack.enter_context(broadcaster.join()) for _ in range(browsers)]
        for _ in range(20):
            broadcaster.publish(ResultsMessage(posts=analysed_posts(100)))
        await broadcaster.report_sample()
        seen = [await waiting_in(queue) for queue in queues]
    # Of a moment, as many as two seconds allow.
    assert all(frames_of_one == seen[0] for frames_of_one in seen)
    shown = sum(frame["type"] == "new_post" for frame in seen[0])
    assert 0.8 * each_at_most <= shown <= each_at_most + 1
    assert seen[0][0]["data"]["shown"] == shown
