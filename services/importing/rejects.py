"""Records that are no posts, with the reason, as JSON Lines beside the file that they are of."""

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from services.archives.reading import Refusal
from services.common.errors import ConfigurationError


class Rejects:
    """Written from `position` on, in bytes: what is behind it was written by who was stopped, and comes again.

    There is no file while there is nothing in it. ConfigurationError if it cannot be written.
    """

    def __init__(self, path: Path, position: int) -> None:
        self.path = path
        self._file: BinaryIO | None = None
        self._position = position

    def __enter__(self) -> Self:
        try:
            if self._position or self.path.exists():
                self._open()
        except OSError as error:
            raise self._cannot(error) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

    def write(self, refusals: Sequence[Refusal]) -> int:
        """The position behind them, when they are on the disk."""
        if not refusals:
            return self._position
        try:
            file = self._file or self._open()
            file.write(b"".join(msgspec.json.encode(refusal) + b"\n" for refusal in refusals))
            file.flush()
            os.fsync(file.fileno())
            self._position = file.tell()
        except OSError as error:
            raise self._cannot(error) from None
        return self._position

    def _open(self) -> BinaryIO:
        self._file = self.path.open("ab")
        # Somebody may have taken it away meanwhile.
        self._file.truncate(min(self._position, self._file.tell()))
        self._file.seek(0, os.SEEK_END)
        return self._file

    def _cannot(self, error: OSError) -> ConfigurationError:
        return ConfigurationError(f"{self.path} cannot be written ({error.strerror}); name a folder with --rejects")
