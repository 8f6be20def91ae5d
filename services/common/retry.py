"""Waiting for a dependency that is away."""

import asyncio
from collections.abc import Awaitable, Callable

from prometheus_client import Counter

from services.common.backoff import attempts
from services.common.cancellation import stop_if_cancelled
from services.common.circuit import Circuit
from services.common.errors import Transient
from services.common.logging import get_logger

log = get_logger(__name__)

RETRIES = Counter(
    "undertone_retries_total", "Times that something was tried again because a dependency was away", ["what"]
)


async def until_done(
    what: str, action: Callable[[], Awaitable[object]], stopping: asyncio.Event, circuit: Circuit | None = None
) -> bool:
    """Tries `action` for as long as it raises Transient, with jittered exponential back-off up to MAX_BACKOFF_S.

    False if the service was told to stop before it succeeded. Every failure is logged under `what`; with a circuit, it
    is opened by a failure and waited for, and says itself what happens.
    """
    # A wait of seconds must not outlast the order to stop, so the whole loop is given up, not only its next attempt.
    retrying = asyncio.create_task(_retry(what, action, circuit))
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


async def _retry(what: str, action: Callable[[], Awaitable[object]], circuit: Circuit | None) -> bool:
    async for attempt in attempts():
        with attempt:
            try:
                if circuit is not None:
                    await circuit.closed()
                await action()
            except Transient as error:
                stop_if_cancelled()
                RETRIES.labels(what).inc()
                if circuit is not None:
                    circuit.open(error)
                else:
                    log.warning("waiting for a dependency", what=what, attempt=attempt.num, error=str(error))
                raise
    return True
