"""The stages overlap, each within its limit, and nothing that was read is forgotten."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, cast

import pytest

from services.common.circuit import Circuit
from services.common.errors import ConfigurationError, Transient
from services.worker.consumer import SUSPECT_AFTER_DELIVERIES, Consumer, Entry
from services.worker.conveyor import MANY_POSTS, STORED_AT_ONCE, Conveyor
from services.worker.pipeline import Batch, Pipeline, Stored
from services.worker.post_traces import Spans
from tests.waiting import eventually


class Stream:
    """Hands out what was added, and waits where nothing is there, as a blocking read does."""

    def __init__(self, count: int = 0, *, at_once: int = 1_000) -> None:
        self.waiting = [entry(number) for number in range(count)]
        self.read_count = 0
        self.at_once = at_once

    async def read(self) -> list[Entry]:
        if not self.waiting:
            await asyncio.sleep(0.002)
        taken, self.waiting = self.waiting[: self.at_once], self.waiting[self.at_once :]
        self.read_count += len(taken)
        return taken

    async def last(self) -> list[Entry]:
        return []


class Steps:
    """A pipeline that notes what passes; each step waits for its gate."""

    def __init__(self) -> None:
        self.analysing: list[int] = []
        self.storing: list[int] = []
        self.acknowledged: list[Entry] = []
        # Posts that were begun and not acknowledged when a batch began.
        self.in_hand: list[int] = []
        self.gates = {name: open_gate() for name in ("analyse", "store", "acknowledge")}
        self.failures: dict[str, list[Exception]] = {}

    def trace(self, entries: Sequence[Entry]) -> Spans:
        return {}

    async def analyse(self, entries: Sequence[Entry], _spans: Spans) -> Batch:
        self.in_hand.append(sum(self.analysing) - len(self.acknowledged))
        self.analysing.append(len(entries))
        await self._pass("analyse")
        return Batch(entries)

    async def store(self, batch: Batch) -> Stored:
        self.storing.append(len(batch.entries))
        await self._pass("store")
        return Stored((), 0)

    async def acknowledge(self, batch: Batch, stored: Stored) -> None:
        await self._pass("acknowledge")
        self.acknowledged += batch.entries

    async def _pass(self, name: str) -> None:
        await self.gates[name].wait()
        if self.failures.get(name):
            raise self.failures[name].pop(0)


def open_gate() -> asyncio.Event:
    gate = asyncio.Event()
    gate.set()
    return gate


async def answers() -> None:
    """A probe of a server that is there."""


def entry(number: int, deliveries: int = 1) -> Entry:
    return Entry(f"{number + 1}-0", {}, deliveries)


class Running:
    """A conveyor at work, and the two orders that it knows."""

    def __init__(self, stream: Stream, steps: Steps, *, batch_posts: int = 10, in_flight: int = 2) -> None:
        consumer, pipeline = cast(Consumer, stream), cast(Pipeline, steps)
        redis = Circuit("redis", answers)
        self.conveyor = Conveyor(consumer, pipeline, redis, batch_posts=batch_posts, in_flight=in_flight)
        self.stopping, self.gave_up = asyncio.Event(), asyncio.Event()
        self.task = asyncio.create_task(self.conveyor.run(self.stopping, self.gave_up))

    async def stop(self) -> None:
        self.stopping.set()
        await self.task


def read_in_full(stream: Stream) -> bool:
    return not stream.waiting


async def until(condition: Callable[[], Any], what: str) -> None:
    async def probe() -> Any:
        return condition()

    await eventually(cast(Callable[[], Awaitable[Any]], probe), what)


async def test_while_one_batch_is_stored_the_next_is_analysed_and_another_is_read() -> None:
    stream, steps = Stream(40, at_once=10), Steps()
    steps.gates["store"].clear()
    running = Running(stream, steps)
    await until(lambda: steps.storing and len(steps.analysing) > 1, "storing beside analysing")
    assert steps.acknowledged == []
    await until(lambda: stream.read_count == 40, "reading beside both")
    steps.gates["store"].set()
    await until(lambda: len(steps.acknowledged) == 40, "everything acknowledged")
    await running.stop()


async def test_memory_is_bounded_while_the_database_is_away() -> None:
    stream, steps = Stream(1_000, at_once=10), Steps()
    steps.gates["store"].clear()
    running = Running(stream, steps, batch_posts=10, in_flight=2)
    # Two batches ready at most, two being analysed, two that wait for the database, and what is being stored.
    await until(lambda: len(steps.analysing) >= 5, "as much as there is room for")
    for _ in range(200):
        await asyncio.sleep(0)
    assert stream.read_count <= 100
    steps.gates["store"].set()
    await until(lambda: len(steps.acknowledged) == 1_000, "everything acknowledged")
    await running.stop()


async def test_a_post_alone_leaves_at_once_and_what_arrives_meanwhile_leaves_together() -> None:
    stream, steps = Stream(), Steps()
    steps.gates["analyse"].clear()
    running = Running(stream, steps, batch_posts=50, in_flight=1)
    stream.waiting = [entry(0)]
    await until(lambda: steps.analysing == [1], "alone")
    stream.waiting = [entry(number) for number in range(1, 8)]
    steps.gates["analyse"].set()
    await until(lambda: steps.analysing == [1, 7], "together")
    await running.stop()
    assert [each.stream_id for each in steps.acknowledged] == [f"{number + 1}-0" for number in range(8)]


async def test_beside_a_few_posts_nothing_is_read() -> None:
    stream, steps = Stream(MANY_POSTS - 1), Steps()
    steps.gates["analyse"].clear()
    running = Running(stream, steps, batch_posts=256)
    await until(lambda: steps.analysing == [MANY_POSTS - 1], "a few")
    stream.waiting = [entry(number) for number in range(MANY_POSTS, 2 * MANY_POSTS)]
    for _ in range(50):
        await asyncio.sleep(0)
    assert stream.read_count == MANY_POSTS - 1
    steps.gates["analyse"].set()
    await until(lambda: steps.analysing == [MANY_POSTS - 1, MANY_POSTS], "then all that had come")
    await running.stop()


async def test_beside_many_posts_the_next_many_are_analysed_and_a_few_wait() -> None:
    stream, steps = Stream(MANY_POSTS), Steps()
    steps.gates["analyse"].clear()
    running = Running(stream, steps, batch_posts=256)
    await until(lambda: steps.analysing == [MANY_POSTS], "many")
    stream.waiting = [entry(number) for number in range(MANY_POSTS, 2 * MANY_POSTS - 1)]
    await until(partial(read_in_full, stream), "read")
    for _ in range(50):
        await asyncio.sleep(0)
    assert steps.analysing == [MANY_POSTS]
    stream.waiting = [entry(2 * MANY_POSTS - 1)]
    await until(lambda: steps.analysing == [MANY_POSTS, MANY_POSTS], "beside the first")
    steps.gates["analyse"].set()
    await running.stop()
    assert len(steps.acknowledged) == 2 * MANY_POSTS


async def test_no_batch_is_larger_than_allowed() -> None:
    stream, steps = Stream(95, at_once=95), Steps()
    running = Running(stream, steps, batch_posts=10)
    await until(lambda: len(steps.acknowledged) == 95, "everything acknowledged")
    await running.stop()
    assert max(steps.analysing) == 10


async def test_beside_a_suspect_nothing_is_in_hand_until_it_is_acknowledged() -> None:
    stream, steps = Stream(), Steps()
    suspects = [entry(number, SUSPECT_AFTER_DELIVERIES) for number in (70, 71)]
    stream.waiting = [*(entry(number) for number in range(70)), *suspects, *(entry(number) for number in range(72, 80))]
    running = Running(stream, steps, batch_posts=100, in_flight=4)
    await until(lambda: len(steps.acknowledged) == 80, "everything acknowledged")
    await running.stop()
    assert list(zip(steps.analysing, steps.in_hand, strict=True)) == [(70, 0), (1, 0), (1, 0), (8, 0)]


async def test_a_suspect_is_analysed_alone() -> None:
    stream, steps = Stream(), Steps()
    suspects = [entry(number, SUSPECT_AFTER_DELIVERIES) for number in (3, 4)]
    stream.waiting = [*(entry(number) for number in range(3)), *suspects, *(entry(number) for number in range(5, 9))]
    running = Running(stream, steps, in_flight=1)
    await until(lambda: len(steps.acknowledged) == 9, "everything acknowledged")
    await running.stop()
    assert steps.analysing == [3, 1, 1, 4]


async def test_batches_that_wait_for_the_database_are_stored_together() -> None:
    stream, steps = Stream(60, at_once=10), Steps()
    steps.gates["store"].clear()
    running = Running(stream, steps, batch_posts=10, in_flight=4)
    await until(lambda: len(steps.analysing) == 6, "all analysed")
    steps.gates["store"].set()
    await until(lambda: len(steps.acknowledged) == 60, "everything acknowledged")
    await running.stop()
    assert len(steps.storing) < len(steps.analysing)
    assert max(steps.storing) <= STORED_AT_ONCE + 10


async def test_what_was_read_is_finished_before_the_end() -> None:
    stream, steps = Stream(30, at_once=30), Steps()
    steps.gates["analyse"].clear()
    running = Running(stream, steps)
    await until(lambda: stream.read_count == 30, "everything is in hand")
    running.stopping.set()
    steps.gates["analyse"].set()
    await running.stop()
    assert len(steps.acknowledged) == 30
    assert running.conveyor.abandoned == 0


@pytest.mark.parametrize("step", ["analyse", "store", "acknowledge"])
async def test_a_step_that_fails_is_done_again_alone(step: str) -> None:
    stream, steps = Stream(5), Steps()
    steps.failures[step] = [Transient("away"), Transient("still away")]
    running = Running(stream, steps, in_flight=1)
    await until(lambda: len(steps.acknowledged) == 5, "everything acknowledged")
    await running.stop()
    assert steps.analysing == ([5, 5, 5] if step == "analyse" else [5])
    assert steps.storing == ([5, 5, 5] if step == "store" else [5])


@pytest.mark.parametrize("step", ["analyse", "store", "acknowledge"])
async def test_what_waits_too_long_at_the_end_is_left_to_others_and_counted(step: str) -> None:
    stream, steps = Stream(25, at_once=25), Steps()
    steps.gates[step].clear()
    running = Running(stream, steps)
    await until(lambda: stream.read_count == 25, "everything is in hand")
    running.stopping.set()
    running.gave_up.set()
    await running.stop()
    assert running.conveyor.abandoned == 25
    assert steps.acknowledged == []


async def test_an_error_that_no_repetition_mends_ends_the_worker() -> None:
    stream, steps = Stream(5), Steps()
    steps.failures["analyse"] = [ConfigurationError("the models do not fit")]
    running = Running(stream, steps)
    with pytest.raises(ExceptionGroup) as failure:
        await running.task
    assert failure.group_contains(ConfigurationError, match="do not fit")
