"""Several things at once, and what is left when one of them fails."""

import asyncio

import pytest

from services.common.cancellation import stop_if_cancelled
from services.common.errors import Transient
from services.inference.classifier import together


async def test_results_come_in_order() -> None:
    async def late(value: int) -> int:
        for _ in range(3 - value):
            await asyncio.sleep(0)
        return value

    assert await together(late(0), late(1), late(2)) == [0, 1, 2]


async def test_a_failure_ends_the_others_and_leaves_no_mark_on_who_waited() -> None:
    ended = asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def fails() -> None:
        await asyncio.sleep(0)
        raise Transient("away")

    with pytest.raises(Transient):
        await together(endless(), fails())
    assert ended.is_set()
    # The call may be repeated: a mark would be taken for an order to stop.
    stop_if_cancelled()


async def test_a_cancellation_ends_all_of_them() -> None:
    running = 0

    async def endless() -> None:
        nonlocal running
        running += 1
        try:
            await asyncio.Event().wait()
        finally:
            running -= 1

    waiting = asyncio.create_task(together(endless(), endless()))
    while running < 2:
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert running == 0
