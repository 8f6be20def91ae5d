"""Something that goes on beside a test."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def in_task(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Does it while the block lasts; AssertionError if it has ended by then, which nobody would have noticed."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(ended, asyncio.CancelledError), ended
