"""`python -m bench.feed REDIS_URL STREAM`: adds posts to the stream, from a process of its own, asked by JSON lines.

{"do": "texts", "texts": [...]}                            what posts say, over and over
{"do": "fill", "count": 1000, "prefix": "a"}               as fast as Redis takes them      -> {"seconds": …}
{"do": "keep_full", "count": 1000, "prefix": "b", "group": "…", "max_lag": 20000}   no more than so many unread
{"do": "poisson", "rate": 100, "seconds": 10, "seed": 1, "prefix": "c"}             -> {"sent": {post_id: s}, …}
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection

from bench.arrivals import poisson_times
from services.common.streams import group_state

CHUNK_POSTS = 1_000
FULL_POLL_S = 0.02
CREATED_AT = "2026-01-31T12:00:00+00:00"
Fields = dict[str, str]


def fields_of(prefix: str, texts: Sequence[str]) -> Iterator[Fields]:
    """Stream entries without end. Ids count up behind the prefix."""
    for number, text in enumerate(itertools.cycle(texts)):
        yield {
            "post_id": f"{prefix}-{number}",
            "source": "reddit" if number % 3 else "twitter",
            "content": text,
            "author": f"user{number % 997}",
            "created_at": CREATED_AT,
        }


class Feeder:
    def __init__(self, url: str, stream: str) -> None:
        self._url = url
        self._stream = stream
        self._texts: list[str] = ["a post"]

    async def do(self, order: dict[str, Any]) -> dict[str, Any]:
        match order["do"]:
            case "texts":
                self._texts = order["texts"]
                return {"texts": len(self._texts)}
            case "fill" | "keep_full":
                return await self._fill(order["count"], order["prefix"], order.get("group", ""), order.get("max_lag"))
            case "poisson":
                times = poisson_times(order["rate"], order["seconds"], order["seed"])
                return await self._open_loop(times, order["prefix"])
            case unknown:
                raise ValueError(f"nothing is known of {unknown}")

    async def _fill(self, count: int, prefix: str, group: str, max_lag: int | None) -> dict[str, Any]:
        began = time.monotonic()
        entries = fields_of(prefix, self._texts)
        async with Redis.from_url(self._url) as redis:
            for start in range(0, count, CHUNK_POSTS):
                if max_lag:
                    await self._room(redis, group, max_lag)
                async with redis.pipeline(transaction=False) as pipeline:
                    for fields in itertools.islice(entries, min(CHUNK_POSTS, count - start)):
                        pipeline.xadd(self._stream, dict[Any, Any](fields))
                    await pipeline.execute()
        return {"seconds": time.monotonic() - began}

    async def _room(self, redis: Redis, group: str, max_lag: int) -> None:
        """Waits until a chunk more keeps the stream within its limit of unread posts."""
        # A group that catches up announces it to nobody.
        while (await group_state(redis, self._stream, group)).lag > max_lag - CHUNK_POSTS:  # noqa: ASYNC110 # Redis tells nobody
            await asyncio.sleep(FULL_POLL_S)

    async def _open_loop(self, times: Sequence[float], prefix: str) -> dict[str, Any]:
        """Each post at its time, whatever became of those before it: answers are read beside, never waited for."""
        sent: dict[str, float] = {}
        late: list[float] = []
        async with Redis.from_url(self._url) as redis:
            connection = await redis.connection_pool.get_connection()  # type: ignore[no-untyped-call] # untyped there
            try:
                answers = asyncio.create_task(_read_answers(connection, len(times)))
                began = time.monotonic() + 0.2
                for at, fields in zip(times, fields_of(prefix, self._texts), strict=False):
                    wait = began + at - time.monotonic()
                    # Also where it is late: whoever reads the answers must have a turn.
                    await asyncio.sleep(max(0.0, wait))
                    now = time.monotonic()
                    late.append(now - began - at)
                    sent[fields["post_id"]] = now
                    flat = [part for pair in fields.items() for part in pair]
                    await connection.send_command("XADD", self._stream, "*", *flat)
                await answers
            finally:
                await redis.connection_pool.release(connection)
        return {"sent": sent, "late_s": late}


async def _read_answers(connection: AbstractConnection, count: int) -> None:
    for _ in range(count):
        await connection.read_response()


def main() -> None:
    feeder = Feeder(*sys.argv[1:3])
    for line in sys.stdin:
        try:
            reply = asyncio.run(feeder.do(json.loads(line)))
        except Exception as error:  # whatever it is, who asked decides what it means
            reply = {"error": f"{type(error).__name__}: {error}"[:2000]}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
