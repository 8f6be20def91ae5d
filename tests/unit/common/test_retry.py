"""Waiting for a dependency ends when it is back, or when the service is told to stop."""

import asyncio

import pytest

from services.common import backoff, retry
from services.common.errors import Rejected, Transient


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "INITIAL_BACKOFF_S", 0.001)
    monkeypatch.setattr(backoff, "MAX_BACKOFF_S", 0.002)


async def test_it_tries_until_the_dependency_is_back() -> None:
    calls = 0

    async def action() -> None:
        nonlocal calls
        calls += 1
        if calls < 5:
            raise Transient("away")

    assert await retry.until_done("test", action, asyncio.Event())
    assert calls == 5


async def test_another_error_is_not_tried_again() -> None:
    async def action() -> None:
        raise Rejected("never")

    with pytest.raises(Rejected):
        await retry.until_done("test", action, asyncio.Event())


async def test_told_to_stop_it_gives_up_at_once_even_within_an_attempt() -> None:
    stopping = asyncio.Event()
    entered = asyncio.Event()

    async def action() -> None:
        entered.set()
        await asyncio.Event().wait()

    waiting = asyncio.create_task(retry.until_done("test", action, stopping))
    await entered.wait()
    stopping.set()
    assert await asyncio.wait_for(waiting, 5) is False


async def test_a_cancellation_that_the_action_swallows_still_ends_the_wait() -> None:
    stopping = asyncio.Event()
    entered = asyncio.Event()

    async def action() -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise Transient("swallowed") from None

    waiting = asyncio.create_task(retry.until_done("test", action, stopping))
    await entered.wait()
    stopping.set()
    assert await asyncio.wait_for(waiting, 5) is False


async def test_an_action_that_cancels_itself_is_an_error_and_no_silent_end() -> None:
    async def action() -> None:
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="cancelled from within"):
        await retry.until_done("test", action, asyncio.Event())
