"""What comes through Redis: stream entries, messages of the channel, dead letters."""

import json

import msgspec
from hypothesis import strategies as st

from services.api.feed import frames
from services.common.dead_letters.letter import DeadLetter, record
from services.common.dead_letters.reading import Letter, _letter
from services.common.errors import MalformedPost
from services.common.messages import (
    MAX_AUTHOR_CHARS,
    MAX_CONTENT_CHARS,
    MAX_POST_ID_CHARS,
    MAX_SOURCE_CHARS,
    AlertMessage,
    Post,
    ResultsMessage,
    decode_message,
    decode_post,
    encode_message,
    encode_post,
    is_blank,
)
from tests import hostile
from tests.fuzz.target import Target, fields_of, raw_fields
from tests.unit.api.analysed import analysed_posts

REASONS = {
    "missing_field",
    "empty_field",
    "too_long",
    "nul_character",
    "invalid_utf8",
    "invalid_timestamp",
}
ENTRY = {
    b"post_id": b"reddit-1",
    b"source": b"reddit",
    b"content": "schön 😀".encode(),
    b"author": b"ada",
    b"created_at": b"2026-01-02T03:04:05.678+00:00",
}
NAMES = [*ENTRY, b"platform", b"text", b"line", b"reason", b"cut", b"deliveries", b"original_reason", b""]


def assert_storable(post: Post) -> None:
    """What PostgreSQL takes, and every reader can show."""
    limits = (
        (post.post_id, MAX_POST_ID_CHARS),
        (post.source, MAX_SOURCE_CHARS),
        (post.content, MAX_CONTENT_CHARS),
        (post.author, MAX_AUTHOR_CHARS),
    )
    for text, limit in limits:
        assert len(text) <= limit
        assert "\x00" not in text
        assert text.encode().decode() == text
    assert not is_blank(post.post_id)
    assert not is_blank(post.source)
    assert not is_blank(post.content)
    assert post.created_at.utcoffset() is not None
    assert json.loads(msgspec.json.encode(post))["content"] == post.content


def assert_refused(error: MalformedPost) -> None:
    assert error.reason in REASONS
    assert len(str(error)) < 500
    str(error).encode()


def stream_entry(raw: bytes) -> None:
    """A post that can be stored, and that comes back as it went; or a refusal with one of a few reasons."""
    try:
        post = decode_post(fields_of(raw))
    except MalformedPost as error:
        assert_refused(error)
        return
    assert_storable(post)
    assert decode_post({name.encode(): value.encode() for name, value in encode_post(post).items()}) == post


def channel_message(raw: bytes) -> None:
    """A message that can be sent to browsers, or a ValueError."""
    try:
        message = decode_message(raw)
    except ValueError as error:
        assert str(error)
        return
    assert decode_message(encode_message(message)) == message
    if isinstance(message, AlertMessage):
        assert json.loads(frames.alert(message))["type"] == "alert"
        return
    for post in message.posts:
        assert json.loads(frames.new_post(post))["data"]["post_id"] == post.post.post_id


def dead_letter(raw: bytes) -> None:
    """What was refused is kept within bounds; what lies there, by whomever, can be shown."""
    fields = fields_of(raw)
    kept = record(DeadLetter("1-0", fields, "reason", "in words"))
    assert sum(len(name) + len(value) for name, value in kept.items()) < 1_000_000
    for entry in (kept, fields):
        shown(_letter("1767225600000-0", entry))


def shown(letter: Letter) -> None:
    texts = [letter.reason, letter.error, letter.cut, letter.post_id, letter.source, letter.content, letter.obstacle]
    texts += [*letter.fields, *letter.fields.values()]
    for text in texts:
        text.encode()
    assert letter.deliveries >= 0


ENTRIES = st.dictionaries(
    st.sampled_from(NAMES) | st.binary(max_size=8), hostile.raw_texts() | hostile.times().map(str.encode), max_size=8
).map(lambda changes: raw_fields({**ENTRY, **changes}))
RESULTS = encode_message(ResultsMessage(posts=analysed_posts(2)))
ALERT = encode_message(
    AlertMessage(change="raised", alert={"id": 1, "alert_type": "x", "actual_value": 0.7, "details": {"total": 10}})
)

TARGETS = (
    Target(
        "stream_entry",
        stream_entry,
        [
            raw_fields(ENTRY),
            raw_fields({b"platform": b"x", b"text": b"y", **ENTRY}),
            *(raw_fields({**ENTRY, b"created_at": time.encode()}) for time in hostile.EXTREME_TIMES),
            *(raw_fields({**ENTRY, b"content": blank.encode()}) for blank in hostile.BLANKS.values()),
        ],
        ENTRIES,
    ),
    Target(
        "channel_message",
        channel_message,
        [RESULTS, ALERT, hostile.deep(2_000, "x")],
        st.one_of(
            hostile.nearly(json.loads(RESULTS)).map(str.encode),
            hostile.nearly(json.loads(ALERT)).map(str.encode),
            hostile.raw_texts(),
            st.integers(1, 100_000).map(lambda levels: hostile.deep(levels, "alert")),
        ),
    ),
    Target(
        "dead_letter",
        dead_letter,
        [
            raw_fields(ENTRY),
            raw_fields({b"line": b"{", b"reason": b"r", b"deliveries": b"3", b"cut": b"content"}),
            raw_fields(ENTRY | {b"deliveries": b"9" * 5_000}),
        ],
        ENTRIES,
    ),
)
