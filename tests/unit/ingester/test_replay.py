"""Every good line of a file becomes a post, every bad one a dead letter that names its line, in constant memory."""

import asyncio
import csv
import gzip
import io
import json
import os
import tracemalloc
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.common.errors import ConfigurationError
from services.common.messages import Post
from services.ingester.sources import SourceOptions, sources_of
from services.ingester.sources.base import MAX_BATCH_POSTS, Malformed
from services.ingester.sources.files import jsonl, records, table
from services.ingester.sources.files.lines import MAX_LINE_BYTES, Line, open_lines
from services.ingester.sources.pace import Pace
from services.ingester.sources.replay import ReplaySource
from tests import hostile

NOON = "2026-03-02T12:00:00Z"
HEADER = "post_id,source,content,author,created_at\n"


def record(**changes: object) -> dict[str, object]:
    fields = {"post_id": "p1", "source": "twitter", "content": "good day", "author": "mole", "created_at": NOON}
    return {name: value for name, value in (fields | changes).items() if value is not None}


def jsonl_of(*rows: dict[str, object] | bytes) -> bytes:
    return b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows)


def csv_of(*rows: dict[str, object]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, ["post_id", "source", "content", "author", "created_at"])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


async def items_of(source: ReplaySource) -> list[Post | Malformed]:
    items: list[Post | Malformed] = []
    async with aclosing(source.batches()) as batches:
        async for batch in batches:
            assert 1 <= len(batch.items) <= MAX_BATCH_POSTS
            items.extend(batch.items)
    return items


@pytest.fixture
def replay(tmp_path: Path) -> Callable[[str, bytes], list[Post | Malformed]]:
    def run(name: str, raw: bytes) -> list[Post | Malformed]:
        path = tmp_path / name
        path.write_bytes(raw)
        return asyncio.run(items_of(ReplaySource(path)))

    return run


Replay = Callable[[str, bytes], list[Post | Malformed]]


def reasons(items: list[Post | Malformed]) -> list[str]:
    return [item.reason if isinstance(item, Malformed) else "" for item in items]


def test_a_post_is_read_with_all_its_fields(replay: Replay) -> None:
    moment = datetime(2026, 3, 2, 12, tzinfo=UTC)
    expected = Post(post_id="p1", source="twitter", content="good day", author="mole", created_at=moment)
    assert replay("a.jsonl", jsonl_of(record())) == [expected]
    assert replay("a.csv", csv_of(record())) == [expected]


def test_the_aliases_number_ids_offsets_and_unknown_fields_are_understood(replay: Replay) -> None:
    row = {"post_id": 7, "platform": "reddit", "text": "hm", "created_at": "2026-03-02T14:00:00+02:00", "likes": [1]}
    [post] = replay("a.ndjson", jsonl_of(row))
    assert post == Post(
        post_id="7", source="reddit", content="hm", author="", created_at=datetime(2026, 3, 2, 12, tzinfo=UTC)
    )
    assert replay("a.csv", b"Text , platform,created_at,post_id,x\nhm,reddit,2026-03-02 12:00:00,7,1\n") == [post]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "A.CSV", "a.ndjson"])
def test_gzipped_files_marks_blank_lines_and_windows_line_ends_make_no_difference(replay: Replay, name: str) -> None:
    rows = [record(post_id=f"p{i}", content=f"día {i} 🙂") for i in range(3)]
    raw = csv_of(*rows) if name.lower().endswith("csv") else jsonl_of(*rows)
    plain = replay(name, raw)
    assert reasons(plain) == ["", "", ""]
    assert replay(name + ".gz", gzip.compress(raw)) == plain
    messy = b"\xef\xbb\xbf" + raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n\r\n")
    assert replay(name, messy) == plain
    assert replay(name, raw.rstrip()) == plain


BAD_LINES = [
    (b'{"post_id": "p1", \n', "invalid_json"),
    (b"[1, 2]\n", "wrong_type"),
    (b"null\n", "wrong_type"),
    (b'{"x": ' + b"[" * 5_000 + b"\n", "invalid_json"),
    (jsonl_of(record(content=["x"])), "wrong_type"),
    (jsonl_of(record(created_at=12)), "wrong_type"),
    (jsonl_of(record(content=None)), "missing_field"),
    (jsonl_of(record(source=None)), "missing_field"),
    (jsonl_of(record(created_at=None)), "missing_field"),
    (jsonl_of(record(created_at="noon")), "invalid_timestamp"),
    (jsonl_of(record(content="  ")), "empty_field"),
    (jsonl_of(record(content="x" * 40_001)), "too_long"),
    (jsonl_of(record(content="a\x00b")), "nul_character"),
    (jsonl_of(record()).replace(b"good", b"g\xff\xfed"), "invalid_utf8"),
    (jsonl_of(record(content="\ud800")), "invalid_json"),
    (jsonl_of(record(content="x" * (3 * MAX_LINE_BYTES))), "line_too_long"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD_LINES, ids=[f"{i}-{reason}" for i, (_, reason) in enumerate(BAD_LINES)])
def test_a_bad_line_costs_itself_only_and_is_named(replay: Replay, bad: bytes, reason: str) -> None:
    items = replay("a.jsonl", jsonl_of(record(post_id="before"), bad, record(post_id="after")))
    assert reasons(items) == ["", reason, ""]
    letter = items[1]
    assert isinstance(letter, Malformed)
    assert letter.error.startswith("a.jsonl line 2: ")
    assert 0 < sum(map(len, letter.fields.values())) < 10_000
    for value in letter.fields.values():
        value.encode()


BAD_ROWS = [
    (b"p2,twitter,hello\n", "wrong_columns"),
    (b"p2,twitter,a,b,c,d,e\n", "wrong_columns"),
    (b"p2,twitter,,mole,%s\n" % NOON.encode(), "missing_field"),
    (b"p2,twitter,hello,mole,never\n", "invalid_timestamp"),
    (b"p2,twitter,h\xffllo,mole,%s\n" % NOON.encode(), "invalid_utf8"),
    (b'p2,twitter,"hello"x,mole,%s\n' % NOON.encode(), "invalid_csv"),
    (b'p2,twitter,"never closed,mole,%s\n' % NOON.encode(), "invalid_csv"),
    (b"p2,twitter," + b"x" * (2 * MAX_LINE_BYTES) + b",mole,noon\n", "line_too_long"),
    (b"p2,twitter," + b"x" * 200_000 + b",mole,noon\n", "invalid_csv"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD_ROWS, ids=[f"{i}-{reason}" for i, (_, reason) in enumerate(BAD_ROWS)])
def test_a_bad_row_costs_itself_only_and_is_named(replay: Replay, bad: bytes, reason: str) -> None:
    before, after = csv_of(record(post_id="before")), csv_of(*[record(post_id=f"after{i}") for i in range(9_000)])
    items = replay("a.csv", before + bad + after.partition(b"\n")[2])
    assert reasons(items) == ["", reason, *[""] * 9_000]
    assert isinstance(items[1], Malformed)
    assert items[1].error.startswith("a.csv line 3: ")


def test_a_row_of_many_lines_is_given_up_at_the_limit_of_a_line(replay: Replay) -> None:
    field = b'"' + (b"x" * 60_000 + b"\n") * 2 + b'"'
    items = replay("a.csv", csv_of(record()) + b",".join([field] * 12) + b"\n" + csv_of(record()))
    assert reasons(items)[:2] == ["", "invalid_csv"]
    assert isinstance(items[1], Malformed)
    assert f"more than {MAX_LINE_BYTES:,} bytes" in items[1].error


class CountedBytes(bytes):
    """Counts how often lines are read."""

    readings = 0

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        CountedBytes.readings += 1
        return super().decode(encoding, errors)


def test_quotes_that_are_never_closed_do_not_cost_the_square_of_the_file() -> None:
    """Each of these lines opens a quote, and stays within one that is open."""
    CountedBytes.readings = 0
    source = (Line(number, CountedBytes(b'a","\n')) for number in range(10_000))
    rows = list(table.Rows(source))
    assert len(rows) == 10_000
    assert all(isinstance(row, csv.Error) for _, row in rows)
    assert CountedBytes.readings <= (table.MAX_READINGS + 1) * 10_000


def test_some_unclosed_quotes_cost_one_row_each(replay: Replay) -> None:
    bad = b'p,twitter,"never closed,mole,%s\n' % NOON.encode()
    good = record(content="of two\nlines")
    items = replay("a.csv", csv_of(good) + (bad + csv_of(good).partition(b"\n")[2]) * 3 + bad)
    assert reasons(items) == ["", *["invalid_csv", ""] * 3, "invalid_csv"]


def test_a_row_of_more_lines_than_a_post_can_have_is_given_up(replay: Replay) -> None:
    raw = b",".join([b'"' + b"\n" * 100_000 + b'"'] * 5) + b"\n"
    items = replay("a.csv", csv_of(record()) + raw)
    assert reasons(items)[:2] == ["", "invalid_csv"]
    assert isinstance(items[1], Malformed)
    assert f"within {table.MAX_ROW_LINES:,} lines" in items[1].error


def test_quoted_fields_hold_commas_quotes_and_line_breaks(replay: Replay) -> None:
    content = 'first, "second"\r\n\nthird'
    items = replay("a.csv", csv_of(record(content=content), record(post_id="p2")))
    assert [item.content for item in items if isinstance(item, Post)] == [content, "good day"]


def test_a_derived_id_is_the_same_for_the_same_record_everywhere_and_for_no_other(replay: Replay) -> None:
    rows = [record(post_id=None, content=f"day {i}") for i in range(50)]
    rows += [record(post_id=None, source="twitter1", content="23"), record(post_id=None, author="mole1")]
    posts = replay("a.jsonl", jsonl_of(*rows))
    ids = [post.post_id for post in posts if isinstance(post, Post)]
    assert len(set(ids)) == 52
    assert replay("b.jsonl", jsonl_of(*rows)) == posts
    assert replay("b.csv", csv_of(*reversed(rows)))[::-1] == posts


def test_the_parts_of_a_derived_id_cannot_run_into_each_other() -> None:
    one = {"source": "a", "author": "bc", "created_at": NOON, "content": "x"}
    assert records.derived_post_id(one) != records.derived_post_id(one | {"source": "ab", "author": "c"})


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.csv.gz"])
@pytest.mark.parametrize("damage", ["cut", "garbled"])
def test_a_damaged_gzip_file_gives_what_it_holds_and_then_says_so(replay: Replay, name: str, damage: str) -> None:
    rows = [record(post_id=f"p{i}", content=blake2b(b"%d" % i).hexdigest()) for i in range(60_000)]
    raw = bytearray(gzip.compress(csv_of(*rows) if ".csv" in name else jsonl_of(*rows)))
    if damage == "cut":
        del raw[len(raw) * 9 // 10 :]
    else:
        raw[len(raw) * 9 // 10 :] = bytes(len(raw) // 10)
    items = replay(name, bytes(raw))
    assert reasons(items)[-1] == "damaged_file"
    assert sum(reason == "" for reason in reasons(items)) > 10_000
    assert isinstance(items[-1], Malformed)
    assert "again" in items[-1].error


@pytest.mark.parametrize(
    ("name", "raw", "message"),
    [
        ("a.jsonl", b"", "is empty"),
        ("a.jsonl.gz", gzip.compress(b"", mtime=0), "is empty"),
        ("a.csv.gz", b"", "is empty|no complete gzip"),
        ("a.csv.gz", b"post_id,source", "no complete gzip file"),
        ("a.jsonl.gz", gzip.compress(b"x" * 100, mtime=0)[:12], "no complete gzip file"),
        ("a.txt", b"hello", r"no known suffix; expected is \.jsonl, \.ndjson, \.csv"),
        ("a.gz", b"hello", "no known suffix"),
        ("a.csv", b"id,when\n1,2\n", "names no column source, content, created_at"),
        ("a.csv", b'"never closed', "names no column"),
        ("a.csv", b"source,content,created_at,content\n", "column content twice"),
        ("a.csv", b"source,text,created_at,TEXT\n", "column content twice"),
    ],
)
def test_a_file_of_no_use_is_refused_with_advice(replay: Replay, name: str, raw: bytes, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        replay(name, raw)


def test_a_file_name_that_is_no_utf8_names_its_lines_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"posts\xff.jsonl")
    path.write_bytes(b"{}\n")
    [letter] = asyncio.run(items_of(ReplaySource(path)))
    assert isinstance(letter, Malformed)
    assert letter.error.encode().startswith(b"posts?.jsonl line 1: ")


def test_a_missing_file_a_folder_and_unknown_or_incomplete_sources_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no file"):
        ReplaySource(tmp_path / "none.jsonl")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ConfigurationError, match="is not a file"):
        ReplaySource(tmp_path / "folder.csv")
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        ReplaySource(tmp_path / ("x" * 300 + ".csv"))
    with pytest.raises(ConfigurationError, match=r"known are bluesky, .*simulate"):
        sources_of("telepathy", SourceOptions())
    with pytest.raises(ConfigurationError, match="--file"):
        sources_of("replay", SourceOptions())
    with pytest.raises(ConfigurationError, match="more than 0"):
        sources_of("simulate", SourceOptions(rate_per_minute=float("nan")))
    assert [source.name for source in sources_of("simulate", SourceOptions(seed=1))] == ["simulate"]


async def test_a_rate_slices_what_was_read_ahead(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl_of(*[record(post_id=f"p{i}") for i in range(5)]))
    slept_s = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal slept_s
        slept_s += seconds

    source = ReplaySource(path, pace=Pace(60.0, clock=lambda: slept_s, sleep=sleep))
    sizes = [len(batch.items) async for batch in source.batches()]
    assert sizes == [1] * 5
    assert slept_s == pytest.approx(4.0)


@pytest.mark.parametrize("name", ["big.jsonl", "big.jsonl.gz", "big.csv", "big.csv.gz"])
async def test_memory_stays_flat_whatever_the_size(tmp_path: Path, name: str) -> None:
    rows = [record(post_id=f"p{i}", content="word " * 40) for i in range(20_000)]
    rows[100] = record(content="y" * 8_000_000)
    raw = csv_of(*rows) if ".csv" in name else jsonl_of(*rows)
    path = tmp_path / name
    path.write_bytes(gzip.compress(raw, 1) if name.endswith(".gz") else raw)
    del rows, raw
    tracemalloc.start()
    try:
        async with aclosing(ReplaySource(path).batches()) as batches:
            count = 0
            async for batch in batches:
                count += len(batch.items)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 20_000
    assert peak < 6_000_000


async def test_stopping_early_closes_the_file(tmp_path: Path) -> None:
    """Warnings are errors: a file left open fails this test."""
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(jsonl_of(*[record(post_id=f"p{i}") for i in range(5_000)])))
    async with aclosing(ReplaySource(path).batches()) as batches:
        await anext(batches)
        reading = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading


class EndlessFile(io.BytesIO):
    """What a few megabytes of gzip can unpack to."""

    def __init__(self, line: bytes) -> None:
        super().__init__()
        self._line = line

    def readline(self, size: int | None = -1, /) -> bytes:
        return self._line


@pytest.mark.parametrize("line", [b"\n", b"x"], ids=["blank lines", "one long line"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
async def test_stopping_ends_a_read_that_would_never_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, line: bytes
) -> None:
    monkeypatch.setattr("services.ingester.sources.replay.open_lines", lambda _: EndlessFile(line))
    monkeypatch.setattr("services.ingester.sources.files.lines.MAX_LINE_BYTES", 0 if line == b"x" else MAX_LINE_BYTES)
    async with aclosing(ReplaySource(tmp_path / name).batches()) as batches:
        reading = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0.05)
        assert not reading.done()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(texts=st.lists(hostile.storable_texts(2_000), min_size=1, max_size=8))
def test_any_text_survives_both_formats(replay: Replay, texts: list[str]) -> None:
    rows = [record(post_id=f"p{i}", content=text) for i, text in enumerate(texts)]
    for name, raw in (("a.jsonl", jsonl_of(*rows)), ("a.csv", csv_of(*rows))):
        assert [item.content for item in replay(name, raw) if isinstance(item, Post)] == texts


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(max_size=300))
def test_no_bytes_make_the_reader_fail_and_nothing_unstorable_passes(tmp_path: Path, raw: bytes) -> None:
    for read, start in ((jsonl.read, b""), (table.read, HEADER.encode())):
        path = tmp_path / "any"
        path.write_bytes(start + b'{"content": "' + raw + b'"}\n' + raw + b"\n")
        with open_lines(path) as file:
            for item in read(file, "any"):
                fields = item.fields if isinstance(item, Malformed) else msgspec.to_builtins(item)
                for value in fields.values():
                    value.encode()
