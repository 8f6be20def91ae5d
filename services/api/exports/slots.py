"""How many downloads there may be at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import HTTPException

RETRY_AFTER_S = 10


class Slots:
    """Whoever comes when all are taken hears at once to come later: a download may take minutes."""

    def __init__(self, at_once: int, what: str = "exports are being downloaded") -> None:
        self._at_once = at_once
        self._what = what
        self.taken = 0

    @property
    def are_taken(self) -> bool:
        return self.taken >= self._at_once

    @contextmanager
    def one(self) -> Iterator[None]:
        """Holds a slot; HTTPException (429) if there is none."""
        if self.are_taken:
            detail = f"{self._at_once} {self._what} already, no more at once; try again shortly."
            raise HTTPException(429, detail, {"Retry-After": str(RETRY_AFTER_S)})
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1
