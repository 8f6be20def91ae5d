"""Waiting for a dependency that is away."""

import asyncio
from collections.abc import Awaitable, Callable

import stamina
from prometheus_client import Counter

from services.common.cancellation import stop_if_cancelled
from services.common.errors import Transient
from services.common.logging import get_logger

log = get_logger(__name__)

# We say ourselves what is waited for; the library would say it a second time.
stamina.instrumentation.set_on_retry_hooks([])

INITIAL_BACKOFF_S = 0.1
MAX_BACKOFF_S = 10.0
RETRIES = Counter(
    "undertone_retries_total", "Times that something was tried again because a dependency was away", ["what"]
)


async def until_done(what: str, action: Callable[[], Awaitable[object]], stopping: asyncio.Event) -> bool:
    """Tries `action` for as long as it raises Transient, with jittered exponential back-off up to MAX_BACKOFF_S.

    False if the service was told to stop before it succeeded. Every failure is logged under `what`.
    """
    # A wait of seconds must not outlast the order to stop, so the whole loop is given up, not only its next attempt.
    retrying = asyncio.create_task(_retry(what, action))
    stop = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({retrying, stop}, return_when=asyncio.FIRST_COMPLETED)
        if retrying.cancelled():
            # Nobody but us may cancel it. As a cancellation this would end the caller without a word.
            raise RuntimeError(f"{what}: its task was cancelled from within")
        if retrying.done():
            return retrying.result()
        return False
    finally:
        stop.cancel()
        retrying.cancel()
        await asyncio.gather(stop, retrying, return_exceptions=True)


async def _retry(what: str, action: Callable[[], Awaitable[object]]) -> bool:
    async for attempt in stamina.retry_context(
        on=Transient,
        attempts=None,
        timeout=None,
        wait_initial=INITIAL_BACKOFF_S,
        wait_max=MAX_BACKOFF_S,
        wait_jitter=1.0,
    ):
        with attempt:
            try:
                await action()
            except Transient as error:
                stop_if_cancelled()
                RETRIES.labels(what).inc()
                log.warning("waiting for a dependency", what=what, attempt=attempt.num, error=str(error))
                raise
    return True
