"""JSON Lines: one object a line."""

import re
from collections.abc import Iterator

import msgspec

from services.common.errors import MalformedPost
from services.common.messages import Post
from services.ingester.sources.base import Malformed
from services.ingester.sources.files.lines import MAX_LINE_BYTES, Line, LineSource, lines
from services.ingester.sources.files.records import to_post, unreadable


class Record(msgspec.Struct, frozen=True):
    """One line as it may be written. Some exports give ids as numbers."""

    post_id: str | int | None = None
    source: str | None = None
    platform: str | None = None
    content: str | None = None
    text: str | None = None
    author: str | None = None
    created_at: str | None = None


_decoder = msgspec.json.Decoder(Record)
_FIELD_OF = re.compile(r"at `\$\.(\w+)`")


def read(file: LineSource, file_name: str) -> Iterator[Post | Malformed]:
    """A post or a dead letter for every line that is not blank; DamagedFile where the file cannot be read on."""
    for line in lines(file):
        if not line.raw.isspace():
            yield _item(line, f"{file_name} line {line.number}")


def _item(line: Line, place: str) -> Post | Malformed:
    if line.too_long:
        return unreadable("line_too_long", f"the line has more than {MAX_LINE_BYTES:,} bytes", place, line.raw)
    try:
        fields = fields_of(line.raw)
    except MalformedPost as error:
        return unreadable(error.reason, str(error), place, line.raw)
    return to_post(fields, place)


def fields_of(raw: bytes | msgspec.Raw, what: str = "the line") -> dict[str, str | None]:
    """The fields of an object of JSON, named as in FIELDS. MalformedPost says why it is none, and calls it `what`."""
    try:
        record = _decoder.decode(raw)
    except msgspec.ValidationError as error:
        found = _FIELD_OF.search(str(error))
        raise MalformedPost("wrong_type", str(error), found[1] if found else "") from None
    except UnicodeDecodeError as error:
        raise MalformedPost("invalid_utf8", f"{what} is not UTF-8: {error.reason}") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise MalformedPost("invalid_json", f"{what} is no JSON object: {error}") from None
    return {
        "post_id": None if record.post_id is None else str(record.post_id),
        "source": record.platform if record.source is None else record.source,
        "content": record.text if record.content is None else record.content,
        "author": record.author,
        "created_at": record.created_at,
    }
