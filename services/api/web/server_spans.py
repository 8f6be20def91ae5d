"""Which requests have a span of the web framework's own, while traces are on."""

from collections.abc import MutableMapping
from typing import Any

from fastapi.telemetry import TelemetryConfig
from starlette.datastructures import Headers

from services.common.traces import TRACEPARENT, chosen, provider

PATHS = ("/api/", "/predict", "/models/")
# Asked every few seconds, by machines.
QUIET_PATHS = frozenset({"/api/health"})


def server_spans() -> TelemetryConfig:
    """Spans of requests to the API and nothing else: metrics and the log are ours, live connections last for hours."""
    traces = provider()
    return TelemetryConfig(
        tracer_provider=traces,
        tracing=traces is not None,
        metrics=False,
        logs=False,
        operation_spans=False,
        auto_configure=False,
        exclude=_is_left_out,
    )


def _is_left_out(scope: MutableMapping[str, Any]) -> bool:
    path: str = scope["path"]
    if scope["type"] != "http" or path in QUIET_PATHS or not path.startswith(PATHS):
        return True
    # Where the client brings a trace, it has decided.
    return TRACEPARENT not in Headers(scope=scope) and not chosen()
