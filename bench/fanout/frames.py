"""Frames out of a server's bytes. A server's are not masked and, here, whole; no more is needed, and it costs little:
with a thousand browsers on the same cores, a full client would measure itself.
"""

from collections.abc import Iterator

TEXT, CLOSE = 0x1, 0x8
# In a frame's second byte: the length follows in so many bytes.
EXTENDED = {126: 2, 127: 8}


class FrameReader:
    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """(opcode, payload) of each frame that is complete."""
        buffer = self._rest + data if self._rest else data
        position = 0
        while (end := self._end(buffer, position)) is not None:
            begin, stop = end
            yield buffer[position] & 0x0F, buffer[begin:stop]
            position = stop
        self._rest = buffer[position:]

    @staticmethod
    def _end(buffer: bytes, position: int) -> tuple[int, int] | None:
        """Where the payload begins and ends; None where the frame is not complete."""
        if len(buffer) < position + 2:
            return None
        length, begin = buffer[position + 1] & 0x7F, position + 2
        if length in EXTENDED:
            size = EXTENDED[length]
            if len(buffer) < begin + size:
                return None
            length, begin = int.from_bytes(buffer[begin : begin + size]), begin + size
        return (begin, begin + length) if len(buffer) >= begin + length else None
