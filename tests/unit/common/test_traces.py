"""Spans find their parents across processes, and whatever happens to them, nobody else notices."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from socket import create_server

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Span, SpanKind, get_current_span

from services.common import trace_export, traces
from services.common.logging import add_trace
from services.common.trace_export import MAX_QUEUE_SPANS, SPANS, Exporter, Processor, exporting
from tests.unit.traced import Exported, tracing

SAMPLED = f"00-{'4b' * 16}-00f067aa0ba902b7-01"


@pytest.fixture
def exported() -> Iterator[Exported]:
    with tracing() as exported:
        yield exported


def begin(name: str = "first") -> Span:
    return traces.begin(name, SpanKind.PRODUCER, {})


def parents(exporter: Exported) -> dict[str, str | None]:
    """The name of each span's parent; None where it has none that was exported."""
    spans = exporter.spans
    names = {span.context.span_id: span.name for span in spans if span.context}
    return {span.name: names.get(span.parent.span_id) if span.parent else None for span in spans}


def test_a_span_is_continued_in_another_process(exported: Exported) -> None:
    first = begin()
    with (
        traces.continued(traces.traceparent_of(first), "second", {}, SpanKind.CONSUMER) as second,
        traces.child("third", {}) as third,
    ):
        assert get_current_span() is third
        assert second.is_recording()
    first.end()
    assert parents(exported) == {"first": None, "second": "first", "third": "second"}
    assert len({span.context.trace_id for span in exported.spans if span.context}) == 1


@pytest.mark.usefixtures("exported")
def test_a_line_of_the_log_names_the_trace_in_which_it_is_written() -> None:
    with traces.continued(SAMPLED, "second", {}, SpanKind.CONSUMER):
        assert add_trace(None, "info", {})["trace_id"] == "4b" * 16
    assert add_trace(None, "info", {}) == {}


def test_without_a_current_span_there_is_no_child(exported: Exported) -> None:
    with traces.child("alone", {}) as span:
        assert not span.is_recording()
        assert traces.traceparent_of(span) is None
    assert not exported.spans


def test_a_span_that_has_ended_gets_no_children(exported: Exported) -> None:
    """Work that outlives who asked for it, as a request to Triton whose client has left."""
    with traces.shared([first := begin()]):
        first.end()
        with traces.child("late", {}):
            pass
    assert set(parents(exported)) == {"first"}


def test_shared_work_is_in_the_first_trace_and_links_to_the_others(exported: Exported) -> None:
    spans = [begin(name) for name in ("a", "b", "c")]
    with traces.shared(spans), traces.child("work", {}):
        pass
    (work,) = exported.spans
    assert work.parent == spans[0].get_span_context()
    assert [link.context for link in work.links] == [span.get_span_context() for span in spans[1:]]


def test_an_error_is_told_by_its_class_alone(exported: Exported) -> None:
    with pytest.raises(ValueError, match="secret"), traces.shared([begin()]), traces.child("work", {}):
        raise ValueError("a secret")
    (work,) = exported.spans
    assert not work.status.is_ok
    assert work.attributes == {"error.type": "ValueError"}
    assert "secret" not in work.to_json()


@given(st.text() | st.from_regex(r"00-[0-9a-f]{30,33}-[0-9a-f]{15,17}-0[0-9a-f]", fullmatch=True))
def test_any_text_is_a_sampled_parent_or_none(text: str) -> None:
    found = traces.context_of(text)
    if found is not None:
        about = get_current_span(found).get_span_context()
        assert about.is_valid
        assert about.trace_flags.sampled


@pytest.mark.parametrize("none", ["", "x", SAMPLED[:-1] + "0", SAMPLED.replace("4b", "00"), "ff" + SAMPLED[2:], "é"])
def test_what_is_no_sampled_parent_is_none(none: str) -> None:
    assert traces.context_of(SAMPLED)
    assert traces.context_of(none) is None


def test_while_traces_are_off_nothing_is_one() -> None:
    assert traces.provider() is None
    assert not traces.chosen()
    with traces.continued(SAMPLED, "second", {}, SpanKind.CONSUMER) as span, traces.child("third", {}) as child:
        assert not span.is_recording()
        assert not child.is_recording()
        assert not get_current_span().get_span_context().is_valid


class Slow(SpanExporter):
    """Takes the first batch and no other until it is let."""

    def __init__(self) -> None:
        self.begun, self.let = threading.Event(), threading.Event()
        self.spans = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.begun.set()
        self.let.wait()
        self.spans += len(spans)
        return SpanExportResult.SUCCESS


def counted(outcome: str) -> float:
    return float(SPANS.labels(outcome)._value.get())


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """What goes on in the background after a flush that was given up has ended before the next test."""
    yield
    for thread in threading.enumerate():
        if thread.name == "traces":
            thread.join()


def test_what_waits_is_bounded_and_what_is_dropped_counted() -> None:
    slow, before = Slow(), {outcome: counted(outcome) for outcome in ("exported", "dropped")}
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Processor(Exporter(slow, "http://collector")))
    begun = 0
    with traces.traced_by(provider):
        while not slow.begun.is_set():
            begin().end()
            begun += 1
        for _ in range(2 * MAX_QUEUE_SPANS):
            begin().end()
        begun += 2 * MAX_QUEUE_SPANS
    slow.let.set()
    provider.shutdown()
    dropped = counted("dropped") - before["dropped"]
    assert dropped >= MAX_QUEUE_SPANS
    assert slow.spans == counted("exported") - before["exported"] == begun - dropped


@pytest.mark.timeout(30)
@pytest.mark.usefixtures("nothing_left")
def test_the_end_does_not_wait_for_a_collector_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_export, "FLUSH_TIMEOUT_S", 0.2)
    monkeypatch.setattr(trace_export, "EXPORT_TIMEOUT_S", 300.0)
    with closing(create_server(("127.0.0.1", 0))) as silent:
        with exporting("test", f"http://127.0.0.1:{silent.getsockname()[1]}", 1.0):
            begin().end()
        assert traces.provider() is None


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(("ratio", "expected"), [(0.0, 0), (1.0, 200)])
def test_the_ratio_decides_for_what_begins_here_and_for_nothing_else(
    monkeypatch: pytest.MonkeyPatch, ratio: float, expected: int
) -> None:
    monkeypatch.setattr(trace_export, "FLUSH_TIMEOUT_S", 0.0)
    with exporting("test", "http://127.0.0.1:1", ratio):
        assert sum(traces.chosen() for _ in range(200)) == expected
        with traces.continued(SAMPLED, "second", {}, SpanKind.CONSUMER) as span:
            assert span.is_recording()
