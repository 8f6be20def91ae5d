"""Where posts go that cannot be analysed: a stream of their own, with the reason, until a person decides."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from services.common.streams import dead_letter_stream, redis_errors

# Dead letters beyond this many lose the oldest: by then a person has been asked for help 100,000 times.
MAX_DEAD_LETTERS = 100_000
MAX_ERROR_CHARS = 500


@dataclass(frozen=True)
class DeadLetter:
    """A refused entry: its original fields, a short countable `reason`, and the `error` in words."""

    stream_id: str
    fields: Mapping[bytes, bytes]
    reason: str
    error: str
    deliveries: int = 1


async def bury(redis: Redis, stream: str, letters: Sequence[DeadLetter]) -> None:
    """Adds the letters to `<stream>:dead`. One that is buried twice (a crash before its acknowledgement) says so by
    its `stream_id`."""
    if not letters:
        return
    with redis_errors():
        async with redis.pipeline(transaction=False) as pipeline:
            for letter in letters:
                record: dict[Any, Any] = dict(letter.fields)
                record |= {
                    "reason": letter.reason,
                    "error": letter.error[:MAX_ERROR_CHARS],
                    "deliveries": letter.deliveries,
                    "dead_at": f"{time.time():.3f}",
                    "stream_id": letter.stream_id,
                }
                pipeline.xadd(dead_letter_stream(stream), record, maxlen=MAX_DEAD_LETTERS, approximate=True)
            await pipeline.execute()
