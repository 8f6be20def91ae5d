"""`python -m services.worker`: one worker; start as many as you like."""

import asyncio
from contextlib import AsyncExitStack

import asyncpg

from services.common.background import heartbeat, in_background
from services.common.circuit import Circuit
from services.common.cluster import Client, ping
from services.common.database import database_errors, open_pool
from services.common.dead_letters import DeadLetters
from services.common.lifecycle import run_service
from services.common.logging import get_logger
from services.common.metrics import serve_metrics
from services.common.migrations.apply import migrate
from services.common.retry import until_done
from services.common.settings import Settings
from services.common.streams import ensure_groups, open_client, redis_errors, total_state, trim_processed
from services.inference.analyzer import open_analyzer
from services.worker import metrics
from services.worker.authors import ROUND_INTERVAL_S as AUTHORS_INTERVAL_S
from services.worker.authors import DeletedAuthors
from services.worker.consumer import Consumer, Reader, joined
from services.worker.conveyor import Conveyor
from services.worker.pipeline import Pipeline
from services.worker.sharing.consumer import SharedConsumer
from services.worker.sharing.leases import Leases
from services.worker.sharing.share import ROUND_INTERVAL_S, Share
from services.worker.upkeep.run import keep_storage

log = get_logger(__name__)

HOUSEKEEPING_INTERVAL_S = 5.0
# What is in hand is held this many times before it could count as idle.
HOLDS_BEFORE_IDLE = 4
# A batch that waits for a dependency when the worker is told to stop is left to the others after this long.
DRAIN_TIMEOUT_S = 10.0


async def main(settings: Settings, stopping: asyncio.Event) -> None:
    async with (
        open_client(settings.redis_dsn, cluster=settings.redis_cluster) as redis,
        open_pool(settings.database_dsn, max_size=2, shares_sessions=settings.shares_sessions) as pool,
        open_analyzer(settings) as analyzer,
    ):
        streams, group = settings.streams, settings.redis_consumer_group
        consumer, share = readers(redis, settings, stopping)

        async def ping_redis() -> None:
            with redis_errors():
                await ping(redis)

        async def ask_postgres() -> None:
            with database_errors():
                await pool.fetchval("SELECT 1")

        circuits = {
            "redis": Circuit("redis", ping_redis),
            "postgres": Circuit("postgres", ask_postgres),
            # A real inference: Triton says ready also when the process behind a model is dead.
            "triton": Circuit("triton", analyzer.check),
        }
        pipeline = Pipeline(
            consumer,
            analyzer,
            pool,
            DeadLetters(redis, streams),
            triton=circuits["triton"],
            postgres=circuits["postgres"],
        )
        conveyor = Conveyor(
            consumer,
            pipeline,
            circuits["redis"],
            batch_posts=settings.worker_batch_size,
            in_flight=settings.worker_batches_in_flight,
        )
        authors = DeletedAuthors(pool, redis, circuits["redis"], stopping)
        prepared = False

        async def prepare() -> None:
            await migrate(settings.direct_dsn)
            await ensure_groups(redis, streams, group)
            await analyzer.models()

        async def keep_house() -> None:
            for stream in consumer.reading:
                await trim_processed(redis, stream)
            await consumer.forget_dead_consumers()
            state = await total_state(redis, streams, group)
            metrics.LAG.set(state.lag)
            metrics.PENDING.set(state.pending)

        def is_ready() -> bool:
            return prepared and not any(circuit.is_open for circuit in circuits.values())

        metrics.READY.set_function(is_ready)
        with serve_metrics(settings.metrics_host, settings.worker_metrics_port, "WORKER_METRICS_PORT"):
            async with in_background(heartbeat(metrics.HEARTBEAT)):
                if not await until_done("start", prepare, stopping):
                    return
                async with AsyncExitStack() as stack:
                    if share is not None:
                        stack.push_async_callback(share.leave)
                    await stack.enter_async_context(joined(consumer))
                    prepared = True
                    log.info("reading", stream=settings.redis_stream_name, shards=len(streams), consumer=consumer.name)
                    upkeep = {}
                    if settings.worker_upkeep:
                        upkeep["storage"] = keep_storage(settings.direct_dsn, settings)
                    hold_interval_s = settings.worker_claim_idle_ms / 1_000 / HOLDS_BEFORE_IDLE
                    async with in_background(
                        ("housekeeping", keep_house, HOUSEKEEPING_INTERVAL_S),
                        ("holding", consumer.hold, hold_interval_s),
                        ("deleted authors", authors.round, AUTHORS_INTERVAL_S),
                        *([("shards", share.round, ROUND_INTERVAL_S)] if share else []),
                        **upkeep,
                    ):
                        await work(conveyor, pool, stopping)
            if conveyor.abandoned:
                log.warning("stopped with posts unacknowledged; others take them over", count=conveyor.abandoned)
            else:
                log.info("stopped; everything that was read is stored and acknowledged")


def readers(redis: Client, settings: Settings, stopping: asyncio.Event) -> tuple[Reader, Share | None]:
    """What reads the one stream, or this worker's share of several."""
    streams, group = settings.streams, settings.redis_consumer_group
    count, block_ms, claim_idle_ms = (
        settings.worker_batch_size,
        settings.worker_block_ms,
        settings.worker_claim_idle_ms,
    )
    if len(streams) == 1:
        return Consumer(redis, streams[0], group, count=count, block_ms=block_ms, claim_idle_ms=claim_idle_ms), None
    consumer = SharedConsumer(redis, group, count=count, block_ms=block_ms, claim_idle_ms=claim_idle_ms)
    return consumer, Share(consumer, Leases(redis, settings.redis_stream_name, consumer.name), streams, stopping)


async def work(conveyor: Conveyor, pool: asyncpg.Pool, stopping: asyncio.Event) -> None:
    """Until the worker is told to stop; what it has read by then is finished first, within DRAIN_TIMEOUT_S."""
    gave_up = asyncio.Event()

    def give_up(drained: asyncio.Task[None]) -> None:
        gave_up.set()
        if not drained.cancelled():
            # Who is cancelled in mid-query asks the server to cancel it as well, and waits for that. One that hangs
            # would never answer.
            pool.terminate()

    drained = asyncio.create_task(after(stopping, DRAIN_TIMEOUT_S))
    drained.add_done_callback(give_up)
    try:
        await conveyor.run(stopping, gave_up)
    finally:
        drained.cancel()
        await asyncio.gather(drained, return_exceptions=True)


async def after(event: asyncio.Event, seconds: float) -> None:
    await event.wait()
    await asyncio.sleep(seconds)


if __name__ == "__main__":
    run_service("worker", main)
