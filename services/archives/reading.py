"""An archive's file as blocks of so many records: the same at every reading, which is what resuming stands on."""

import csv
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from itertools import islice

import msgspec

from services.archives.columns import Columns
from services.archives.inputs import Input, TextFile, with_extra
from services.common.errors import ConfigurationError, Transient
from services.common.messages import Post
from services.ingester.sources.base import Malformed
from services.ingester.sources.files.lines import MAX_LINE_BYTES, DamagedFile, LineSource, lines
from services.ingester.sources.files.records import malformed, unreadable
from services.ingester.sources.files.table import Rows

# A block ends early rather than to hold more: texts may be 40,000 characters long.
MAX_BLOCK_CHARS = 16_000_000
_decoder = msgspec.json.Decoder(dict[str, object])


class Record(msgspec.Struct, array_like=True):
    """`row` counts from 1; of a text it is the line that the record begins in."""

    row: int
    post: Post


class Refusal(msgspec.Struct, kw_only=True):
    """A record that is no post, and why: `reason` is a short, countable code. `cut`: fields that are not whole."""

    row: int
    reason: str
    error: str
    fields: Mapping[str, str]
    cut: tuple[str, ...] = ()


class Block(msgspec.Struct, kw_only=True):
    """The records of a file from one place to another.

    `input` counts the files and `number` the blocks of one, both from 0. `bytes`: of the file, read since the block
    before. `is_last`: of its file. Where the block `is_finished`, nothing of it is here.
    """

    input: int
    number: int
    records: list[Record]
    refusals: list[Refusal]
    bytes: int
    is_last: bool
    is_finished: bool = False


def check(file: Input, columns: Columns) -> str:
    """What is wrong with the file as far as its beginning tells, in a sentence; empty if it can be read."""
    try:
        with closing(_Reading(file, columns)) as reading:
            if next(reading.items, None) is None:
                return f"{file.url} has no records"
    except (ConfigurationError, Transient) as error:
        return str(error)
    return ""


def blocks(
    file: Input,
    number: int,
    columns: Columns,
    *,
    rows: int,
    finished: frozenset[int] = frozenset(),
    whole: bool = False,
) -> Generator[Block, None, None]:
    """Every block of input `number`, each of `rows` records or fewer.

    Of those in `finished` only their numbers come; `whole` says that these are all. ConfigurationError if the file
    lacks a column, Transient while its store is away.
    """
    if whole:
        for each in sorted(finished):
            yield _empty(number, each, is_last=each == max(finished), size=file.size if each == max(finished) else 0)
        return
    with closing(_Reading(file, columns)) as reading:
        at, before = 0, 0
        upcoming = _records(reading.items, rows)
        while True:
            records = upcoming
            upcoming = _records(reading.items, rows)
            is_last = not upcoming
            position = file.size if is_last and file.size else reading.position
            if at in finished:
                yield _empty(number, at, is_last=is_last, size=position - before)
            else:
                yield Block(
                    input=number,
                    number=at,
                    records=[Record(row, item) for row, item in records if isinstance(item, Post)],
                    refusals=[_refusal(row, item) for row, item in records if isinstance(item, Malformed)],
                    bytes=position - before,
                    is_last=is_last,
                )
            if is_last:
                return
            at, before = at + 1, position


Item = tuple[int, Post | Malformed]


def _records(items: Iterator[Item], rows: int) -> list[Item]:
    records: list[Item] = []
    chars = 0
    for row, item in islice(items, rows):
        records.append((row, item))
        chars += len(item.content) if isinstance(item, Post) else sum(map(len, item.fields.values()))
        if chars > MAX_BLOCK_CHARS:
            break
    return records


def _empty(number: int, at: int, *, is_last: bool, size: int) -> Block:
    return Block(input=number, number=at, records=[], refusals=[], bytes=size, is_last=is_last, is_finished=True)


def _refusal(row: int, item: Malformed) -> Refusal:
    return Refusal(row=row, reason=item.reason, error=item.error, fields=item.fields, cut=item.cut)


class _Reading:
    """An open file, its records with their rows, and how far it is read, in bytes."""

    def __init__(self, file: Input, columns: Columns) -> None:
        self._file = file
        self._columns = columns
        self._size, self._done = file.size, 0.0
        self._text = None if file.format == "parquet" else TextFile(file)
        self.items = self._items()

    @property
    def position(self) -> int:
        return self._text.position if self._text else int(self._size * self._done)

    def close(self) -> None:
        self.items.close()
        if self._text:
            self._text.close()

    def _items(self) -> Generator[Item, None, None]:
        try:
            yield from self._parquet() if self._text is None else self._lines(self._text)
        except DamagedFile as error:
            yield error.line_number, self._damaged(error.line_number, str(error))

    def _damaged(self, row: int, error: str) -> Malformed:
        return malformed("damaged_file", error, self._place(row), {})

    def _place(self, row: int) -> str:
        return f"{self._file.name} {'row' if self._text is None else 'line'} {row}"

    def _lines(self, file: LineSource) -> Iterator[Item]:
        return self._jsonl(file) if self._file.format == "jsonl" else self._csv(file)

    def _jsonl(self, file: LineSource) -> Iterator[Item]:
        for line in lines(file):
            if line.raw.isspace():
                continue
            place = self._place(line.number)
            if line.too_long:
                error = f"the line has more than {MAX_LINE_BYTES:,} bytes"
                yield line.number, unreadable("line_too_long", error, place, line.raw)
                continue
            try:
                record = _decoder.decode(line.raw)
            except UnicodeDecodeError as invalid:
                error = f"the line is not UTF-8: {invalid.reason}"
                yield line.number, unreadable("invalid_utf8", error, place, line.raw)
            except (msgspec.DecodeError, RecursionError) as invalid:
                yield line.number, unreadable("invalid_json", f"the line is no JSON object: {invalid}", place, line.raw)
            else:
                yield line.number, self._columns.post(record, place)

    def _csv(self, file: LineSource) -> Iterator[Item]:
        header: list[str] | None = None
        for first, row in Rows(lines(file), delimiter="\t" if self._file.format == "tsv" else ","):
            place = self._place(first.number)
            if header is None:
                header = [name.strip() for name in row] if isinstance(row, list) else []
                self._require(header)
            elif first.too_long:
                error = f"the line has more than {MAX_LINE_BYTES:,} bytes"
                yield first.number, unreadable("line_too_long", error, place, first.raw)
            elif isinstance(row, csv.Error):
                yield first.number, unreadable("invalid_csv", f"the row is no CSV: {row}", place, first.raw)
            elif len(row) != len(header):
                error = f"the row has {len(row)} columns, the header {len(header)}"
                yield first.number, unreadable("wrong_columns", error, place, first.raw)
            else:
                yield first.number, self._columns.post(dict(zip(header, row, strict=True)), place)

    def _parquet(self) -> Iterator[Item]:
        records = with_extra("services.archives.parquet").records
        for row, (record, done) in enumerate(records(self._file, self._columns.wanted(), self._require), 1):
            self._done = done
            yield row, self._columns.post(record, self._place(row))

    def _require(self, names: list[str]) -> None:
        twice = sorted({name for name in self._columns.wanted() if names.count(name) > 1})
        if twice:
            raise ConfigurationError(f"{self._file.url}: there are two columns {twice[0]}; rename one of them")
        missing = self._columns.missing(frozenset(names))
        if missing:
            raise ConfigurationError(f"{self._file.url}: {missing}")
