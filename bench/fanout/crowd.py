"""`python -m bench.fanout.crowd HOST PORT`: many browsers in one process, asked by JSON lines.

{"do": "join", "clients": 100, "slow": 10}     connects; the slow ones never read       -> {"joined": …}
{"do": "posts"}                                -> {"least": …, "posts": …}: who has fewest, and all
{"do": "latencies"}                            -> {"latencies": […]} in seconds, and forgets them
{"do": "leave"}                                -> {"closed_by_server": …}
"""

import asyncio
import base64
import json
import os
import socket
import sys
import threading
import time
from typing import Any, cast

import uvloop

from bench.fanout.frames import CLOSE, TEXT, FrameReader

POST = b'{"type":"new_post"'
# The author of a post says when it was published (`bench.fanout.run`), in monotonic nanoseconds.
STAMP = b'"author":"'
# Small, so that a client that never reads is a burden to the server soon, as a far one is.
SLOW_BUFFER_BYTES = 4_096
JOIN_TIMEOUT_S = 60.0


class Client(asyncio.Protocol):
    def __init__(self, crowd: "Crowd") -> None:
        self._crowd = crowd
        self._frames = FrameReader()
        self._head: bytes | None = b""
        self.posts = 0
        self.open = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(handshake())

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._head = None
            self.open.set_result(b" 101 " in head.split(b"\r\n")[0])
        for kind, payload in self._frames.feed(data):
            if kind == TEXT and payload.startswith(POST):
                self.posts += 1
                start = payload.index(STAMP) + len(STAMP)
                published_ns = int(payload[start : payload.index(b'"', start)])
                self._crowd.latencies.append((time.monotonic_ns() - published_ns) / 1e9)
            elif kind == CLOSE:
                self._crowd.closed_by_server += 1

    def connection_lost(self, error: Exception | None) -> None:
        if not self.open.done():
            self.open.set_result(False)


def handshake() -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    lines = (
        "GET /ws/sentiment HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    )
    return "\r\n".join([*lines, "", ""]).encode()


class Crowd:
    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._clients: list[Client] = []
        self._slow: list[socket.socket] = []
        self.latencies: list[float] = []
        self.closed_by_server = 0

    async def do(self, order: dict[str, Any]) -> dict[str, Any]:
        match order["do"]:
            case "join":
                return {"joined": await self._join(order["clients"], order["slow"])}
            case "posts":
                counts = [client.posts for client in self._clients]
                return {"least": min(counts, default=0), "posts": sum(counts)}
            case "latencies":
                latencies, self.latencies = self.latencies, []
                return {"latencies": latencies}
            case "leave":
                for client in self._clients:
                    client.transport.abort()
                for each in self._slow:
                    each.close()
                self._clients, self._slow = [], []
                return {"closed_by_server": self.closed_by_server}
            case unknown:
                raise ValueError(f"nothing is known of {unknown}")

    async def _join(self, clients: int, slow: int) -> int:
        loop = asyncio.get_running_loop()
        for _ in range(clients):
            _, client = await loop.create_connection(lambda: Client(self), *self._address)
            self._clients.append(client)
        for _ in range(slow):
            self._slow.append(await asyncio.to_thread(self._never_reads))
        async with asyncio.timeout(JOIN_TIMEOUT_S):
            return sum(await asyncio.gather(*(client.open for client in self._clients)))

    def _never_reads(self) -> socket.socket:
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER_BYTES)
        one.connect(self._address)
        one.sendall(handshake())
        return one


async def serve(crowd: Crowd) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def orders() -> None:
        for line in sys.stdin:
            try:
                reply = asyncio.run_coroutine_threadsafe(crowd.do(json.loads(line)), loop).result()
            except Exception as error:  # whatever it is, who asked decides what it means
                reply = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(reply), flush=True)
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=orders, daemon=True).start()
    await ended.wait()


if __name__ == "__main__":
    uvloop.run(serve(Crowd(sys.argv[1], int(sys.argv[2]))))
