"""CSV as of RFC 4180: commas, double quotes, a header row; quoted fields may hold line breaks."""

import csv
from collections import deque
from collections.abc import Iterator, Sequence

from services.common.errors import ConfigurationError
from services.common.messages import MAX_CONTENT_CHARS, Post
from services.ingester.sources.base import Malformed
from services.ingester.sources.files.lines import MAX_LINE_BYTES, Line, LineSource, lines
from services.ingester.sources.files.records import ALIASES, FIELDS, to_post, unreadable

_REQUIRED = ("source", "content", "created_at")
# A post of line ends alone, and some for the other columns; a row of more would only take memory.
MAX_ROW_LINES = MAX_CONTENT_CHARS + 1_000
# How often a line is read, as a part of one row or another, before a row may only begin with it. Without an end to it,
# a quote in each line that is never closed would cost the square of the file.
MAX_READINGS = 8


def read(file: LineSource, file_name: str) -> Iterator[Post | Malformed]:
    """A post or a dead letter for every row; DamagedFile where the file cannot be read on.

    ConfigurationError, before the first item, if the header lacks a column or has one twice.
    """
    rows = Rows(lines(file))
    columns: Sequence[str] | None = None
    for first, row in rows:
        place = f"{file_name} line {first.number}"
        if columns is None:
            columns = _columns(row if isinstance(row, list) else [], file_name)
        elif first.too_long:
            yield unreadable("line_too_long", f"the line has more than {MAX_LINE_BYTES:,} bytes", place, first.raw)
        elif isinstance(row, csv.Error):
            yield unreadable("invalid_csv", f"the row is no CSV: {row}", place, first.raw)
        elif len(row) != len(columns):
            message = f"the row has {len(row)} columns, the header {len(columns)}"
            yield unreadable("wrong_columns", message, place, first.raw)
        else:
            values = dict(zip(columns, row, strict=True))
            yield to_post({name: values.get(name) or None for name in FIELDS}, place)


class Rows:
    """Rows with the line that each begins in; a csv.Error in the place of a row that is none.

    After a bad row, reading goes on at the line behind its first one. So an unclosed quote costs one row, and not all
    that follow up to the next quote. Where quote after quote is not closed, rows of several lines count as bad, too.
    """

    def __init__(self, source: Iterator[Line], *, delimiter: str = ",") -> None:
        self._source = source
        self._delimiter = delimiter
        # Lines with how often they were read.
        self._again: deque[tuple[Line, int]] = deque()
        self._taken: list[tuple[Line, int]] = []
        self._taken_bytes = 0

    def __iter__(self) -> Iterator[tuple[Line, list[str] | csv.Error]]:
        reader = self._reader()
        while True:
            self._taken, self._taken_bytes = [], 0
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                (first, _), *rest = self._taken
                self._again.extendleft(reversed(rest))
                # A generator that has raised is over, so the reader needs a new one.
                reader = self._reader()
                yield first, error
                continue
            if row:
                yield self._taken[0][0], row

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._texts(), delimiter=self._delimiter, strict=True)

    def _texts(self) -> Iterator[str]:
        while True:
            line, readings = self._again.popleft() if self._again else (next(self._source, None), 0)
            if line is None:
                return
            if self._taken and (readings == MAX_READINGS or len(self._taken) == MAX_ROW_LINES):
                self._again.appendleft((line, readings))
                raise csv.Error(f"a quote is not closed within {len(self._taken):,} lines")
            self._taken.append((line, min(readings + 1, MAX_READINGS)))
            self._taken_bytes += len(line.raw)
            if line.too_long or self._taken_bytes > MAX_LINE_BYTES:
                raise csv.Error(f"more than {MAX_LINE_BYTES:,} bytes; a quote may not be closed")
            # Bytes that are not UTF-8 become lone surrogates, which the record's check finds in their field.
            yield line.raw.decode("utf-8", "surrogateescape")


def _columns(header: Sequence[str], file_name: str) -> list[str]:
    names = [name.strip().lower() for name in header]
    columns = [ALIASES[name] if name in ALIASES and ALIASES[name] not in names else name for name in names]
    twice = [name for name in FIELDS if columns.count(name) > 1]
    if twice:
        raise ConfigurationError(f"the first row of {file_name} names the column {twice[0]} twice; rename one of them")
    missing = [name for name in _REQUIRED if name not in columns]
    if missing:
        raise ConfigurationError(
            f"the first row of {file_name} names no column {', '.join(missing)}; "
            f"expected is a header such as {','.join(FIELDS)}, separated by commas"
        )
    return columns
