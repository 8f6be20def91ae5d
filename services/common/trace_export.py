"""Where spans go: to a collector, over OTLP/HTTP, from a thread of its own. It may be away: no service waits for it.

Loaded only where traces are on.
"""

import logging
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from prometheus_client import Counter

from services.common.logging import get_logger
from services.common.traces import traced_by
from services.common.version import undertone_version

log = get_logger(__name__)

SPANS = Counter(
    "undertone_trace_spans_total",
    "Spans that were exported, that the collector did not take, and that were dropped as too many waited for it",
    ["outcome"],
)
for _outcome in ("exported", "failed", "dropped"):
    SPANS.labels(_outcome)
# Spans that wait, some 2 kB each; further ones are dropped.
MAX_QUEUE_SPANS = 4_096
MAX_BATCH_SPANS = 512
EXPORT_INTERVAL_S = 1.0
# Of one batch, repetitions included; then the batch is given up.
EXPORT_TIMEOUT_S = 5.0
# What a service that is told to stop waits at most for the collector to take what is left.
FLUSH_TIMEOUT_S = 3.0


class Exporter(SpanExporter):
    """Another exporter's results, counted, and told once when they change: not with every batch."""

    def __init__(self, inner: SpanExporter, endpoint: str) -> None:
        self._inner = inner
        self._endpoint = endpoint
        self._works = True
        self.taken = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.taken += len(spans)
        result = self._inner.export(spans)
        works = result is SpanExportResult.SUCCESS
        SPANS.labels("exported" if works else "failed").inc(len(spans))
        if works != self._works:
            self._works = works
            if works:
                log.info("traces are exported again", endpoint=self._endpoint)
            else:
                log.warning("traces are lost: no collector takes them; check TRACES_ENDPOINT", endpoint=self._endpoint)
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()


class Processor(BatchSpanProcessor):
    """The library's, which drops spans where too many wait; here they are counted."""

    def __init__(self, exporter: Exporter) -> None:
        super().__init__(
            exporter,
            max_queue_size=MAX_QUEUE_SPANS,
            schedule_delay_millis=1_000 * EXPORT_INTERVAL_S,
            max_export_batch_size=MAX_BATCH_SPANS,
        )
        self._exporter = exporter
        self._ended = 0

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        # From the web framework. What people search for is in no log either.
        if "url.query" in (span.attributes or {}):
            span.set_attribute("url.query", "REDACTED")

    def on_end(self, span: ReadableSpan) -> None:
        if self._ended - self._exporter.taken >= MAX_QUEUE_SPANS:
            SPANS.labels("dropped").inc()
            return
        self._ended += 1
        super().on_end(span)


@contextmanager
def exporting(service: str, endpoint: str, sample_ratio: float) -> Iterator[None]:
    """Traces are on while the block runs; at its end what waits is exported, within FLUSH_TIMEOUT_S.

    `endpoint`: http://host:port of a collector. `sample_ratio`: of what begins here (`traces.chosen`); of what comes
    from elsewhere it has been decided there.
    """
    # Several lines for each batch; ours is one.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    exporter = Exporter(OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=EXPORT_TIMEOUT_S), endpoint)
    provider = TracerProvider(
        sampler=ParentBased(ALWAYS_ON),
        resource=Resource.create(
            {
                "service.name": f"undertone-{service}",
                "service.version": undertone_version(),
                "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
            }
        ),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(Processor(exporter))
    try:
        with traced_by(provider, sample_ratio):
            yield
    finally:
        # The library would wait for half a minute.
        flushing = threading.Thread(target=provider.shutdown, name="traces", daemon=True)
        flushing.start()
        flushing.join(FLUSH_TIMEOUT_S)
        if flushing.is_alive():
            # No repetition after this one.
            exporter.shutdown()
