"""What a live source's WebSocket brings, a batch at a time."""

import asyncio
from contextlib import suppress

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from services.ingester.sources.base import MAX_BATCH_POSTS

# What comes within it is one batch.
BATCH_S = 0.05


async def receive(socket: ClientConnection, silence_s: float | None = None) -> list[bytes]:
    """Waits for a message, and takes what comes within BATCH_S of it. TimeoutError if none comes in `silence_s`."""
    async with asyncio.timeout(silence_s):
        raws = [await socket.recv(decode=False)]
    # The end of the connection is met again by the next call.
    with suppress(TimeoutError, ConnectionClosed):
        async with asyncio.timeout(BATCH_S):
            while len(raws) < MAX_BATCH_POSTS:
                raws.append(await socket.recv(decode=False))
    return raws
