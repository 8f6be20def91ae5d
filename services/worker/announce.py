"""Results for whoever listens: one message a stored batch."""

from collections.abc import Sequence

from opentelemetry.trace import INVALID_SPAN, Span

from services.common.messages import AnalysedPost, ResultsMessage, encode_message
from services.common.traces import traceparent_of


def announcement(posts: Sequence[AnalysedPost], span: Span = INVALID_SPAN) -> bytes | None:
    """The message; None without posts. Nobody listening loses it: the page reads what it missed from the API.

    `span`: what sends it, for those who receive it.
    """
    return encode_message(ResultsMessage(posts=tuple(posts), traceparent=traceparent_of(span))) if posts else None
