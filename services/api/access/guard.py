"""Before anything else is done for a request: whether its caller may do that."""

from contextlib import AbstractContextManager, ExitStack, nullcontext

from starlette.types import ASGIApp, Receive, Scope, Send

from services.api.access.callers import CALLER, Callers
from services.api.access.refusals import Refused, refusal_answer, unlisted
from services.api.access.scopes import Needs
from services.api.metrics import ApiMetrics


class AccessGuard:
    """Around every route and every file, so that none can be forgotten. A live connection is refused before it opens.

    The caller is in the ASGI scope for those who come after, and for the log.
    """

    def __init__(self, app: ASGIApp, callers: Callers, needs: Needs, metrics: ApiMetrics) -> None:
        self._app = app
        self._callers = callers
        self._needs = needs
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        with ExitStack() as place:
            try:
                place.enter_context(self._admit(scope))
            except Refused as refused:
                await refusal_answer(scope, refused, self._metrics)(scope, receive, send)
                return
            await self._app(scope, receive, send)

    def _admit(self, scope: Scope) -> AbstractContextManager[None]:
        """What is held while the caller is served: the place of a live connection."""
        need = self._needs.of(scope)
        if need is None and self._callers.need_keys:
            raise unlisted()
        if not need:
            return nullcontext()
        caller = scope[CALLER] = self._callers.known_caller(scope)
        self._callers.admit(caller, need)
        return self._callers.connection(caller) if scope["type"] == "websocket" else nullcontext()
