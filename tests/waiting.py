"""Waiting for a condition instead of for luck."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(probe: Callable[[], Awaitable[T]], what: str, timeout_s: float = 30.0) -> T:
    """The first truthy result of `probe`; AssertionError with `what` if there is none in time."""
    deadline = time.monotonic() + timeout_s
    last: object = None
    while time.monotonic() < deadline:
        result = await probe()
        if result:
            return result
        last = result
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within {timeout_s:.0f} s: {what} (last: {last!r})")
