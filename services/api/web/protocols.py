"""uvicorn's protocols, but no client can hold a place by doing nothing, or make us work or keep things without end."""

import asyncio

import h11
import structlog
from starlette.types import Receive, Scope, Send
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.protocol import State

from services.api.web.errors import RETRY_AFTER_S
from services.api.web.middleware import SECURITY_HEADERS, SecurityHeaders
from services.api.web.problems import error_answer, problem
from services.api.web.request_id import HEADER as REQUEST_ID
from services.api.web.request_id import RequestIds, new_request_id
from services.common.logging import get_logger

log = get_logger(__name__)

# A request has to be here, whole, so long after the connection or its first byte. The longest is a few kilobytes.
REQUEST_TIMEOUT_S = 10.0
# But one with posts, which may be many.
UPLOAD_TIMEOUT_S = 60.0
UPLOAD = ("POST", "/api/posts")
# A client that reads nothing of a long answer for so long, or not the end of it, loses the connection.
ANSWER_TIMEOUT_S = 30.0
# Connections beyond the server's limit get 503 in words; beyond so many more, which would be open files, not even that.
MAX_TURNED_AWAY = 128

# A client of the live feed sends no more than {"type":"pong"}.
MAX_INCOMING_BYTES = 4_096
# In one second, of messages and control frames together; who sends more is sent away (1008).
MAX_INCOMING_BYTES_PER_S = 4 * MAX_INCOMING_BYTES
# Of one message: also pieces of no length have to be kept until the last.
MAX_FRAGMENTS = 64
# What is not flushed so long after the end of a connection never will be.
CLOSE_GRACE_S = 5.0
# So long a client that was sent away in the middle of its sending may go on, unheard: closing at once would be a reset,
# and it would not read why.
LINGER_S = 1.0


async def _turn_away(scope: Scope, receive: Receive, send: Send) -> None:
    log.warning("connection_turned_away", client=scope["client"] and scope["client"][0])
    headers = {"Retry-After": str(RETRY_AFTER_S), "Connection": "close"}
    answer = error_answer(scope, 503, "Too many connections at once; try again shortly.", headers=headers)
    await answer(scope, receive, send)


TURN_AWAY = RequestIds(SecurityHeaders(_turn_away))


class HttpProtocol(H11Protocol):
    _is_http = True
    _awaited: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None
    _has_more_time = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn declares it
        super().connection_made(transport)
        if self.limit_concurrency is not None and len(self.connections) > self.limit_concurrency + MAX_TURNED_AWAY:
            transport.abort()
            return
        self._await_request()

    def handle_events(self) -> None:
        # uvicorn would refuse as well, in words of its own.
        limit, app = self.limit_concurrency, self.app
        if limit is not None and max(len(self.connections), len(self.tasks)) >= limit:
            self.app = TURN_AWAY
        self.limit_concurrency = None
        try:
            super().handle_events()
        finally:
            self.limit_concurrency, self.app = limit, app

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_awaiting()
        self.resume_writing()
        super().connection_lost(exc)

    def _await_request(self) -> None:
        """The time runs from the beginning of a request to its end, however often a part of it comes."""
        if not self._is_http or self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._stop_awaiting()
        elif self._awaited is None:
            self._awaited = self.loop.call_later(REQUEST_TIMEOUT_S, self._is_late)

    def _is_late(self) -> None:
        is_body = self.conn.their_state is h11.SEND_BODY and not self.cycle.response_started
        if is_body and not self._has_more_time and (self.scope["method"], self.scope["path"]) == UPLOAD:
            # The route says it in words a moment before.
            more_s = UPLOAD_TIMEOUT_S - REQUEST_TIMEOUT_S + 1.0
            self._has_more_time = True
            self._awaited = self.loop.call_later(more_s, self.transport.abort)
        else:
            self.transport.abort()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._is_http = False
        super().handle_websocket_upgrade(event)

    def _stop_awaiting(self) -> None:
        self._has_more_time = False
        if self._awaited is not None:
            self._awaited.cancel()
            self._awaited = None

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stuck is None:
            self._stuck = self.loop.call_later(ANSWER_TIMEOUT_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._flush_in_time()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._flush_in_time()

    def _flush_in_time(self) -> None:
        if self.transport.is_closing():  # which waits until everything is flushed, and that may be for ever
            self.loop.call_later(ANSWER_TIMEOUT_S, self.transport.abort)

    def send_400_response(self, msg: str) -> None:
        """As the other errors are."""
        # Not even a path is known of it, nor was there a header to take an id from.
        request_id = new_request_id()
        headers = {**SECURITY_HEADERS, REQUEST_ID: request_id, "Connection": "close"}
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            log.debug("malformed_request", reason=msg, client=self.client and self.client[0])
            answer = problem(400, msg, "", headers=headers)
        for event in (
            h11.Response(status_code=400, headers=answer.raw_headers, reason=b"Bad Request"),
            h11.Data(data=bytes(answer.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        self._flush_in_time()


class WebSocketProtocol(WebSocketsSansIOProtocol):
    _second_began = 0.0
    _received_bytes = 0
    _is_deaf = False

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        if not self.handshake_initiated:
            super().data_received(data)
            return
        # What is beyond the limit is not even parsed: thousands of tiny frames would be work, and each ping an answer.
        allowed = self._allowance(len(data))
        super().data_received(data[:allowed])
        if len(data) > allowed:
            self._send_away(CloseCode.POLICY_VIOLATION, "too much at once")

    def _allowance(self, wanted: int) -> int:
        now = self.loop.time()
        if now - self._second_began >= 1.0:
            self._second_began, self._received_bytes = now, 0
        allowed = max(0, MAX_INCOMING_BYTES_PER_S - self._received_bytes)
        self._received_bytes += wanted
        return allowed

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= MAX_FRAGMENTS:
            self._send_away(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
        else:
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not _is_utf8(b"".join(self.frames)):
            self.frames = []
            self._send_away(CloseCode.INVALID_DATA, "not UTF-8")
        else:
            super().send_receive_event_to_app()

    def _send_away(self, code: CloseCode, reason: str) -> None:
        if self.conn.state is State.OPEN:
            self.conn.send_close(code, reason)
            self.handle_parser_exception()
        elif not self._is_deaf:  # before the handshake, or after a goodbye
            self.transport.abort()

    def handle_parser_exception(self) -> None:
        """Ends a connection whose close frame says why. uvicorn's, but the client has time to read that."""
        assert self.conn.close_sent is not None
        close = self.conn.close_sent
        self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.write_eof()
        self.close_sent = self._is_deaf = True
        self.close_timer = self.loop.call_later(LINGER_S, self.transport.abort)
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "websocket.close":
            # Sending waits until the client reads; a goodbye to one that does not must not.
            self.writable.set()
        await self.writable.wait()
        if self._is_deaf:
            # We have said goodbye, which the application does not know yet.
            if message["type"] == "websocket.close":
                return
            raise ClientDisconnected
        await super().send(message)

    def keepalive_timeout(self) -> None:
        # The client answers no ping. Its application is to hear of it at once, too.
        super().keepalive_timeout()
        self._is_deaf = True

    async def run_asgi(self) -> None:
        await super().run_asgi()
        # Closing waits until what was sent is flushed, which may be for ever.
        self.loop.call_later(CLOSE_GRACE_S, self.transport.abort)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
