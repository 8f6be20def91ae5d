"""The rounds of upkeep; an error ends a round, never the worker."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from services.common.cancellation import stop_if_cancelled
from services.common.errors import Transient
from services.common.logging import get_logger
from services.common.partitions import create_partitions
from services.common.settings import Settings
from services.common.source_days_setting import read_source_days
from services.worker.upkeep.closing import close_buckets
from services.worker.upkeep.leader import leading
from services.worker.upkeep.metrics import LAST_ROUND
from services.worker.upkeep.retention import drop_old_days, forget_deletions
from services.worker.upkeep.search_index import index_words
from services.worker.upkeep.source_retention import delete_old_days

log = get_logger(__name__)

INTERVAL_S = 10.0
ROLLBACK_TIMEOUT_S = 2.0
# Any fixed numbers, the same in every version.
STORAGE_LOCK = 7_316_605_515
SEARCH_LOCK = 7_316_605_516


async def keep_storage(dsn: str, settings: Settings) -> None:
    """Runs until it is cancelled: partitions ahead, hours and days closed, old days dropped, also of one source, old
    deletions forgotten, words indexed.
    """

    async def storage() -> bool:
        async with leading(dsn, STORAGE_LOCK) as held:
            if held:
                await create_partitions(held)
                await close_buckets(held)
                await drop_old_days(held, settings.retention_days)
                await delete_old_days(held, read_source_days(settings.retention_days_by_source))
                await forget_deletions(held, settings.deletion_memory_days)
        return True

    async def search() -> bool:
        async with leading(dsn, SEARCH_LOCK) as held:
            return held is None or await index_words(held)

    # Two tasks: an index may take an hour, and tomorrow's partition must not wait for it.
    tasks = [asyncio.create_task(_rounds("storage", storage)), asyncio.create_task(_rounds("search index", search))]
    try:
        await asyncio.gather(*tasks)
    finally:
        await _cancel(tasks)


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Twice: a server that hangs does not answer the ROLLBACK either, which has the time limit of what it ends."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=ROLLBACK_TIMEOUT_S)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _rounds(what: str, action: Callable[[], Awaitable[bool]]) -> None:
    """Round after round, for as long as `action` says that there will be more to do."""
    while True:
        try:
            if not await action():
                return
            LAST_ROUND.labels(what).set_to_current_time()
        except Transient as error:
            log.debug("upkeep waits", what=what, error=str(error))
        except Exception:
            # Posts are stored and read without it, only ever more slowly: it has to be seen, not to end the worker.
            log.exception("upkeep failed", what=what)
        stop_if_cancelled()
        await asyncio.sleep(INTERVAL_S)
