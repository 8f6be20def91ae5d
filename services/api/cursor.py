"""The place in the list of posts where a page ended, opaque to clients."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from services.api.web.errors import InvalidParameter

MAX_ID = 2**63 - 1


def encode_cursor(last_id: int) -> str:
    return urlsafe_b64encode(str(last_id).encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> int:
    """The id after which the page begins; InvalidParameter if the text was not made by `encode_cursor`."""
    try:
        last_id = int(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:  # binascii.Error is one
        last_id = 0
    # Comparing with our own spelling rejects what the lenient decoders let through (spaces, signs, zeros in front).
    if not 0 < last_id <= MAX_ID or encode_cursor(last_id) != cursor:
        raise InvalidParameter("cursor: not one of ours; take next_cursor from the page before")
    return last_id
