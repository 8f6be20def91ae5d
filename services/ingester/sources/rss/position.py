"""How far a feed was read."""

from collections.abc import Sequence

import msgspec

# Of a document, the first so many, which are the newest wherever feeds keep to the custom; those behind are not read.
MAX_ENTRIES = 1_000
# An entry that is gone from a feed and comes again is known, as far as these go back.
MAX_KEYS = 2 * MAX_ENTRIES
MAX_HEADER_CHARS = 500


class Position(msgspec.Struct, frozen=True):
    """`etag` and `modified`: of the newest document, as its server sent them. `keys`: of entries that were given."""

    etag: str = ""
    modified: str = ""
    keys: tuple[str, ...] = ()

    def after(self, etag: str | None, modified: str | None, keys: Sequence[str]) -> "Position":
        """Behind a document with these headers and entries."""
        return Position(_to_send(etag), _to_send(modified), tuple(dict.fromkeys([*keys, *self.keys]))[:MAX_KEYS])


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Position)


def encode(position: Position) -> str:
    return _encoder.encode(position).decode()


def decode(text: str | None) -> Position:
    """One that has given nothing where there is none, or none that a version of ours has written."""
    try:
        return _decoder.decode((text or "{}").encode("utf-8", "replace"))
    except (msgspec.DecodeError, RecursionError):
        return Position()


def _to_send(header: str | None) -> str:
    """Empty for what could not be sent back as it came."""
    is_fit = header and header.isascii() and header.isprintable() and len(header) <= MAX_HEADER_CHARS
    return header if header and is_fit else ""
