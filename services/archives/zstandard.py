"""Zstandard, unpacked by Arrow."""

import io

import pyarrow

from services.ingester.sources.files.lines import PackingError


class Zstandard(io.RawIOBase):
    """What a packed file holds. PackingError where its data are damaged."""

    def __init__(self, packed: io.BufferedReader) -> None:
        self._file = pyarrow.CompressedInputStream(pyarrow.PythonFile(packed, "r"), "zstd")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # any buffer, of which memoryview is one
        try:
            piece: bytes = self._file.read(len(buffer))
        except OSError as error:
            raise PackingError(f"the Zstandard data is damaged ({error}); copy or pack it again") from None
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._file.close()
        super().close()
