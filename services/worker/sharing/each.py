"""The same for every shard, whether the node of one answers or not."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from services.common.errors import Transient
from services.common.streams import REDIS

# Less than half of a lease.
ANSWER_TIMEOUT_S = 2.0
# Each needs a connection.
AT_ONCE = 8


async def each_of(streams: Iterable[str], action: Callable[[str], Awaitable[None]]) -> None:
    """Does it for all of them; then raises what one of them raised, Transient if it took ANSWER_TIMEOUT_S."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def act(stream: str) -> None:
        try:
            async with turns, asyncio.timeout(ANSWER_TIMEOUT_S):
                await action(stream)
        except TimeoutError:
            raise Transient(f"Redis does not answer for {stream}", service=REDIS) from None

    outcomes = await asyncio.gather(*map(act, streams), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
