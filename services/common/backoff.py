"""How long to wait before something is tried again."""

from collections.abc import AsyncIterable

import stamina

from services.common.errors import Transient

# We say ourselves what is waited for; the library would say it a second time.
stamina.instrumentation.set_on_retry_hooks([])

INITIAL_BACKOFF_S = 0.1
MAX_BACKOFF_S = 10.0
# Of a probe, which costs next to nothing, while everything waits for it.
MAX_PROBE_BACKOFF_S = 3.0
# Added to each wait, at random up to this: what failed together shall not come back together.
JITTER_S = 1.0


def attempts(most: int | None = None) -> AsyncIterable[stamina.Attempt]:
    """Attempts for as long as they raise Transient, at most so many, with jittered exponential waits between."""
    return _attempts(most, MAX_BACKOFF_S)


def probes() -> AsyncIterable[stamina.Attempt]:
    """The same for what costs little: without end, and without long waits."""
    return _attempts(None, MAX_PROBE_BACKOFF_S)


def _attempts(most: int | None, wait_max_s: float) -> AsyncIterable[stamina.Attempt]:
    return stamina.retry_context(
        on=Transient,
        attempts=most,
        timeout=None,
        wait_initial=INITIAL_BACKOFF_S,
        wait_max=wait_max_s,
        wait_jitter=JITTER_S,
    )
