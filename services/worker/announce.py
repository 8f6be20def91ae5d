"""Results for whoever listens: one message a stored batch."""

from collections.abc import Sequence

from opentelemetry.trace import INVALID_SPAN, Span

from services.common.messages import AnalysedPost, ResultsMessage, encode_message
from services.common.traces import traceparent_of


def announcement(posts: Sequence[AnalysedPost], deleted: Sequence[str] = (), span: Span = INVALID_SPAN) -> bytes | None:
    """The message; None where there is nothing to say. Nobody listening loses it: the page reads what it missed from
    the API.

    `deleted`: ids of posts. `span`: what sends it, for those who receive it.
    """
    if not posts and not deleted:
        return None
    return encode_message(ResultsMessage(posts=tuple(posts), deleted=tuple(deleted), traceparent=traceparent_of(span)))
