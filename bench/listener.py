"""`python -m bench.listener URL`: one browser, in a process of its own; asked by JSON lines on standard input.

{"do": "count"}        -> {"posts": …, "frames": …, "bytes": …, "last_at": monotonic seconds}
{"do": "arrivals"}     -> {"arrivals": {post_id: monotonic seconds}}, and forgets them
"""

import asyncio
import json
import sys
import threading
import time
from typing import Any

import uvloop
from websockets.asyncio.client import connect

# Cheaper than reading the whole frame, and these are ours.
_ID = '"post_id":"'
_POST = '{"type":"new_post"'


class Seen:
    def __init__(self) -> None:
        self.frames = self.posts = self.bytes = 0
        self.last_at = 0.0
        self.arrivals: dict[str, float] = {}

    def take(self, frame: str) -> None:
        self.frames += 1
        self.bytes += len(frame)
        if frame.startswith(_POST):
            self.posts += 1
            self.last_at = time.monotonic()
            start = frame.index(_ID) + len(_ID)
            self.arrivals[frame[start : frame.index('"', start)]] = self.last_at

    def answer(self, order: dict[str, Any]) -> dict[str, Any]:
        if order["do"] == "count":
            return {"posts": self.posts, "frames": self.frames, "bytes": self.bytes, "last_at": self.last_at}
        arrivals, self.arrivals = self.arrivals, {}
        return {"arrivals": arrivals}


async def listen(url: str, seen: Seen) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def orders() -> None:
        for line in sys.stdin:
            answer = asyncio.run_coroutine_threadsafe(_answer(seen, json.loads(line)), loop).result()
            print(json.dumps(answer), flush=True)
        loop.call_soon_threadsafe(ended.set)

    async with connect(url, max_size=None, compression=None) as socket:

        async def read() -> None:
            async for frame in socket:
                seen.take(frame if isinstance(frame, str) else frame.decode())

        reading = asyncio.create_task(read())
        threading.Thread(target=orders, daemon=True).start()
        await ended.wait()
        reading.cancel()


async def _answer(seen: Seen, order: dict[str, Any]) -> dict[str, Any]:
    return seen.answer(order)


if __name__ == "__main__":
    uvloop.run(listen(sys.argv[1], Seen()))
