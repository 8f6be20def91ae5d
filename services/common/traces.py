"""Traces: a post's way from the ingester to the browsers as OpenTelemetry's spans. Off without TRACES_ENDPOINT.

Whether a post is traced is decided where its way begins, and travels with it as a W3C `traceparent`: in its stream
entry, in the metadata of requests to Triton, in the message to the API. While nothing is traced, every function here
returns at once.

Names are those of OpenTelemetry's semantic conventions 1.45. A span tells of posts by their ids, never by their words;
of an error, its class and not its message, which may quote them.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from opentelemetry import context
from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    Span,
    SpanKind,
    StatusCode,
    TracerProvider,
    get_current_span,
    set_span_in_context,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

Attributes = Mapping[str, str | int | float | bool]

TRACEPARENT = "traceparent"
_NOTHING: AbstractContextManager[Span] = nullcontext(INVALID_SPAN)
_LINKS = context.create_key("undertone.links")
_propagator = TraceContextTextMapPropagator()
_provider: TracerProvider | None = None
_sample_ratio = 1.0


@contextmanager
def traced_by(provider: TracerProvider, sample_ratio: float = 1.0) -> Iterator[None]:
    """Traces are on while the block runs; the provider stays the caller's to shut down. It records whatever begins."""
    global _provider, _sample_ratio  # like the registry of metrics, one for the process
    before = _provider, _sample_ratio
    _provider, _sample_ratio = provider, sample_ratio
    try:
        yield
    finally:
        _provider, _sample_ratio = before


def provider() -> TracerProvider | None:
    """None while traces are off."""
    return _provider


def chosen() -> bool:
    """Whether what begins here is to be traced: so decided, the many that are not cost no span that is thrown away."""
    return _provider is not None and random.random() < _sample_ratio


def begin(
    name: str,
    kind: SpanKind,
    attributes: Attributes,
    *,
    within: Context | None = None,
    links: Sequence[Link] = (),
    start_ns: int | None = None,
) -> Span:
    """A span that the caller ends; traces must be on. `within`: the context of its parent; by default it has none.
    `start_ns`: since the epoch, by default now.
    """
    assert _provider is not None
    tracer = _provider.get_tracer("undertone")
    return tracer.start_span(name, within or Context(), kind, dict(attributes), links, start_ns)


def child(name: str, attributes: Attributes, kind: SpanKind = SpanKind.INTERNAL) -> AbstractContextManager[Span]:
    """A span within the current one, and the current one while the block runs; nothing where nothing is traced."""
    if _provider is None or not get_current_span().is_recording():
        return _NOTHING
    links = context.get_value(_LINKS)
    span = begin(name, kind, attributes, within=context.get_current(), links=links if isinstance(links, tuple) else ())
    return _current(span)


def continued(
    traceparent: str | None, name: str, attributes: Attributes, kind: SpanKind
) -> AbstractContextManager[Span]:
    """The same within a span of another process; nothing where that is not traced."""
    parent = context_of(traceparent) if _provider is not None and traceparent else None
    return _NOTHING if parent is None else _current(begin(name, kind, attributes, within=parent))


def shared(spans: Sequence[Span]) -> AbstractContextManager[object]:
    """Work that is done for several posts together: it is in the trace of the first one, and its parts link to the
    others. Nothing without spans.
    """
    return _shared(spans) if spans else _NOTHING


def context_of(traceparent: str) -> Context | None:
    """The context of a sampled span of another process; None for any other text."""
    found = _propagator.extract({TRACEPARENT: traceparent}, Context())
    return found if get_current_span(found).get_span_context().trace_flags.sampled else None


def traceparent_of(span: Span) -> str | None:
    """How it is written for another process; None where it is not traced."""
    if not span.is_recording():
        return None
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, set_span_in_context(span))
    return carrier[TRACEPARENT]


def failed(span: Span, error_type: str) -> None:
    span.set_attribute("error.type", error_type)
    span.set_status(StatusCode.ERROR)


@contextmanager
def _current(span: Span) -> Iterator[Span]:
    """Ends it with the block."""
    with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield span
        except BaseException as error:
            failed(span, type(error).__qualname__)
            raise


@contextmanager
def _shared(spans: Sequence[Span]) -> Iterator[None]:
    first, *others = spans
    links = tuple(Link(span.get_span_context()) for span in others)
    token = context.attach(context.set_value(_LINKS, links))
    try:
        with use_span(first, end_on_exit=False, record_exception=False, set_status_on_exception=False):
            yield
    finally:
        context.detach(token)
