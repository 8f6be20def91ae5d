"""What a service does again and again beside its work."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from prometheus_client import Gauge

from services.common.cancellation import stop_if_cancelled
from services.common.errors import Transient
from services.common.logging import get_logger

log = get_logger(__name__)

HEARTBEAT_INTERVAL_S = 1.0
# An event loop that has not set its heartbeat for so long hangs.
HEARTBEAT_WITHIN_S = 30.0

# What it is called in the log, what is done, and how many seconds later again.
Round: TypeAlias = tuple[str, Callable[[], Awaitable[None]], float]


def heartbeat(gauge: Gauge) -> Round:
    """Says in `gauge` when the event loop last ran: metrics are served from a thread, also where the loop hangs."""

    async def beat() -> None:
        gauge.set_to_current_time()

    return ("heartbeat", beat, HEARTBEAT_INTERVAL_S)


@asynccontextmanager
async def in_background(*rounds: Round, **others: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs each round again and again, and the others once, until the block ends."""
    tasks = [asyncio.create_task(repeat(*each), name=each[0]) for each in rounds]
    tasks += [asyncio.create_task(work, name=name) for name, work in others.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def repeat(what: str, action: Callable[[], Awaitable[None]], interval_s: float) -> None:
    while True:
        try:
            await action()
        except Transient as error:
            log.debug("a round waits", what=what, error=str(error))
        except Exception:
            # Work goes on without it, for a while: it has to be seen, not to end the service or to end without a word.
            log.exception("a round failed", what=what)
        stop_if_cancelled()
        await asyncio.sleep(interval_s)
