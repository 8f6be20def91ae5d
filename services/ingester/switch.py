"""Whether a source is wanted at the moment."""

import asyncio


class Switch:
    """Of one source. Neither `on` nor `off` until Redis has been asked: one that was switched off gives nothing."""

    def __init__(self) -> None:
        self.on = asyncio.Event()
        self.off = asyncio.Event()

    def turn(self, *, on: bool) -> None:
        now, before = (self.on, self.off) if on else (self.off, self.on)
        now.set()
        before.clear()
