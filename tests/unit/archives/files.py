"""Small archives of every format."""

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow
from pyarrow import parquet

from services.archives.columns import Columns
from services.archives.reading import Block, blocks
from services.archives.stores import find

Rows = Sequence[Mapping[str, object]]
USUAL = Columns({})


def rows(count: int) -> list[dict[str, object]]:
    return [{"post_id": f"p{number}", "content": f"good day {number}"} for number in range(count)]


def write(path: Path, content: Rows | bytes) -> Path:
    """The file that its name promises."""
    raw = content if isinstance(content, bytes) else _encoded(path, content)
    if path.suffix == ".gz":
        raw = gzip.compress(raw)
    elif path.suffix == ".zst":
        raw = pyarrow.compress(raw, "zstd", asbytes=True)
    path.write_bytes(raw)
    return path


def _encoded(path: Path, content: Rows) -> bytes:
    if {".csv", ".tsv"} & {*path.suffixes}:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(content[0]), delimiter="\t" if ".tsv" in path.suffixes else ",")
        writer.writeheader()
        writer.writerows(content)
        return text.getvalue().encode()
    if ".parquet" in path.suffixes:
        file = io.BytesIO()
        parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in content]), file, row_group_size=3)
        return file.getvalue()
    return b"".join(json.dumps(row).encode() + b"\n" for row in content)


def read(
    path: Path, columns: Columns = USUAL, *, rows: int = 100, finished: frozenset[int] = frozenset()
) -> list[Block]:
    (file,) = find([str(path)])
    return list(blocks(file, 0, columns, rows=rows, finished=finished))
