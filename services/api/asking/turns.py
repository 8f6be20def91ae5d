"""Turns at the models: so many texts are worked on at once, whoever asks them; so many requests wait, in order."""

import asyncio
from collections import deque

from services.api.metrics import InferenceMetrics
from services.api.web.admission import Busy


class Turns:
    """Counted in texts: a batch of 32 long ones is as much work as 32 callers are, and bounds what the models have to
    do before their deadline.

    Beyond `texts_at_work` up to `waiting` requests wait, first come first served, `wait_s` at most; others get Busy.
    """

    def __init__(self, metrics: InferenceMetrics, *, texts_at_work: int, waiting: int, wait_s: float) -> None:
        self._metrics = metrics
        self._all = self._free = texts_at_work
        self._max_waiting = waiting
        self._wait_s = wait_s
        self._queue: deque[tuple[asyncio.Future[None], int]] = deque()

    async def take(self, texts: int) -> int:
        """Returns when it is the turn of so many texts; what it returns is to be given back."""
        # More than there are at all have their turn when nobody else has.
        texts = min(texts, self._all)
        if self._queue or texts > self._free:
            try:
                await self._wait(texts)
            except Busy as busy:
                self._metrics.requests_refused.labels(busy.reason).inc()
                raise
        else:
            self._free -= texts
        self._metrics.texts_at_work.inc(texts)
        return texts

    def give_back(self, texts: int) -> None:
        self._metrics.texts_at_work.dec(texts)
        self._hand_on(texts)

    async def _wait(self, texts: int) -> None:
        if len(self._queue) >= self._max_waiting:
            raise Busy("full")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = (turn, texts)
        self._queue.append(place)
        self._metrics.requests_waiting.inc()
        try:
            async with asyncio.timeout(self._wait_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # it came in the very moment in which we leave
                self._hand_on(texts)
            else:
                self._queue.remove(place)
                self._hand_on(0)  # those behind may need less
            if isinstance(error, TimeoutError):
                raise Busy("waited") from None
            raise
        finally:
            self._metrics.requests_waiting.dec()

    def _hand_on(self, texts: int) -> None:
        self._free += texts
        while self._queue and self._queue[0][1] <= self._free:
            turn, wanted = self._queue[0]
            if turn.cancelled():  # its request takes itself out
                break
            self._queue.popleft()
            self._free -= wanted
            turn.set_result(None)
