"""What a caller hears who is refused: 401 without a key, 403 with one that does not suffice, 429 for too much."""

from collections.abc import Iterable
from math import ceil

from fastapi.responses import JSONResponse
from starlette.types import Scope as AsgiScope

from services.api.metrics import AccessReason, ApiMetrics
from services.api.web.problems import NO_KEY, RATE_LIMIT, SCOPE, Kind, error_answer
from services.common.api_keys import Scope, in_order
from services.common.logging import get_logger

log = get_logger(__name__)

CHALLENGE = 'Bearer realm="Undertone"'
# A connection lasts for hours: who has too many of them is to close one.
CONNECTION_RETRY_S = 30


class Refused(Exception):
    """The message is a sentence for the client. `key`: the name of the key that does not suffice."""

    def __init__(
        self,
        reason: AccessReason,
        status: int,
        kind: Kind,
        sentence: str,
        *,
        headers: dict[str, str] | None = None,
        key: str | None = None,
    ) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.status = status
        self.kind = kind
        self.headers = headers or {}
        self.key = key


def missing() -> Refused:
    sentence = "Send an API key: Authorization: Bearer ut_…, or X-API-Key: ut_…"
    return Refused("missing", 401, NO_KEY, sentence, headers={"WWW-Authenticate": CHALLENGE})


def unknown(waits_s: float) -> Refused:
    """`waits_s`: how long until this address may try again; 0: it was not too often yet."""
    if waits_s:
        return _too_much("unknown_often", "Too many wrong keys; try again later.", waits_s)
    headers = {"WWW-Authenticate": f'{CHALLENGE}, error="invalid_token"'}
    return Refused("unknown", 401, NO_KEY, "There is no such API key (any more).", headers=headers)


def scope_too_small(need: Iterable[Scope], key: str | None) -> Refused:
    """A key without any of the scopes in `need`."""
    scopes = in_order(need)
    headers = {"WWW-Authenticate": f'{CHALLENGE}, error="insufficient_scope", scope="{" ".join(scopes)}"'}
    sentence = f"The API key may not do that; it needs the scope {' or '.join(scopes)}."
    return Refused("scope", 403, SCOPE, sentence, headers=headers, key=key)


def unlisted() -> Refused:
    return Refused("unlisted", 403, SCOPE, "No API key may do that.")


def rate(waits_s: float, key: str | None) -> Refused:
    return _too_much("rate", "Too many requests in a minute; try again later.", waits_s, key)


def too_many_connections(most: int, key: str | None) -> Refused:
    sentence = f"Too many live connections, more than {most:,}; close one first."
    return _too_much("connections", sentence, CONNECTION_RETRY_S, key)


def _too_much(reason: AccessReason, sentence: str, waits_s: float, key: str | None = None) -> Refused:
    return Refused(reason, 429, RATE_LIMIT, sentence, headers={"Retry-After": str(ceil(waits_s))}, key=key)


def refusal_answer(scope: AsgiScope, refused: Refused, metrics: ApiMetrics) -> JSONResponse:
    """Counts it; a wrong key is a line in the log, but only as often as it may be tried."""
    metrics.access_refused.labels(refused.reason, refused.key or "").inc()
    if scope["type"] == "websocket":
        metrics.live.refused.labels("access").inc()
    write = log.info if refused.reason == "unknown" else log.debug
    client = scope.get("client")
    write("access_refused", reason=refused.reason, key=refused.key, client=client and client[0])
    return error_answer(scope, refused.status, str(refused), kind=refused.kind, headers=refused.headers)
