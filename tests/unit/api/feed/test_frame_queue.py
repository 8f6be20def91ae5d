"""What waits for one browser is bounded, keeps what matters, and never blocks who fills it."""

import asyncio

import pytest

from services.api.feed.frame_queue import MAX_ALERTS, MAX_DELETIONS, FrameQueue, QueueClosed


async def drain(queue: FrameQueue) -> list[str]:
    """Everything that waits now."""
    taken: list[str] = []
    while True:
        try:
            async with asyncio.timeout(0.01):
                taken.append(await queue.get())
        except TimeoutError:
            return taken


async def test_posts_come_in_their_order() -> None:
    queue = FrameQueue(5)
    assert queue.put_posts(["1", "2"]) == 0
    assert queue.put_posts(["3"]) == 0
    assert await drain(queue) == ["1", "2", "3"]


async def test_beyond_the_limit_the_oldest_posts_are_dropped_and_counted() -> None:
    queue = FrameQueue(3)
    queue.put_posts(["1", "2"])
    assert queue.put_posts(["3", "4", "5"]) == 2
    assert queue.put_posts(["6", "7", "8", "9"]) == 4
    assert await drain(queue) == ["7", "8", "9"]


async def test_alerts_and_counts_survive_any_flood_of_posts_and_go_first() -> None:
    queue = FrameQueue(2)
    queue.put_alert("raised")
    queue.put_latest("metrics_update", "counts")
    for number in range(1_000):
        queue.put_posts([str(number)])
    queue.put_deletion("deleted")
    queue.put_alert("resolved")
    assert await drain(queue) == ["raised", "resolved", "deleted", "counts", "998", "999"]


async def test_alerts_are_bounded_too() -> None:
    queue = FrameQueue(1)
    assert sum(queue.put_alert(str(number)) for number in range(MAX_ALERTS + 3)) == 3
    assert (await drain(queue))[0] == "3"
    assert sum(queue.put_deletion(str(number)) for number in range(MAX_DELETIONS + 2)) == 2


async def test_of_counts_only_the_latest_is_kept() -> None:
    queue = FrameQueue(1)
    for kind, frame in (("metrics_update", "old"), ("pong", "pong"), ("metrics_update", "new")):
        queue.put_latest(kind, frame)
    assert sorted(await drain(queue)) == ["new", "pong"]


async def test_who_waits_is_woken_by_the_next_frame() -> None:
    queue = FrameQueue(1)
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.put_posts(["post"])
    async with asyncio.timeout(10):
        assert await waiting == "post"


async def test_a_closed_queue_ends_who_waits_and_drops_the_rest() -> None:
    queue = FrameQueue(1)
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.close()
    with pytest.raises(QueueClosed):
        async with asyncio.timeout(10):
            await waiting
    queue.put_posts(["late"])
    with pytest.raises(QueueClosed):
        await queue.get()
