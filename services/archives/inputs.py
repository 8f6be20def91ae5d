"""A file of posts, opened and unpacked. What is plain or gzipped needs nothing but Python."""

import gzip
import importlib
import io
import os
import sys
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal, cast

import msgspec

from services.common.errors import ConfigurationError, Transient
from services.ingester.sources.files.lines import LineSource

Format = Literal["parquet", "csv", "tsv", "jsonl"]
FORMATS: dict[str, Format] = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
PACKINGS = (".gz", ".zst")
EXPECTED = f"expected is {', '.join(FORMATS)}, or a text with {' or '.join(PACKINGS)}"
READ_BYTES = 256 * 1024
STANDARD_INPUT = "-"


class Input(msgspec.Struct, frozen=True):
    """A file of an archive. `stamp` changes when the file does; `size` in bytes, packed as it is, 0 if not known."""

    url: str
    format: Format
    packing: str
    size: int
    stamp: str

    @property
    def name(self) -> str:
        if self.url == STANDARD_INPUT:
            return "standard input"
        return PurePosixPath(self.url).name.encode("utf-8", "replace").decode()


def kind_of(name: str) -> tuple[Format, str] | None:
    """Format and packing that the suffixes of a name tell; None if they tell none."""
    path = PurePosixPath(name)
    packing = path.suffix.lower() if path.suffix.lower() in PACKINGS else ""
    form = FORMATS.get(PurePosixPath(path.stem).suffix.lower() if packing else path.suffix.lower())
    return None if form is None or (packing and form == "parquet") else (form, packing)


def local(path: Path) -> Input:
    """A file of this machine. ConfigurationError if there is none, or its suffix is not known."""
    kind = kind_of(path.name)
    if kind is None:
        raise ConfigurationError(f"{path} has no known suffix; {EXPECTED}")
    try:
        facts = path.stat()
        if not path.is_file():
            raise ConfigurationError(f"{path} is not a file; name files of posts")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be opened ({error.strerror}); check path and permissions") from None
    return Input(os.fspath(path.absolute()), *kind, facts.st_size, f"{facts.st_ino} {facts.st_mtime_ns}")


def standard_input(suffixes: str) -> Input:
    """What is piped to us, in the format that a file with such suffixes has ("jsonl.gz")."""
    kind = kind_of(f"posts.{suffixes}")
    if kind is None or kind[0] == "parquet":
        raise ConfigurationError("standard input is a text: jsonl, csv or tsv, or one of them with .gz or .zst")
    return Input(STANDARD_INPUT, *kind, 0, "")


def with_extra(module: str) -> Any:
    """A module of ours that needs what the services do not. ConfigurationError says how to get it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"Parquet, .zst and stores need the extra `archives` ({error}): pip install 'undertone[archives]'"
        ) from None


def open_raw(file: Input) -> BinaryIO:
    """The file as it lies there. Transient where it is not to be had now."""
    if file.url == STANDARD_INPUT:
        return sys.stdin.buffer
    if "://" in file.url:
        return cast(BinaryIO, with_extra("services.archives.stores").open_url(file.url))
    try:
        return Path(file.url).open("rb")
    except OSError as error:
        raise Transient(f"{file.url} cannot be opened: {error}") from error


class TextFile(LineSource):
    """A file of lines, unpacked, in constant memory. A store that fails is Transient: the file is not to blame."""

    def __init__(self, file: Input) -> None:
        self._raw = _Raw(open_raw(file), file.url)
        packed = io.BufferedReader(cast(io.RawIOBase, self._raw), READ_BYTES)
        if file.packing == ".gz":
            self._file = io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=packed, mode="rb")), READ_BYTES)
        elif file.packing == ".zst":
            self._file = io.BufferedReader(with_extra("services.archives.zstandard").Zstandard(packed), READ_BYTES)
        else:
            self._file = packed

    @property
    def position(self) -> int:
        """How many bytes were read of the file as it lies there."""
        return self._raw.position

    def readline(self, limit: int, /) -> bytes:
        return self._file.readline(limit)

    def close(self) -> None:
        self._file.close()
        self._raw.close()


class _Raw(io.RawIOBase):
    """Counts what is read, and tells a failing store from damaged data."""

    def __init__(self, file: BinaryIO, url: str) -> None:
        self._file = file
        self._url = url
        self.position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # any buffer, of which memoryview is one
        try:
            piece = self._file.read(len(buffer))
        except OSError as error:
            raise Transient(f"{self._url} cannot be read on: {error}") from error
        buffer[: len(piece)] = piece
        self.position += len(piece)
        return len(piece)

    def close(self) -> None:
        self._file.close()
        super().close()
