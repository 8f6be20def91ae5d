"""Posts as CSV, as one JSON array, or as a JSON object a line (NDJSON), each in UTF-8 without a byte order mark."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

from services.api.schemas.general import Post

FormatName = Literal["csv", "json", "ndjson"]

COLUMNS = (
    "post_id",
    "source",
    "author",
    "created_at",
    "ingested_at",
    "content",
    "sentiment",
    "confidence",
    "emotion",
    "emotion_confidence",
    "model_name",
    "model_version",
)
# A cell that begins so is a formula to a spreadsheet, which could send the sheet's other cells somewhere; the last
# four, full-width ones, are taken for = + - @ where East Asian text is typed
# (owasp.org/www-community/attacks/CSV_Injection). With a ' before it, it is text. Text that begins with a ' gets one,
# too: taking away one ' always gives the text.
FORMULAS = tuple("'=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


class Format(Protocol):
    """The pieces of a file: `begin`, rows, `end`; `broken` instead where the file cannot be completed.

    No reader takes a file with `broken` for a whole one, even where the connection does not tell.
    """

    media_type: str
    begin: bytes
    end: bytes
    broken: bytes

    def rows(self, posts: Sequence[Post], *, are_first: bool) -> bytes: ...


class Csv:
    """RFC 4180: a header, CRLF, quotes where they are needed."""

    media_type = "text/csv; charset=utf-8; header=present"
    begin = (",".join(COLUMNS) + "\r\n").encode()
    end = b""
    broken = b'"incomplete: the rest could not be read'  # a quote that never ends

    def rows(self, posts: Sequence[Post], *, are_first: bool) -> bytes:
        text = io.StringIO()
        csv.writer(text).writerows(map(_cells, posts))
        return text.getvalue().encode()


class Json:
    """An array of posts as `/api/posts` has them."""

    media_type = "application/json"
    begin = b"["
    end = b"]\n"
    broken = b""  # without the end it is no JSON

    def rows(self, posts: Sequence[Post], *, are_first: bool) -> bytes:
        between = b"" if are_first or not posts else b",\n"
        return between + b",\n".join(post.model_dump_json().encode() for post in posts)


class NdJson:
    """Such a post on each line."""

    media_type = "application/x-ndjson"
    begin = b""
    end = b""
    broken = b'{"incomplete": "the rest could not be read"'

    def rows(self, posts: Sequence[Post], *, are_first: bool) -> bytes:
        return b"".join(post.model_dump_json().encode() + b"\n" for post in posts)


FORMATS: dict[FormatName, Format] = {"csv": Csv(), "json": Json(), "ndjson": NdJson()}


def _cells(post: Post) -> list[str]:
    sentiment = post.sentiment
    analysis = [""] * 6
    if sentiment is not None:
        analysis = [
            _text(sentiment.label),
            str(sentiment.confidence),
            _text(sentiment.emotion or ""),
            "" if sentiment.emotion_confidence is None else str(sentiment.emotion_confidence),
            _text(sentiment.model_name),
            str(sentiment.model_version),
        ]
    return [
        _text(post.post_id),
        _text(post.source),
        _text(post.author),
        _time(post.created_at),
        _time(post.ingested_at),
        _text(post.content),
        *analysis,
    ]


def _text(value: str) -> str:
    return f"'{value}" if value.startswith(FORMULAS) else value


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
