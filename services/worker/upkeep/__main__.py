"""`python -m services.worker.upkeep`: the keeper, which does the upkeep of workers with WORKER_UPKEEP=false.

It needs the role that owns the schema; the workers then need no right to change it. A second one waits for the first.
"""

import asyncio

from prometheus_client import Gauge

from services.common.background import heartbeat, in_background
from services.common.lifecycle import run_service
from services.common.logging import get_logger
from services.common.metrics import serve_metrics
from services.common.migrations.apply import migrate
from services.common.retry import until_done
from services.common.settings import Settings
from services.worker.upkeep.run import keep_storage

log = get_logger(__name__)

# Not where workers would have it, too, and never set it.
HEARTBEAT = Gauge("undertone_keeper_heartbeat_timestamp_seconds", "When the event loop last ran")


async def main(settings: Settings, stopping: asyncio.Event) -> None:
    with serve_metrics(settings.metrics_host, settings.keeper_metrics_port, "KEEPER_METRICS_PORT"):
        async with in_background(heartbeat(HEARTBEAT)):
            if not await until_done("start", lambda: migrate(settings.direct_dsn), stopping):
                return
            async with in_background(storage=keep_storage(settings.direct_dsn, settings)):
                log.info(
                    "keeping the storage",
                    retention_days=settings.retention_days,
                    by_source=settings.retention_days_by_source,
                )
                await stopping.wait()
    log.info("stopped")


if __name__ == "__main__":
    run_service("keeper", main)
