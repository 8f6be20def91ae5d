"""Files of posts: JSON lines, CSV, gzip, in whatever state."""

import gzip
import io
import json
from collections.abc import Iterator

from hypothesis import strategies as st

from services.common.errors import ConfigurationError
from services.common.messages import Post
from services.ingester.sources.base import Malformed
from services.ingester.sources.files import jsonl, table
from services.ingester.sources.files.lines import MAX_LINE_BYTES, DamagedFile, lines, open_lines
from tests import hostile
from tests.fuzz.target import Target, scratch
from tests.fuzz.targets.posts import REASONS, assert_storable

FILE_REASONS = REASONS | {"line_too_long", "wrong_type", "invalid_json", "invalid_csv", "wrong_columns"}
RECORD: dict[str, object] = {
    "post_id": "p1",
    "source": "twitter",
    "content": "good day",
    "author": "mole",
    "created_at": "2026-03-02T12:00:00Z",
}
HEADER = ",".join(RECORD).encode() + b"\n"
ROW = ",".join(map(str, RECORD.values())).encode() + b"\n"
_FOLDER = scratch()


def assert_items(items: Iterator[Post | Malformed], most: int) -> None:
    """Each a post that can be stored, or a letter that can be buried; no more than `most` of them."""
    count = 0
    for item in items:
        count += 1
        if isinstance(item, Post):
            assert_storable(item)
            continue
        assert item.reason in FILE_REASONS
        assert item.error.startswith("any line ")
        assert len(item.error) < 1_000
        item.error.encode()
        assert sum(len(name.encode()) + len(value.encode()) for name, value in item.fields.items()) < 300_000
    assert count <= most


def json_lines(raw: bytes) -> None:
    """A post that can be stored or a letter that can be buried for every line, and no more."""
    assert_items(jsonl.read(io.BytesIO(raw), "any"), raw.count(b"\n") + 1)


def csv_rows(raw: bytes) -> None:
    """The same for every row; a header that is none is told once, before the first."""
    for start in (b"", HEADER):
        try:
            assert_items(table.read(io.BytesIO(start + raw), "any"), raw.count(b"\n") + 1)
        except ConfigurationError as error:
            assert not start
            str(error).encode("utf-8", "surrogateescape")


def gzip_file(raw: bytes) -> None:
    """Lines within their limit, or where the damage is; or a file of no use."""
    path = _FOLDER / "any.gz"
    path.write_bytes(raw)
    try:
        file = open_lines(path)
    except ConfigurationError:
        return
    with file:
        last = 0
        try:
            for line in lines(file):
                assert line.number == last + 1
                assert len(line.raw) <= MAX_LINE_BYTES + 1
                last = line.number
        except DamagedFile as error:
            assert error.line_number == last + 1
            assert str(error)


JSON_LINES = st.one_of(hostile.nearly(RECORD).map(str.encode), hostile.raw_texts(), st.binary(max_size=50))
QUOTED = st.one_of(hostile.raw_texts(), hostile.times().map(str.encode)).map(
    lambda cell: b'"' + cell.replace(b'"', b'""') + b'"'
)
CELLS = st.one_of(hostile.raw_texts(), hostile.times().map(str.encode), QUOTED, st.sampled_from([b'"', b'a"', b'""x']))
ROWS = st.lists(CELLS, min_size=3, max_size=6).map(b",".join)

TARGETS = (
    Target(
        "json_lines",
        json_lines,
        [
            json.dumps(RECORD).encode() + b"\n",
            b"\xef\xbb\xbf" + json.dumps(RECORD).encode() + b"\r\n\r\n{}\n",
            b'{"post_id": 7, "platform": "reddit", "text": "hm", "created_at": "2026-03-02", "x": [1, {"a": null}]}',
            hostile.deep(5_000, "x"),
        ],
        st.lists(JSON_LINES, max_size=5).map(b"\n".join),
    ),
    Target(
        "csv_rows",
        csv_rows,
        [
            HEADER + ROW,
            b'Text , platform,created_at\r\n"first, ""second""\r\nthird",reddit,2026-03-02 12:00:00\r\n',
            b'p,twitter,"never closed,mole,2026-03-02\n' + ROW,
            b'a","\n' * 50,
        ],
        st.lists(ROWS, max_size=6).map(b"\n".join),
    ),
    Target(
        "gzip_file",
        gzip_file,
        [
            gzip.compress(ROW * 20, mtime=0),
            gzip.compress(ROW, mtime=0) + gzip.compress(ROW, mtime=0),
            gzip.compress(b"", mtime=0),
            gzip.compress(b"\n" * 5_000, mtime=0),
        ],
        st.builds(
            lambda content, at, damage: (packed := gzip.compress(content, mtime=0))[:at] + damage + packed[at:],
            hostile.raw_texts(),
            st.integers(0, 60),
            st.binary(max_size=8),
        ),
    ),
)
