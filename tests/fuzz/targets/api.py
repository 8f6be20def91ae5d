"""What clients send: cursors, words over the WebSocket, origins, paths, choices of dead letters."""

import asyncio
import atexit
import json
from typing import Any, cast

from hypothesis import strategies as st
from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect

from services.api.cursor import MAX_ID, decode_cursor, encode_cursor
from services.api.feed.frame_queue import FrameQueue
from services.api.feed.route import _read
from services.api.queries.statements import contains_pattern, trigrams_can_find
from services.api.schemas.dead_letters import LetterChoice
from services.api.web.dashboard import Dashboard
from services.api.web.errors import InvalidParameter
from services.api.web.same_origin import is_allowed_origin
from services.common.dead_letters.filters import Filter, place
from tests import hostile
from tests.fuzz.target import Target, fields_of, raw_fields, scratch

_LOOP = asyncio.new_event_loop()
atexit.register(_LOOP.close)


def cursor(raw: bytes) -> None:
    """One of ours, spelled as we spell it, or a refusal."""
    text = raw.decode("utf-8", "replace")
    try:
        last_id = decode_cursor(text)
    except InvalidParameter as error:
        assert "next_cursor" in str(error)
        return
    assert 0 < last_id <= MAX_ID
    assert encode_cursor(last_id) == text


class _Browser:
    """Says one thing, as text or as bytes, and leaves."""

    def __init__(self, message: Message) -> None:
        self._messages = [{"type": "websocket.disconnect"}, message]

    async def receive(self) -> Message:
        return self._messages.pop()


def browser_message(raw: bytes) -> None:
    """At most a pong is the answer, and the connection goes on."""
    said: list[Message] = [{"type": "websocket.receive", "bytes": raw}]
    said.append({"type": "websocket.receive", "text": raw.decode("utf-8", "replace")})
    for message in said:
        try:
            _LOOP.run_until_complete(_read(cast(Any, _Browser(message)), FrameQueue(1)))
        except WebSocketDisconnect:
            continue
        raise AssertionError("it ended before the browser left")


def origin(raw: bytes) -> None:
    """Only the page's own host, whatever is in the headers."""
    fields = fields_of(raw)
    headers = Headers(raw=[(name.lower(), value) for name, value in fields.items()])
    if is_allowed_origin(headers, frozenset()) and (sent := headers.get("origin")) is not None:
        assert sent.lower().partition("://")[0] in ("http", "https")
        assert headers["host"].lower().startswith(sent.lower().partition("://")[2].removesuffix(":80"))


def search_words(raw: bytes) -> None:
    """A pattern whose every sign stands for itself."""
    text = raw.decode("utf-8", "replace")
    pattern = contains_pattern(text)
    assert pattern[0] == pattern[-1] == "%"
    plain, signs = "", iter(pattern[1:-1])
    for sign in signs:
        assert sign not in "%_"
        plain += next(signs) if sign == "\\" else sign
    assert plain == text
    assert trigrams_can_find(text) in (True, False)


def letter_id(raw: bytes) -> None:
    """A place in a stream, or a ValueError of few words."""
    text = raw.decode("utf-8", "replace")
    try:
        found = place(text)
    except ValueError as error:
        assert len(str(error)) < 500
        return
    assert all(0 <= number < 2**64 for number in found)


def letter_choice(raw: bytes) -> None:
    """Letters that are meant, with bounds that Redis takes; or what is wrong, in JSON."""
    try:
        choice = LetterChoice.model_validate_json(raw)
    except ValidationError as error:
        for item in error.errors():
            json.dumps([list(item["loc"]), item["msg"]]).encode()
        return
    assert isinstance(choice.filter, Filter)
    for end in (*choice.bounds("5-5"), *choice.filter.bounds()):
        place(end)


_FOLDER = scratch()
_INSIDE = _FOLDER / "dist"
_INSIDE.mkdir()
(_INSIDE / "index.html").write_text("the page")
(_FOLDER / "secret.txt").write_text("what nobody may read")
_DASHBOARD = Dashboard(_INSIDE)


def page_path(raw: bytes) -> None:
    """The page, a file of it, or an error that is the client's; nothing from beside the folder."""
    path = "/" + raw.decode("utf-8", "replace")
    scope = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": [], "query_string": b""}
    body = b""

    async def receive() -> Message:
        await asyncio.Event().wait()  # the client waits for the answer
        raise AssertionError

    async def send(message: Any) -> None:
        nonlocal body
        assert message.get("status", 200) < 500
        body += message.get("body", b"")

    try:
        _LOOP.run_until_complete(_DASHBOARD(scope, receive, send))
    except HTTPException as error:
        assert error.status_code < 500
    assert b"nobody" not in body


CHOICE: dict[str, object] = {"reason": "too_long", "since": "2026-01-01T00:00:00Z", "limit": 5}

TARGETS = (
    Target(
        "cursor",
        cursor,
        [encode_cursor(1).encode(), encode_cursor(MAX_ID).encode(), b"MQ", b"LTE", b"IDE"],
        hostile.raw_texts() | st.integers().map(lambda number: encode_cursor(number).encode()),
    ),
    Target(
        "browser_message",
        browser_message,
        [b'{"type":"ping"}', b'{"type":"pong"}', hostile.deep(2_000, "x"), hostile.deep(4_000)],
        st.one_of(
            hostile.nearly({"type": "ping"}).map(str.encode),
            hostile.raw_texts(),
            st.integers(1, 2_000).map(lambda levels: hostile.deep(levels, "x")),
        ),
    ),
    Target(
        "origin",
        origin,
        [
            raw_fields({b"host": b"localhost:8000", b"origin": b"http://localhost:8000"}),
            raw_fields({b"host": b"undertone.example:443", b"origin": b"https://undertone.example"}),
            raw_fields({b"host": b"", b"origin": b"http://"}),
        ],
        st.builds(
            lambda host, sent: raw_fields({b"host": host, b"origin": sent}),
            hostile.raw_texts(),
            st.builds(bytes.__add__, st.sampled_from([b"http://", b"https://", b"null", b""]), hostile.raw_texts()),
        ),
    ),
    Target("search_words", search_words, [b"100%_\\", "naïve 今天".encode()], hostile.raw_texts()),
    Target(
        "letter_id",
        letter_id,
        [b"1767225600000-0", b"0-0", b"18446744073709551615-18446744073709551615"],
        hostile.raw_texts(),
    ),
    Target(
        "letter_choice",
        letter_choice,
        [
            json.dumps(CHOICE).encode(),
            b'{"ids": ["1767225600000-0"]}',
            b'{"all": true, "cursor": "1-0~2-0"}',
            b'{"post_id": "1", "before": "9999-12-31T23:59:59Z"}',
        ],
        st.one_of(
            hostile.nearly(CHOICE).map(str.encode),
            hostile.nearly({"ids": ["1-0"]}).map(str.encode),
            hostile.times().map(lambda time: json.dumps({"since": time}).encode()),
            hostile.raw_texts(),
        ),
    ),
    Target(
        "page_path",
        page_path,
        [
            b"",
            b"index.html",
            b"posts/7",
            b"../secret.txt",
            b"assets/../../secret.txt",
            b"a" * 300,
            b"\x00",
            b"a\x00.js",
        ],
        hostile.raw_texts(),
    ),
)
