"""One line in the log for each request: what was asked for (never with what words), and how it ended."""

from starlette.types import Scope

from services.api.access.callers import CALLER
from services.common.logging import get_logger

log = get_logger(__name__)

READING = frozenset({"GET", "HEAD", "OPTIONS"})
# They change something or compute, but may come a thousand times a second: metrics count them.
TRAFFIC = frozenset({"/api/posts", "/api/analyze", "/predict", "/models/{model}/predict"})


def log_request(scope: Scope, *, method: str, route: str, status: int, duration_s: float, sent_bytes: int) -> None:
    """WARNING: our error. INFO: a request that changes something, successful or not. DEBUG: everything else."""
    if status >= 500:
        write = log.warning
    elif method in READING or route in TRAFFIC or route == "refused":
        write = log.debug
    else:
        write = log.info
    client, caller = scope.get("client"), scope.get(CALLER)
    write(
        "request",
        method=method,
        route=route,
        status=status,
        duration_ms=round(duration_s * 1_000, 2),
        bytes=sent_bytes,
        client=client and client[0],
        **({"key": caller.key} if caller and caller.key else {}),
    )
