"""The files of an archive: found below paths, globs and URLs, opened and unpacked."""

import gzip
import io
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import BinaryIO, Literal, cast

import fsspec
import msgspec
import pyarrow

from services.common.errors import ConfigurationError, Transient
from services.ingester.sources.files.lines import LineSource, PackingError

Format = Literal["parquet", "csv", "jsonl"]
FORMATS: dict[str, Format] = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
PACKINGS = (".gz", ".zst")
READ_BYTES = 256 * 1024
MAX_INPUTS = 100_000


class Input(msgspec.Struct, frozen=True):
    """A file of the archive. `stamp` changes when the file does; `size` in bytes, packed as it is."""

    url: str
    format: Format
    packing: str
    size: int
    stamp: str

    @property
    def name(self) -> str:
        return PurePosixPath(self.url).name.encode("utf-8", "replace").decode()


def find(paths: Sequence[str]) -> list[Input]:
    """Every file that the paths name, each once, in the order of their names. ConfigurationError if there is none."""
    found: dict[str, Input] = {}
    for path in paths:
        inputs = _below(path)
        if not inputs:
            raise ConfigurationError(f"{path} names no file; check the path, and quote what has * in it")
        found |= {each.url: each for each in inputs}
    if len(found) > MAX_INPUTS:
        raise ConfigurationError(f"{len(found):,} files are more than {MAX_INPUTS:,}; make several backfills of them")
    return [found[url] for url in sorted(found)]


def _below(path: str) -> list[Input]:
    try:
        fs, root = fsspec.core.url_to_fs(path)
        if fs.isdir(root):
            names = [name for name in fs.find(root) if _kind(name)]
        elif fs.exists(root):
            names = [root]
        else:
            names = [name for name in fs.glob(root) if not fs.isdir(name)]
        return [_input(fs, name) for name in names]
    except (ValueError, ImportError) as error:  # an unknown protocol, or one whose package is not there
        raise ConfigurationError(f"{path} cannot be opened: {error}") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be listed ({error}); check the address and your credentials") from None


def _input(fs: fsspec.AbstractFileSystem, name: str) -> Input:
    kind = _kind(name)
    if kind is None:
        raise ConfigurationError(
            f"{name} has no known suffix; expected is {', '.join(FORMATS)}, or a text with {' or '.join(PACKINGS)}"
        )
    return Input(fs.unstrip_protocol(name), *kind, fs.size(name) or 0, str(fs.ukey(name)))


def _kind(name: str) -> tuple[Format, str] | None:
    path = PurePosixPath(name)
    packing = path.suffix.lower() if path.suffix.lower() in PACKINGS else ""
    form = FORMATS.get(PurePosixPath(path.stem).suffix.lower() if packing else path.suffix.lower())
    return None if form is None or (packing and form == "parquet") else (form, packing)


def open_raw(file: Input) -> BinaryIO:
    """The file as it lies there. Transient where it is not to be had now."""
    try:
        return cast(BinaryIO, fsspec.open(file.url, "rb").open())
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
            self._file = io.BufferedReader(_Zstandard(packed), READ_BYTES)
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


class _Zstandard(io.RawIOBase):
    def __init__(self, packed: BinaryIO) -> None:
        self._file = pyarrow.CompressedInputStream(pyarrow.PythonFile(packed, "r"), "zstd")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # likewise
        try:
            piece: bytes = self._file.read(len(buffer))
        except OSError as error:
            raise PackingError(f"the Zstandard data is damaged ({error}); copy or pack it again") from None
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._file.close()
        super().close()
