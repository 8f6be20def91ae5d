"""The spans of posts in the worker: each in its own trace, none for posts that are not traced."""

import time

from services.common.dead_letters import DeadLetter
from services.worker import post_traces
from services.worker.consumer import Entry
from tests.unit.traced import tracing

NOW_MS = int(time.time() * 1_000)


def entry(number: int, *, sampled: bool = True, queued_ms: int = NOW_MS, read_at: float = NOW_MS / 1_000) -> Entry:
    traceparent = f"00-{number:032x}-00f067aa0ba902b7-0{sampled:d}"
    return Entry(f"{queued_ms}-{number}", {b"traceparent": traceparent.encode()}, read_at=read_at, stream="stream")


def test_traced_posts_have_two_spans_each_and_the_others_none() -> None:
    entries = [entry(1), entry(2, sampled=False), entry(3), Entry("4-0", {}, stream="stream")]
    with tracing() as exported:
        spans = post_traces.begin(entries, "group")
        assert set(spans) == {entries[0].key, entries[2].key}
        post_traces.end(spans)
    traced = {(span.name, span.context.trace_id) for span in exported.spans if span.context}
    assert traced == {(name, number) for name in ("receive stream", "process stream") for number in (1, 3)}


def test_while_traces_are_off_no_post_is_looked_at() -> None:
    assert post_traces.begin([entry(1)], "group") == {}


def test_the_wait_begins_when_the_post_came_into_the_stream() -> None:
    with tracing() as exported:
        post_traces.begin([entry(1, queued_ms=NOW_MS - 5_000)], "group")
    assert exported.named("receive stream").start_time == (NOW_MS - 5_000) * 1_000_000


def test_a_clock_ahead_of_ours_makes_no_wait_that_ends_before_it_begins() -> None:
    with tracing() as exported:
        post_traces.begin([entry(1, queued_ms=NOW_MS + 3_600_000)], "group")
        post_traces.begin([entry(2, queued_ms=10**15)], "group")
    for wait in exported.spans:
        assert wait.start_time
        assert wait.end_time
        assert wait.start_time <= wait.end_time


def test_a_refused_post_says_why_and_its_neighbours_do_not() -> None:
    refused, fine = entry(1), entry(2)
    with tracing() as exported:
        spans = post_traces.begin([refused, fine], "group")
        letter = DeadLetter(refused.stream_id, refused.fields, "too_long", "", stream=refused.stream)
        post_traces.refuse(spans, [letter])
        post_traces.end(spans)
    (failed,) = [span for span in exported.spans if not span.status.is_ok]
    assert failed.context
    assert failed.context.trace_id == 1
    assert (failed.attributes or {})["error.type"] == "too_long"


def test_posts_that_are_left_to_others_end_as_such() -> None:
    with tracing() as exported:
        post_traces.give_up(post_traces.begin([entry(1)], "group"))
    process = exported.named("process stream")
    assert process.attributes
    assert process.attributes["error.type"] == "abandoned"
