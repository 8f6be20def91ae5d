"""Permits before work: so many requests are worked on, so many wait in order, the others hear at once to come later."""

import asyncio
import random

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.metrics import ApiMetrics
from services.api.web.problems import error_answer

PATHS = "/api/"
# They cost next to nothing, and whoever looks after an overloaded server needs them.
# Those that ask the models need no database; they have turns of their own (turns.py).
FREE_PATHS = frozenset(
    {"/api/health", "/api/inference", "/api/openapi.json", "/api/analyze", "/api/models", "/api/session"}
)
# It needs no database either, and may take a minute; how many there are at once is limited by itself (intake.py).
FREE = ("POST", "/api/posts")
# Any of these, so that those who were refused together do not come back together.
RETRY_AFTER_S = (1, 2, 3)


class Busy(Exception):
    """No permit; `reason` is "full" (too many wait already) or "waited" (for too long)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Permits:
    """At most `at_work` are out. For the next one up to `waiting` wait, first come first served, `wait_s` at most."""

    def __init__(self, metrics: ApiMetrics, *, at_work: int, waiting: int, wait_s: float) -> None:
        self._free = asyncio.Semaphore(at_work)
        self._max_waiting = waiting
        self._wait_s = wait_s
        self._at_work = metrics.requests_at_work
        self._waiting = 0
        self._waiting_gauge = metrics.requests_waiting

    async def take(self) -> None:
        """Returns with a permit, which is to be given back; Busy if there is none in time."""
        if self._free.locked():
            await self._wait()
        else:
            await self._free.acquire()
        self._at_work.inc()

    def give_back(self) -> None:
        self._at_work.dec()
        self._free.release()

    async def _wait(self) -> None:
        if self._waiting >= self._max_waiting:
            raise Busy("full")
        self._count(+1)
        try:
            async with asyncio.timeout(self._wait_s):
                await self._free.acquire()
        except TimeoutError:
            raise Busy("waited") from None
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        self._waiting += change
        self._waiting_gauge.set(self._waiting)


class Admission:
    """Around the routes: a request of the API needs a permit until its answer begins. Refused ones get 429."""

    def __init__(self, app: ASGIApp, permits: Permits, metrics: ApiMetrics) -> None:
        self._app = app
        self._permits = permits
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_free(scope["method"], scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            await self._permits.take()
        except Busy as busy:
            self._metrics.requests_refused.labels(busy.reason).inc()
            headers = {"Retry-After": str(random.choice(RETRY_AFTER_S))}
            answer = error_answer(scope, 429, "Too many requests at once; try again in a moment.", headers=headers)
            await answer(scope, receive, send)
            return
        is_out = True

        def give_back() -> None:
            nonlocal is_out
            if is_out:
                is_out = False
                self._permits.give_back()

        async def send_and_give_back(message: Message) -> None:
            # The work is done. Who reads the answer slowly takes up no place of those who wait.
            if message["type"] == "http.response.start":
                give_back()
            await send(message)

        try:
            await self._app(scope, receive, send_and_give_back)
        finally:
            give_back()


def _is_free(method: str, path: str) -> bool:
    return not path.startswith(PATHS) or path in FREE_PATHS or (method, path) == FREE
