"""The spans of traced posts in the worker: how long each waited in the stream, and how long until it was acknowledged.

A batch has posts of several traces. Each has these two spans in its own; what is done for all of them together is in
the trace of the first (`traces.shared`).
"""

from collections.abc import Iterable, Mapping, Sequence

from opentelemetry.trace import Span, SpanKind, set_span_in_context

from services.common import traces
from services.common.dead_letters import DeadLetter
from services.common.traces import TRACEPARENT
from services.worker.consumer import Entry

# By stream and entry.
Spans = Mapping[tuple[str, str], Span]
NO_SPANS: Spans = {}


def begin(entries: Sequence[Entry], group: str) -> Spans:
    """A span of each traced post that is about to be analysed; its wait has ended."""
    if traces.provider() is None:
        return NO_SPANS
    spans = {}
    for entry in entries:
        raw = entry.fields.get(TRACEPARENT.encode())
        parent = traces.context_of(raw.decode("ascii", "replace")) if raw else None
        if parent is None:
            continue
        about: dict[str, str | int] = {
            "messaging.system": "redis",
            "messaging.destination.name": entry.stream,
            "messaging.consumer.group.name": group,
            "messaging.message.id": entry.stream_id,
            "undertone.deliveries": entry.deliveries,
        }
        # Two clocks, Redis's and ours, may disagree: nothing is read before it is there.
        queued_ms = entry.queued_ms
        read_ns = int(entry.read_at * 1e9)
        queued_ns = read_ns if queued_ms is None else min(queued_ms * 1_000_000, read_ns)
        receiving = about | {"messaging.operation.name": "receive", "messaging.operation.type": "receive"}
        wait = traces.begin(f"receive {entry.stream}", SpanKind.CONSUMER, receiving, within=parent, start_ns=queued_ns)
        wait.end()
        processing = about | {
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.batch.message_count": len(entries),
        }
        spans[entry.key] = traces.begin(
            f"process {entry.stream}", SpanKind.CONSUMER, processing, within=set_span_in_context(wait)
        )
    return spans


def refuse(spans: Spans, letters: Iterable[DeadLetter]) -> None:
    """Says in the spans of posts that became dead letters why."""
    if spans:
        for letter in letters:
            if span := spans.get((letter.stream, letter.stream_id)):
                traces.failed(span, letter.reason)


def end(spans: Spans) -> None:
    for span in spans.values():
        span.end()


def give_up(spans: Spans) -> None:
    """Left unacknowledged: another worker takes them over."""
    for span in spans.values():
        traces.failed(span, "abandoned")
    end(spans)
