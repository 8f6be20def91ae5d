"""The spans with which traced posts begin."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry.trace import Link, Span, SpanKind, set_span_in_context

from services.common import traces
from services.common.messages import AuthorDeletion, Deletion, Published


@contextmanager
def publishing(streams: Sequence[str], posts: Sequence[Published]) -> Iterator[Mapping[int, str]]:
    """Around what adds each post to its stream: the traceparent of those that are traced, by their place."""
    spans = _begin(streams, posts) if traces.provider() else {}
    if not spans:
        yield {}
        return
    try:
        with _together(streams[0], posts, list(spans.values())):
            yield {place: traces.traceparent_of(span) or "" for place, span in spans.items()}
    except BaseException as error:
        for span in spans.values():
            traces.failed(span, type(error).__qualname__)
        raise
    finally:
        for span in spans.values():
            span.end()


def _begin(streams: Sequence[str], posts: Sequence[Published]) -> dict[int, Span]:
    operation = "publish" if len(posts) == 1 else "create"
    return {
        place: traces.begin(
            f"{operation} {stream}",
            SpanKind.PRODUCER,
            {
                "messaging.system": "redis",
                "messaging.operation.name": operation,
                "messaging.operation.type": operation,
                "messaging.destination.name": stream,
                "undertone.post.id": "" if isinstance(post, AuthorDeletion) else post.post_id,
                "undertone.post.source": "" if isinstance(post, Deletion) else post.source,
            },
        )
        for place, (stream, post) in enumerate(zip(streams, posts, strict=True))
        if traces.chosen()
    }


@contextmanager
def _together(stream: str, posts: Sequence[Published], spans: Sequence[Span]) -> Iterator[None]:
    """One span for the round trip of several posts: in the trace of the first, with links to all."""
    if len(posts) == 1:
        yield
        return
    attributes: traces.Attributes = {
        "messaging.system": "redis",
        "messaging.operation.name": "publish",
        "messaging.operation.type": "publish",
        "messaging.destination.name": stream,
        "messaging.batch.message_count": len(posts),
    }
    links = [Link(span.get_span_context()) for span in spans]
    span = traces.begin(
        f"publish {stream}", SpanKind.CLIENT, attributes, within=set_span_in_context(spans[0]), links=links
    )
    try:
        yield
    finally:
        span.end()
