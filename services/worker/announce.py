"""Results for whoever listens: one message a stored batch."""

from collections.abc import Sequence

from services.common.messages import AnalysedPost, ResultsMessage, encode_message


def announcement(posts: Sequence[AnalysedPost]) -> bytes | None:
    """The message; None without posts. Nobody listening loses it: the page reads what it missed from the API."""
    return encode_message(ResultsMessage(posts=tuple(posts))) if posts else None
