"""A stream entry becomes a valid post or a MalformedPost that says why; nothing in between."""

import json
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import MalformedPost
from services.common.messages import (
    MAX_ALERT_LEVELS,
    MAX_CONTENT_CHARS,
    MAX_EPOCH_MS,
    AlertMessage,
    AnalysedPost,
    Analysis,
    AuthorDeletion,
    Deletion,
    Post,
    ResultsMessage,
    decode_entry,
    decode_message,
    decode_post,
    encode_deletion,
    encode_message,
    encode_post,
)
from tests import hostile

FIELDS = {
    b"post_id": b"reddit-1",
    b"source": b"reddit",
    b"content": "schön 😀".encode(),
    b"author": b"ada",
    b"created_at": b"2026-01-02T03:04:05.678+00:00",
}


def raw(post: Post) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in encode_post(post).items()}


@given(
    st.builds(
        Post,
        post_id=hostile.storable_texts(255),
        source=hostile.storable_texts(50),
        content=hostile.storable_texts(2_000),
        author=st.just("") | hostile.storable_texts(255),
        created_at=st.datetimes(timezones=st.just(UTC)).filter(lambda moment: 1 < moment.year < 9999),
    )
)
def test_what_is_published_is_what_is_read(post: Post) -> None:
    assert decode_post(raw(post)) == post


@given(
    st.builds(Deletion, post_id=hostile.storable_texts(255))
    | st.builds(
        AuthorDeletion,
        source=hostile.storable_texts(50),
        author=hostile.storable_texts(255),
        until=st.datetimes(timezones=st.just(UTC)).filter(lambda moment: 1 < moment.year < 9999),
    )
)
def test_a_deletion_that_is_published_is_what_is_read(deletion: Deletion | AuthorDeletion) -> None:
    fields = {name.encode(): value.encode() for name, value in encode_deletion(deletion).items()}
    assert decode_entry(fields) == deletion


def test_an_entry_of_any_other_type_is_a_post_and_a_deletion_needs_an_id() -> None:
    for extra in ({}, {b"type": b"post"}, {b"type": b"DELETE"}):
        assert isinstance(decode_entry({**FIELDS, **extra}), Post)
    for wrong, reason in (
        ({}, "missing_field"),
        ({b"post_id": b" "}, "empty_field"),
        ({b"post_id": b"\xff"}, "invalid_utf8"),
    ):
        with pytest.raises(MalformedPost) as refused:
            decode_entry({b"type": b"delete", **wrong})
        assert refused.value.reason == reason


AUTHOR = {b"type": b"delete", b"source": b"bluesky", b"author": b"did:plc:mole", b"until": b"2026-01-02T03:04:05Z"}


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        (b"source", None, "missing_field"),
        (b"source", b" ", "empty_field"),
        (b"source", b"s" * 51, "too_long"),
        (b"author", b"", "empty_field"),
        (b"author", b"\xff", "invalid_utf8"),
        (b"author", b"a\x00", "nul_character"),
        (b"author", b"a" * 256, "too_long"),
        (b"until", None, "missing_field"),
        (b"until", b"yesterday", "invalid_timestamp"),
        (b"until", b"9999-12-31T23:59:59.999999Z", "invalid_timestamp"),
    ],
)
def test_a_deletion_of_an_author_needs_all_of_it(field: bytes, value: bytes | None, reason: str) -> None:
    fields = {name: known for name, known in (AUTHOR | {field: value}).items() if known is not None}
    with pytest.raises(MalformedPost) as refused:
        decode_entry(fields)
    assert (refused.value.reason, refused.value.field) == (reason, field.decode())


def test_an_id_beside_an_author_means_that_post_alone() -> None:
    assert decode_entry(AUTHOR | {b"post_id": b"p"}) == Deletion(post_id="p")


@pytest.mark.parametrize("content", hostile.TEXTS.values(), ids=hostile.TEXTS)
def test_a_text_is_read_as_it_was_written_whatever_is_in_it(content: str) -> None:
    assert decode_post({**FIELDS, b"content": content.encode()}).content == content


@pytest.mark.parametrize("blank", hostile.BLANKS.values(), ids=hostile.BLANKS)
@pytest.mark.parametrize("name", [b"content", b"source", b"post_id"])
def test_a_text_of_which_nothing_is_seen_is_none(name: bytes, blank: str) -> None:
    """A model would judge nothing, a reader would see nothing, and the score would look like one."""
    with pytest.raises(MalformedPost) as refusal:
        decode_post({**FIELDS, name: blank.encode()})
    assert refusal.value.reason == "empty_field"


@pytest.mark.parametrize("blank", hostile.BLANKS.values(), ids=hostile.BLANKS)
def test_a_name_of_which_nothing_is_seen_costs_no_post(blank: str) -> None:
    assert decode_post({**FIELDS, b"author": blank.encode()}).author == ""


@pytest.mark.parametrize("written", hostile.NO_TIMES, ids=range(len(hostile.NO_TIMES)))
def test_what_is_no_time_is_refused_in_few_words(written: str) -> None:
    with pytest.raises(MalformedPost) as refusal:
        decode_post({**FIELDS, b"created_at": written.encode()})
    assert refusal.value.reason == "invalid_timestamp"
    assert len(str(refusal.value)) < 500


@pytest.mark.parametrize("written", hostile.EXTREME_TIMES)
def test_a_time_of_any_year_that_a_calendar_has_is_read(written: str) -> None:
    created_at = decode_post({**FIELDS, b"created_at": written.encode()}).created_at
    assert created_at == datetime.fromisoformat(written)
    assert created_at.utcoffset() == timedelta(0)


def test_megabytes_are_refused_by_their_length() -> None:
    huge = b" " * 10_000_000
    for name in (b"post_id", b"source", b"content", b"author"):
        with pytest.raises(MalformedPost) as refusal:
            decode_post({**FIELDS, name: huge})
        assert refusal.value.reason == "too_long"
    with pytest.raises(MalformedPost) as refusal:
        decode_post({**FIELDS, b"created_at": huge})
    assert len(str(refusal.value)) < 500


def test_a_field_under_both_of_its_names_is_what_the_first_says() -> None:
    both = {**FIELDS, b"text": b"another", b"platform": b"elsewhere"}
    assert (decode_post(both).content, decode_post(both).source) == ("schön 😀", "reddit")
    with pytest.raises(MalformedPost) as refusal:
        decode_post({**both, b"content": b""})
    assert refusal.value.reason == "empty_field"


def test_platform_and_text_are_accepted_for_source_and_content() -> None:
    fields = {b"post_id": b"1", b"platform": b"x", b"text": b"hello", b"created_at": b"2026-01-02T03:04:05Z"}
    post = decode_post(fields)
    assert (post.source, post.content, post.author) == ("x", "hello", "")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({b"content": None}, "missing_field"),
        ({b"post_id": None}, "missing_field"),
        ({b"source": None}, "missing_field"),
        ({b"created_at": None}, "missing_field"),
        ({b"content": b""}, "empty_field"),
        ({b"content": b" \n\t"}, "empty_field"),
        ({b"content": b"x" * (MAX_CONTENT_CHARS + 1)}, "too_long"),
        ({b"post_id": b"x" * 256}, "too_long"),
        ({b"source": b"x" * 51}, "too_long"),
        ({b"author": b"x" * 256}, "too_long"),
        ({b"content": b"\xff\xfe"}, "invalid_utf8"),
        ({b"author": b"\xc3"}, "invalid_utf8"),
        ({b"content": b"a\x00b"}, "nul_character"),
        ({b"created_at": b"yesterday"}, "invalid_timestamp"),
        ({b"created_at": b"0001-01-01T00:00:00+14:00"}, "invalid_timestamp"),
    ],
)
def test_refusals_have_their_reason(change: dict[bytes, bytes | None], reason: str) -> None:
    fields = {name: value for name, value in {**FIELDS, **change}.items() if value is not None}
    with pytest.raises(MalformedPost) as refusal:
        decode_post(fields)
    assert refusal.value.reason == reason


def test_the_longest_content_is_accepted() -> None:
    assert len(decode_post({**FIELDS, b"content": b"x" * MAX_CONTENT_CHARS}).content) == MAX_CONTENT_CHARS


@pytest.mark.parametrize("written", [b"2026-01-02T03:04:05", b"2026-01-02T05:04:05+02:00", b"2026-01-02T03:04:05Z"])
def test_times_become_utc_and_those_without_offset_are_taken_as_utc(written: bytes) -> None:
    created_at = decode_post({**FIELDS, b"created_at": written}).created_at
    assert created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert created_at.tzinfo in (UTC, timezone(timedelta(0)))


def test_messages_of_the_channel_survive_the_way() -> None:
    post = decode_post(FIELDS)
    analysis = Analysis(
        model_name="m", sentiment_label="positive", confidence=0.5, emotion="joy", emotion_confidence=0.25
    )
    results = ResultsMessage(posts=(AnalysedPost(post=post, analysis=analysis, analysed_at=datetime.now(UTC)),))
    alert = AlertMessage(change="raised", alert={"id": 1})
    assert decode_message(encode_message(results)) == results
    assert decode_message(encode_message(alert)) == alert


def test_a_message_of_an_older_worker_has_no_versions() -> None:
    analysis = Analysis(
        model_name="m", sentiment_label="positive", confidence=0.5, emotion="joy", emotion_confidence=0.25
    )
    analysed = AnalysedPost(post=decode_post(FIELDS), analysis=analysis, analysed_at=datetime.now(UTC))
    raw_message = msgspec.json.decode(encode_message(ResultsMessage(posts=(analysed,))))
    for name in ("model_version", "emotion_model_name", "emotion_model_version"):
        del raw_message["posts"][0]["analysis"][name]
    assert decode_message(msgspec.json.encode(raw_message)) == ResultsMessage(posts=(analysed,))


def test_an_older_worker_and_an_older_api_do_without_the_moment_of_queueing() -> None:
    """The one does not send it, the other does not know it."""
    analysis = Analysis(
        model_name="m", sentiment_label="positive", confidence=0.5, emotion="joy", emotion_confidence=0.25
    )
    plain = AnalysedPost(post=decode_post(FIELDS), analysis=analysis, analysed_at=datetime.now(UTC))
    queued = msgspec.structs.replace(plain, queued_ms=1_767_225_600_123)
    raw_message = msgspec.json.decode(encode_message(ResultsMessage(posts=(queued,))))
    raw_message["posts"][0]["of_a_newer_version"] = [1]
    assert decode_message(msgspec.json.encode(raw_message)) == ResultsMessage(posts=(queued,))
    del raw_message["posts"][0]["queued_ms"]
    assert decode_message(msgspec.json.encode(raw_message)) == ResultsMessage(posts=(plain,))
    for no_time in (-1, MAX_EPOCH_MS + 1, 10**400, "soon"):
        raw_message["posts"][0]["queued_ms"] = no_time
        with pytest.raises(ValueError, match=r".+"):
            decode_message(json.dumps(raw_message).encode())


def test_a_message_names_its_trace_only_if_it_is_traced() -> None:
    """Older workers name none, and older APIs ignore it."""
    plain = ResultsMessage(posts=())
    assert "traceparent" not in msgspec.json.decode(encode_message(plain))
    traced = ResultsMessage(posts=(), traceparent="00-1-2-01")
    assert decode_message(encode_message(plain)) == plain
    assert decode_message(encode_message(traced)) == traced


@pytest.mark.parametrize("junk", [b"", b"{}", b'{"type":"other"}', b"\xff", b'{"type":"results","posts":[{}]}'])
def test_other_messages_of_the_channel_are_refused(junk: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode_message(junk)


@pytest.mark.parametrize(
    "raw_message",
    [
        hostile.deep(100_000),
        hostile.deep(100_000, "x"),
        b'{"type":"alert","change":"raised","alert":' + hostile.deep(100_000, "details") + b"}",
        b'{"type":"alert","change":"raised","alert":' + hostile.deep(MAX_ALERT_LEVELS, "details") + b"}",
        b'{"type":"alert","change":"raised","alert":{"actual_value":1e400}}',
        b'{"type":"alert","change":"raised","alert":{"actual_value":NaN}}',
    ],
    ids=range(6),
)
def test_a_message_that_browsers_could_not_be_sent_is_refused(raw_message: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode_message(raw_message)


def test_an_alert_may_be_nested_as_deeply_as_its_limit() -> None:
    nested = b'{"type":"alert","change":"raised","alert":' + hostile.deep(MAX_ALERT_LEVELS - 1, "details") + b"}"
    message = decode_message(nested)
    assert decode_message(encode_message(message)) == message
