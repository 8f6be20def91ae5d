"""`/ws/sentiment`: the live feed of one browser."""

import asyncio
from contextlib import suppress
from time import monotonic, perf_counter

import msgspec
from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketDisconnected

from services.api.dependencies import StateDep
from services.api.feed import frames
from services.api.feed.broadcast import TooManyClients
from services.api.feed.frame_queue import FrameQueue, QueueClosed
from services.api.state import State
from services.api.web.same_origin import is_allowed_origin
from services.common.errors import Transient
from services.common.logging import get_logger

log = get_logger(__name__)
router = APIRouter()

IDLE_PING_S = 20.0
# A browser that does not take one frame in so long is asked to come back later.
SEND_TIMEOUT_S = 10.0
# What is shown in the log of an origin that is refused.
MAX_ORIGIN_CHARS = 200
GOING_AWAY = 1001
GONE = 1006
INTERNAL_ERROR = 1011
TRY_AGAIN_LATER = 1013


class SlowClient(Exception):
    """The browser does not read."""


class _Incoming(msgspec.Struct):
    """What a client may say; everything but `ping` is ignored."""

    type: str = ""


@router.websocket("/ws/sentiment")
async def live(websocket: WebSocket, state: StateDep) -> None:
    metrics = state.metrics.live
    if not is_allowed_origin(websocket.headers, state.settings.allowed_origins):
        metrics.refused.labels("origin").inc()
        log.info("live_refused", origin=websocket.headers.get("origin", "")[:MAX_ORIGIN_CHARS])
        await websocket.close()  # before it is accepted: 403
        return
    await websocket.accept()
    metrics.opened.inc()
    opened_at, code = monotonic(), INTERNAL_ERROR
    try:
        with state.broadcaster.join() as queue:
            code = await _serve(websocket, queue, state)
    except TooManyClients:
        metrics.refused.labels("full").inc()
        code = TRY_AGAIN_LATER
        await _say_goodbye(websocket, TRY_AGAIN_LATER, "too many clients; try again later")
    finally:
        stayed_s = monotonic() - opened_at
        metrics.closed(code)
        metrics.stay_s.observe(stayed_s)
        client = websocket.client and websocket.client.host
        log.debug("live_closed", code=code, seconds=round(stayed_s, 3), client=client)


async def _serve(websocket: WebSocket, queue: FrameQueue, state: State) -> int:
    """Until either side ends it; with this code."""
    code = INTERNAL_ERROR
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_write(websocket, queue, state))
            tasks.create_task(_read(websocket, queue))
            tasks.create_task(_first_counts(queue, state))
    except* WebSocketDisconnect as group:
        code = _code_of(group)
    except* SlowClient:
        code = TRY_AGAIN_LATER
        state.metrics.live.refused.labels("slow").inc()
        log.info("slow_client_closed", client=websocket.client and websocket.client.host)
        await _say_goodbye(websocket, TRY_AGAIN_LATER, "too slow; try again later")
    except* QueueClosed:
        code = GOING_AWAY
        await _say_goodbye(websocket, GOING_AWAY, "the server is going away")
    return code


async def _say_goodbye(websocket: WebSocket, code: int, reason: str) -> None:
    with suppress(WebSocketDisconnect, WebSocketDisconnected):  # it has just left by itself
        await websocket.close(code, reason)


def _code_of(group: BaseExceptionGroup[WebSocketDisconnect]) -> int:
    """Who writes knows only that the other side has gone; who reads, with what words."""
    codes = [error.code for error in group.exceptions if isinstance(error, WebSocketDisconnect)]
    return next((code for code in codes if code != GONE), GONE)


async def _write(websocket: WebSocket, queue: FrameQueue, state: State) -> None:
    frame = frames.connected()
    while True:
        turn_at = perf_counter()
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await websocket.send_text(frame)
        except TimeoutError:
            raise SlowClient from None
        state.metrics.live.sent.note(frames.kind_of(frame), frames.size_of(frame), perf_counter() - turn_at)
        try:
            async with asyncio.timeout(IDLE_PING_S):
                frame = await queue.get()
        except TimeoutError:
            frame = frames.PING


async def _read(websocket: WebSocket, queue: FrameQueue) -> None:
    """Ends with the connection. The server bounds the size of a message; of many pings, one pong is the answer."""
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1006))
        try:
            incoming = msgspec.json.decode(message.get("text") or message.get("bytes") or b"", type=_Incoming)
        except (ValueError, RecursionError):  # no JSON, or nested too deeply
            continue
        if incoming.type == "ping":
            queue.put_latest("pong", frames.PONG)


async def _first_counts(queue: FrameQueue, state: State) -> None:
    # Without a database the next turn of the counts brings them; health shows why they are missing.
    with suppress(Transient):
        queue.put_latest("metrics_update", await state.counts.latest())
