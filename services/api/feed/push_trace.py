"""The last span of a traced post: its frame is put into the queue of every browser."""

from contextlib import AbstractContextManager

from opentelemetry.trace import Span, SpanKind

from services.common.messages import AlertMessage, ResultsMessage
from services.common.streams import RESULTS_CHANNEL
from services.common.traces import Attributes, continued


def pushing(message: ResultsMessage | AlertMessage, clients: int) -> AbstractContextManager[Span]:
    """Around what hands a message to so many browsers."""
    traceparent = message.traceparent if isinstance(message, ResultsMessage) else None
    attributes: Attributes = {
        "messaging.system": "redis",
        "messaging.operation.name": "push",
        "messaging.operation.type": "process",
        "messaging.destination.name": RESULTS_CHANNEL,
        "undertone.websocket.clients": clients,
    }
    return continued(traceparent, f"push {RESULTS_CHANNEL}", attributes, SpanKind.CONSUMER)
