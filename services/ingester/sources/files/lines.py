"""The lines of a plain or gzipped file, in constant memory whatever the file holds."""

import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from services.common.errors import ConfigurationError

# The longest post has 40,000 characters; a line of this size is no post, and none is ever held in memory.
MAX_LINE_BYTES = 1_000_000
_SKIP_BYTES = 64 * 1024
_UTF8_BOM = b"\xef\xbb\xbf"


class LineSource(Protocol):
    """What `lines` asks of a file."""

    def readline(self, limit: int, /) -> bytes:
        """Up to `limit` bytes of the next line, its end included; empty at the end of the file."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line with its end. `too_long`: only the first MAX_LINE_BYTES of it, the rest was skipped."""

    number: int
    raw: bytes
    too_long: bool = False


class DamagedFile(Exception):
    """The file cannot be read beyond this line; the message says why."""

    def __init__(self, line_number: int, message: str) -> None:
        super().__init__(message)
        self.line_number = line_number


class PackingError(Exception):
    """What a file raises that is packed in another way, where its data are damaged; the message says so."""


def open_lines(path: Path) -> BinaryIO:
    """The file, opened and unpacked. ConfigurationError if there is nothing to read, or nothing that can be read."""
    try:
        if not path.exists():
            raise ConfigurationError(f"there is no file {path}; check the path")
        if not path.is_file():
            raise ConfigurationError(f"{path} is not a file; name one file of posts")
        raw = path.open("rb")
    except OSError as error:  # looking for it may fail as well: names have a limit, folders permissions
        raise ConfigurationError(f"{path} cannot be opened ({error.strerror}); check path and permissions") from None
    file: BinaryIO = cast(BinaryIO, _GzipStream(raw)) if path.suffix.lower() == ".gz" else raw
    try:
        first = file.read(1)
        file.seek(0)
    except (gzip.BadGzipFile, zlib.error, EOFError):
        file.close()
        raise ConfigurationError(f"{path} is no complete gzip file; pack it again, or drop .gz from its name") from None
    if not first:
        file.close()
        raise ConfigurationError(f"{path} is empty; name a file with at least one post")
    return file


def lines(file: LineSource) -> Iterator[Line]:
    """Every line from the start, without a byte order mark; DamagedFile where reading stops early."""
    number = 0
    while True:
        number += 1
        try:
            raw = file.readline(MAX_LINE_BYTES + 1)
            too_long = len(raw) > MAX_LINE_BYTES and not raw.endswith(b"\n")
            if too_long:
                _skip_rest(file)
        except EOFError:
            raise DamagedFile(number, "the file ends in the middle of its gzip data; copy or pack it again") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise DamagedFile(number, f"the gzip data is damaged ({error}); copy or pack it again") from None
        except PackingError as error:
            raise DamagedFile(number, str(error)) from None
        except OSError as error:
            raise DamagedFile(number, f"the disk reports {error.strerror or error}") from None
        if not raw:
            return
        yield Line(number, raw.removeprefix(_UTF8_BOM) if number == 1 else raw, too_long)


def _skip_rest(file: LineSource) -> None:
    while (piece := file.readline(_SKIP_BYTES)) and not piece.endswith(b"\n"):
        pass


class _GzipStream(io.BufferedReader):
    """Unpacks in large steps, and closes the packed file as well, which GzipFile leaves open."""

    def __init__(self, packed: BinaryIO) -> None:
        super().__init__(cast(io.RawIOBase, gzip.GzipFile(fileobj=packed, mode="rb")), 256 * 1024)
        self._packed = packed

    def close(self) -> None:
        super().close()
        self._packed.close()
