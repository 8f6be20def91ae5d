"""Archives are cut into the same blocks at every reading; a record becomes a post, or a refusal with its reason."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pyarrow
import pytest

from services.archives.columns import Columns
from services.archives.reading import check
from services.archives.stores import find
from services.common.errors import ConfigurationError
from tests.unit.archives.files import USUAL, read, rows, write

NAMES = ["a.jsonl", "a.ndjson", "a.jsonl.gz", "a.jsonl.zst", "a.csv", "a.csv.gz", "a.csv.zst", "a.tsv.gz", "a.parquet"]
TIMED = Columns({"content": "body", "post_id": "key", "created_at": "at"}, source="archive", whole=True)


@pytest.mark.parametrize("name", NAMES)
def test_every_record_is_in_one_block_whatever_the_format(tmp_path: Path, name: str) -> None:
    found = read(write(tmp_path / name, rows(10)), rows=4)
    assert [len(block.records) for block in found] == [4, 4, 2]
    assert [block.number for block in found] == [0, 1, 2]
    assert [block.is_last for block in found] == [False, False, True]
    records = [record for block in found for record in block.records]
    assert [record.post.post_id for record in records] == [f"p{number}" for number in range(10)]
    assert sorted({record.row for record in records}) == [record.row for record in records]
    assert sum(block.bytes for block in found) == (tmp_path / name).stat().st_size


@pytest.mark.parametrize("name", NAMES)
def test_what_is_finished_is_left_out_and_the_rest_is_the_same(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / name, rows(9))
    whole, rest = read(file, rows=3), read(file, rows=3, finished=frozenset({0, 2}))
    assert [block.is_finished for block in rest] == [True, False, True]
    assert rest[1].records == whole[1].records
    assert [block.bytes for block in rest] == [block.bytes for block in whole]


def test_a_block_that_ends_with_the_file_is_the_last(tmp_path: Path) -> None:
    found = read(write(tmp_path / "a.jsonl", rows(8)), rows=4)
    assert [block.is_last for block in found] == [False, True]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_columns_may_have_any_name(tmp_path: Path, name: str) -> None:
    content = [{"key": 7, "body": "hello", "at": "2020-01-02T03:04:05+02:00"}]
    (block,) = read(write(tmp_path / name, content), TIMED)
    post = block.records[0].post
    assert (post.post_id, post.content, post.source) == ("7", "hello", "archive")
    assert post.created_at == datetime(2020, 1, 2, 1, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("at", [1_577_934_245, 1_577_934_245.0])
def test_a_time_may_be_seconds_since_the_epoch(tmp_path: Path, at: float) -> None:
    (block,) = read(write(tmp_path / "a.jsonl", [{"key": "a", "body": "hello", "at": at}]), TIMED)
    assert block.records[0].post.created_at == datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_time_of_parquet_is_one(tmp_path: Path) -> None:
    moment = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    (block,) = read(write(tmp_path / "a.parquet", [{"key": "a", "body": "hello", "at": moment}]), TIMED)
    assert block.records[0].post.created_at == moment


def test_without_an_id_equal_records_have_equal_ones(tmp_path: Path) -> None:
    (block,) = read(write(tmp_path / "a.jsonl", [{"text": "one"}, {"text": "two"}, {"text": "one"}]))
    first, second, third = (record.post.post_id for record in block.records)
    assert first == third != second


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"post_id": "a", "content": " \\u200b"}', "empty_field"),
        (b'{"post_id": "a"}', "missing_field"),
        (b'{"post_id": "a", "content": 7}', "wrong_type"),
        (b'{"post_id": true, "content": "hello"}', "wrong_type"),
        (b'{"post_id": "' + 256 * b"a" + b'", "content": "hello"}', "too_long"),
        (b'{"post_id": "\\u0000", "content": "hello"}', "nul_character"),
        (b'{"post_id": "a", "content": "' + 40_001 * b"a" + b'"}', "too_long"),
        (b'{"post_id": "a", "content": "\xff"}', "invalid_utf8"),
        (b'{"content": "\\ud800"}', "invalid_json"),
        (b'["a"]', "invalid_json"),
        (1_000_001 * b"a", "line_too_long"),
    ],
)
def test_what_is_no_post_is_refused_with_its_row_and_reason(tmp_path: Path, line: bytes, reason: str) -> None:
    good = b'{"post_id": "b", "content": "good"}\n'
    (block,) = read(write(tmp_path / "a.jsonl", good + line + b"\n" + good))
    assert [(refusal.row, refusal.reason) for refusal in block.refusals] == [(2, reason)]
    assert "line 2" in block.refusals[0].error
    assert [record.row for record in block.records] == [1, 3]


def test_bytes_of_parquet_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (block,) = read(write(tmp_path / "a.parquet", [{"content": b"caf\xe9"}, {"content": b"good"}]))
    assert [(refusal.row, refusal.reason) for refusal in block.refusals] == [(1, "invalid_utf8")]
    assert [record.post.content for record in block.records] == ["good"]


def test_for_postgresql_a_post_has_to_have_a_source_and_a_time(tmp_path: Path) -> None:
    columns = Columns({}, whole=True)
    file = write(tmp_path / "a.jsonl", [{"content": "a", "created_at": "2020-01-01"}, {"content": "b", "source": "x"}])
    (block,) = read(file, columns)
    assert [refusal.reason for refusal in block.refusals] == ["missing_field", "missing_field"]


@pytest.mark.parametrize("pack", [gzip.compress, lambda raw: pyarrow.compress(raw, "zstd", asbytes=True)])
def test_of_a_file_that_is_cut_off_everything_before_is_read(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    whole = pack(b"".join(b'{"content": "%d"}\n' % number for number in range(50_000)))
    path = tmp_path / f"a.jsonl{'.gz' if pack is gzip.compress else '.zst'}"
    path.write_bytes(whole[: len(whole) // 2])
    found = read(path, rows=1_000)
    refused = [refusal for block in found for refusal in block.refusals]
    assert refused[-1].reason == "damaged_file"
    assert sum(len(block.records) for block in found) > 1_000


@pytest.mark.parametrize(
    ("name", "content", "columns", "told"),
    [
        ("a.csv", b"id,words\n1,hello\n", USUAL, "--text-column"),
        ("a.csv", b"content\nhello\n", Columns({"post_id": "key"}), "--id-column"),
        ("a.csv", b"content,content\nhello,you\n", USUAL, "two columns content"),
        ("a.parquet", [{"words": "hello"}], USUAL, "--text-column"),
        ("a.parquet", b"content\nhello\n", USUAL, "no Parquet file"),
        ("a.parquet", [{"content": "hello"}], Columns({}, whole=True), "--created-at-column"),
        ("a.jsonl", b"\n", USUAL, "no records"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_before_anything_begins(
    tmp_path: Path, name: str, content: bytes | list[dict[str, object]], columns: Columns, told: str
) -> None:
    (file,) = find([str(write(tmp_path / name, content))])
    assert told in check(file, columns)


def test_files_are_found_below_folders_globs_and_urls_each_once(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.csv.gz", "c.txt"):
        write(tmp_path / name, rows(1))
    (tmp_path / "deep").mkdir()
    write(tmp_path / "deep" / "d.parquet", rows(1))
    everything = ["a.csv.gz", "b.jsonl", "d.parquet"]
    assert [file.name for file in find([str(tmp_path)])] == everything
    assert [file.name for file in find([f"file://{tmp_path}/*.jsonl", str(tmp_path)])] == everything
    assert [file.name for file in find([f"{tmp_path}/*.csv*"])] == ["a.csv.gz"]


@pytest.mark.parametrize(
    ("path", "told"),
    [("none.jsonl", "names no file"), ("*.jsonl", "names no file"), ("c.txt", "suffix"), ("nosuch://a.csv", "opened")],
)
def test_what_names_no_archive_is_told(tmp_path: Path, path: str, told: str) -> None:
    write(tmp_path / "c.txt", b"hello")
    with pytest.raises(ConfigurationError, match=told):
        find([path if "://" in path else str(tmp_path / path)])
