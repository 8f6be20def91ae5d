"""What a backfill leaves: a manifest, a Parquet file for each block, and beside it the records that were refused.

    manifest.json                     what was asked for, and at the end what came of it
    results/input=00000/00000.parquet a row for each post: its id, its row in the file, sentiment and emotion
    rejects/input=00000/00000.jsonl   only where the block has some: row, reason, error, and what could be read

A results file appears whole or not at all, and after everything else of its block is done: its being there is the
record that the block is finished.
"""

import hashlib
import io
import os
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import msgspec
import pyarrow
from fsspec.implementations.local import LocalFileSystem
from pyarrow import parquet

from services.archives.reading import Refusal
from services.common.errors import ConfigurationError, Transient
from services.common.messages import Analysis

MANIFEST = "manifest.json"
UNFINISHED = ".unfinished"
IS_LAST, REFUSED = b"undertone.is_last", b"undertone.refused"
SCHEMA = pyarrow.schema(
    [
        ("post_id", pyarrow.string()),
        ("row", pyarrow.int64()),
        ("sentiment_label", pyarrow.string()),
        ("confidence", pyarrow.float32()),
        ("emotion", pyarrow.string()),
        ("emotion_confidence", pyarrow.float32()),
        ("model_name", pyarrow.string()),
        ("model_version", pyarrow.int32()),
        ("emotion_model_name", pyarrow.string()),
        ("emotion_model_version", pyarrow.int32()),
    ]
)


class Summary(msgspec.Struct, kw_only=True):
    """What came of a block: `posts` scored, `refused` by reason, `stored` those that were new in PostgreSQL."""

    input: int
    number: int
    bytes: int
    posts: int
    refused: dict[str, int]
    is_last: bool
    stored: int = 0
    is_finished: bool = False


class Output:
    """A folder, here or in an object store. `url` is the same place for a process that runs in another folder."""

    def __init__(self, url: str) -> None:
        try:
            self._fs, self._root = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise ConfigurationError(f"{url} cannot be written to: {error}") from None
        self.url = self._root if isinstance(self._fs, LocalFileSystem) else url

    def begin(self, options: Mapping[str, Any]) -> None:
        """Takes the folder for a backfill with these options; where one was begun, it has to be the same.

        ConfigurationError where it is another one, or where there is something else.
        """
        with _errors(self.url):
            known = self._read_manifest()
            if known is None:
                if self._fs.exists(self._root) and self._fs.ls(self._root):
                    raise ConfigurationError(f"{self.url} holds something else; name a new folder with --output")
                self._write(MANIFEST, _json({"checksum": checksum(options), "options": options}))
                return
            if known["checksum"] != checksum(options):
                raise ConfigurationError(
                    f"{self.url} was begun with other options ({_difference(known['options'], options)}); "
                    "repeat those to go on with it, or name a new folder with --output"
                )
            for name in self._fs.find(self._root):
                if name.endswith(UNFINISHED):
                    self._fs.rm(name)

    def end(self, options: Mapping[str, Any], totals: Mapping[str, Any]) -> None:
        """The manifest with what came of it all."""
        with _errors(self.url):
            self._write(MANIFEST, _json({"checksum": checksum(options), "options": options, "totals": totals}))

    def finished(self) -> dict[int, frozenset[int]]:
        """The blocks that are done, by the number of their input."""
        found: dict[int, set[int]] = {}
        with _errors(self.url):
            for name in self._fs.find(f"{self._root}/results"):
                folder, _, file = name.rpartition("/")
                if file.endswith(".parquet"):
                    number = int(folder.rpartition("input=")[2])
                    found.setdefault(number, set()).add(int(file.removesuffix(".parquet")))
        return {number: frozenset(each) for number, each in found.items()}

    def is_whole(self, number: int, blocks: frozenset[int]) -> bool:
        """Whether these are all blocks of input `number`: the last one says that it is, and none before it lacks."""
        last = max(blocks, default=-1)
        return len(blocks) == last + 1 > 0 and self.summary(number, last, 0).is_last

    def summary(self, number: int, block: int, size: int) -> Summary:
        """What came of a block that is finished."""
        with _errors(self.url), self._fs.open(f"{self._root}/{_results(number, block)}", "rb") as file:
            metadata = parquet.read_metadata(file)
        return Summary(
            input=number,
            number=block,
            bytes=size,
            posts=metadata.num_rows,
            refused=msgspec.json.decode(metadata.metadata[REFUSED], type=dict[str, int]),
            is_last=metadata.metadata[IS_LAST] == b"1",
            is_finished=True,
        )

    def write(
        self,
        number: int,
        block: int,
        rows: Sequence[tuple[int, str, Analysis]],
        refusals: Sequence[Refusal],
        *,
        is_last: bool,
    ) -> dict[str, int]:
        """Both files of a block, `rows` being row, id and analysis; how many were refused for each reason."""
        refused = dict(Counter(each.reason for each in refusals))
        metadata = {IS_LAST: b"1" if is_last else b"0", REFUSED: msgspec.json.encode(refused)}
        columns: dict[str, list[Any]] = {
            name: [getattr(analysis, name) for _, _, analysis in rows] for name in Analysis.__struct_fields__
        }
        columns |= {"row": [row for row, _, _ in rows], "post_id": [post_id for _, post_id, _ in rows]}
        table = pyarrow.table(columns, schema=SCHEMA.with_metadata(metadata))
        content = io.BytesIO()
        parquet.write_table(table, content, compression="zstd")
        with _errors(self.url):
            if refusals:
                encoded = b"".join(msgspec.json.encode(each) + b"\n" for each in refusals)
                self._write(f"rejects/input={number:05}/{block:05}.jsonl", encoded)
            self._write(_results(number, block), content.getvalue())
        return refused

    def _read_manifest(self) -> dict[str, Any] | None:
        try:
            content = self._fs.cat_file(f"{self._root}/{MANIFEST}")
        except FileNotFoundError:
            return None
        try:
            return dict(msgspec.json.decode(content))
        except (msgspec.DecodeError, ValueError):
            raise ConfigurationError(f"{self.url}/{MANIFEST} is not the manifest of a backfill") from None

    def _write(self, name: str, content: bytes) -> None:
        """Whole or not at all, whoever else writes it: they write the same."""
        path = f"{self._root}/{name}"
        if not isinstance(self._fs, LocalFileSystem):
            self._fs.pipe_file(path, content)  # an object appears when the whole of it has arrived
            return
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".{target.name}.{uuid.uuid4().hex}{UNFINISHED}")
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(target)


@contextmanager
def _errors(url: str) -> Iterator[None]:
    """The store's errors in our own terms."""
    try:
        yield
    except OSError as error:
        raise Transient(f"{url} cannot be read or written: {error}") from error


def checksum(options: Mapping[str, Any]) -> str:
    return hashlib.sha256(_json(options)).hexdigest()


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=1)


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    now = msgspec.json.decode(_json(now))
    names = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    return "; ".join(f"{name}: {_short(before.get(name))}, now {_short(now.get(name))}" for name in names[:3])


def _short(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else f"{text[:60]}…"


def _results(number: int, block: int) -> str:
    return f"results/input={number:05}/{block:05}.parquet"
