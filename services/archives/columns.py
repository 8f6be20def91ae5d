"""Which columns of an archive are what, and the post or the refusal that a record becomes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from services.common.errors import MalformedPost
from services.common.messages import Post
from services.ingester.sources.base import Malformed
from services.ingester.sources.files.records import derived_post_id, malformed, to_post

# Where nothing else is said, the names that recordings and exports use.
USUAL = {
    "content": ("content", "text"),
    "post_id": ("post_id",),
    "source": ("source", "platform"),
    "author": ("author",),
    "created_at": ("created_at",),
}
OPTIONS = {name: f"--{option}-column" for name, option in (("content", "text"), ("post_id", "id"))} | {
    name: f"--{name.replace('_', '-')}-column" for name in ("source", "author", "created_at")
}
# Of a post that only goes into a file, which does not hold them.
NO_SOURCE, NO_TIME = "backfill", "1970-01-01T00:00:00+00:00"


@dataclass(frozen=True)
class Columns:
    """`named`: the column of a field (a key of USUAL), where the user named one. `source`: of posts that have none.

    `whole`: posts have to have a source and a time, as PostgreSQL asks.
    """

    named: Mapping[str, str]
    source: str = ""
    whole: bool = False

    def names(self, field: str) -> tuple[str, ...]:
        """The columns that may hold the field, the first one that is there counts."""
        return (self.named[field],) if field in self.named else USUAL[field]

    def wanted(self) -> frozenset[str]:
        """All columns that may be read."""
        return frozenset(name for field in USUAL for name in self.names(field))

    def missing(self, there: frozenset[str]) -> str:
        """What a table with these columns lacks, in a sentence; empty if it can be read."""
        for field in ("content", *self.named, *(("created_at",) if self.whole else ())):
            names = self.names(field)
            if not there.intersection(names):
                found = ", ".join(sorted(there)[:20]) or "none"
                return f"there is no column {' or '.join(names)}; name it with {OPTIONS[field]} (there are: {found})"
        return ""

    def post(self, record: Mapping[str, object], place: str) -> Post | Malformed:
        """The post of a record, whose id is derived from its other fields where it has none."""
        fields: dict[str, str | None] = {}
        try:
            for field in USUAL:
                value = next((record[name] for name in self.names(field) if record.get(name) is not None), None)
                fields[field] = _text(field, value)
        except MalformedPost as error:
            return malformed(error.reason, str(error), place, {name: value or "" for name, value in fields.items()})
        fields["post_id"] = fields["post_id"] or _derived(fields)
        fields["source"] = fields["source"] or self.source or (None if self.whole else NO_SOURCE)
        if not self.whole:
            fields["author"], fields["created_at"] = None, NO_TIME
        return to_post(fields, place)


def _derived(fields: Mapping[str, str | None]) -> str | None:
    try:
        return derived_post_id(fields)
    except UnicodeEncodeError:  # of which field, the validation says
        return "none"


def _text(field: str, value: object) -> str | None:
    """A field as text; MalformedPost where it is of a type that says nothing there."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise MalformedPost("invalid_utf8", f"{field} is not UTF-8: {error.reason}") from None
    if field == "created_at":
        return _moment(value)
    # Some exports give ids as numbers.
    if field == "post_id" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise MalformedPost("wrong_type", f"{field} is no text but {type(value).__name__}")


def _moment(value: object) -> str:
    """ISO 8601 of a time of a Parquet file, or of seconds since the epoch."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return datetime.fromtimestamp(value, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        pass
    raise MalformedPost("invalid_timestamp", f"created_at is no time: {str(value)[:40]!r}")
