"""Entries of the stream and lines of a file that are no posts, one of every reason that there is.

Each is different from all others, and comes with the letter that it must become.
"""

import json
from itertools import cycle, islice

from tests.chaos.truth import Letter

CREATED_AT = "2026-01-31T12:00:00+00:00"


def bad_entries(count: int, prefix: str) -> list[tuple[dict[bytes, bytes], Letter]]:
    """Fields of a stream entry, and their letter; the reasons in turn."""
    made = []
    for number, (reason, wrong) in enumerate(islice(cycle(_ENTRIES), count)):
        name = f"{prefix}-{number}".encode()
        # The author tells them apart, whatever is wrong with the rest.
        right = {b"post_id": name, b"source": b"raw", b"content": b"text", b"author": name, b"created_at": _AT}
        fields = {key: value for key, value in (right | wrong).items() if value is not None}
        made.append((fields, Letter.of(reason, fields)))
    return made


_AT = CREATED_AT.encode()
# None: the field is left out.
_ENTRIES: list[tuple[str, dict[bytes, bytes | None]]] = [
    ("missing_field", {b"post_id": None}),
    ("missing_field", {b"source": None}),
    ("missing_field", {b"content": None}),
    ("missing_field", {b"created_at": None}),
    ("empty_field", {b"content": b" \t "}),
    ("empty_field", {b"post_id": b""}),
    ("too_long", {b"source": b"s" * 51}),
    ("too_long", {b"post_id": b"p" * 256}),
    ("too_long", {b"content": b"c" * 40_001}),
    ("nul_character", {b"content": b"a\x00b"}),
    ("invalid_utf8", {b"content": b"\xff\xfe"}),
    ("invalid_utf8", {b"source": b"\xc3"}),
    ("invalid_timestamp", {b"created_at": b"yesterday"}),
    ("invalid_timestamp", {b"created_at": b"2026-13-01T00:00:00Z"}),
]
ENTRY_REASONS = frozenset(reason for reason, _ in _ENTRIES)


def bad_lines(count: int, prefix: str) -> list[tuple[bytes, Letter]]:
    """Lines of a file of JSON lines, and their letters; the reasons in turn."""
    made = []
    for number, (reason, wrong) in enumerate(islice(cycle(_LINES), count)):
        name = f"{prefix}-{number}"
        if isinstance(wrong, bytes):
            line = wrong.replace(b"NAME", name.encode())
            # What is no text any more is kept with the sign for that.
            kept = {"line": line.decode("utf-8", "replace")}
        else:
            right = {"post_id": name, "source": "file", "content": "text", "author": name, "created_at": CREATED_AT}
            record = right | wrong
            line = json.dumps(record).encode()
            kept = {key: value or "" for key, value in record.items()}
        letter = Letter.of(reason, {key.encode(): value.encode() for key, value in kept.items()})
        made.append((line, letter))
    return made


_LINES: list[tuple[str, bytes | dict[str, str | None]]] = [
    ("invalid_json", b'{"post_id": "NAME", '),
    ("invalid_json", b"NAME is no JSON"),
    ("wrong_type", b'{"post_id": ["NAME"], "content": "text"}'),
    ("invalid_utf8", b'{"post_id": "NAME", "content": "\xff\xfe"}'),
    ("missing_field", {"created_at": None}),
    ("missing_field", {"source": None}),
    ("empty_field", {"content": "  "}),
    ("too_long", {"source": "s" * 51}),
    ("nul_character", {"content": "a\x00b"}),
    ("invalid_timestamp", {"created_at": "tomorrow"}),
]
