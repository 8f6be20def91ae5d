"""What one API process holds: its connections, its background work, its caches."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import asyncpg

from services.api.alerting.delivery import POLL_INTERVAL_S, TURN_TIMEOUT_S, Courier, WebhookMetrics
from services.api.alerting.rule import Rule
from services.api.alerting.watch import AlertWatch
from services.api.alerting.webhooks import Webhooks, open_webhooks
from services.api.asking.turns import Turns
from services.api.caches import Caches, open_caches
from services.api.deleted_letters import DeletedLetters
from services.api.exports.slots import Slots
from services.api.feed.broadcast import Broadcaster
from services.api.feed.counts import INTERVAL_S, LiveCounts
from services.api.feed.push_trace import pushing
from services.api.feed.subscription import Subscription
from services.api.ingest.intake import Intake
from services.api.ingest.repeats import Repeats
from services.api.metrics import ApiMetrics
from services.api.periodic import Periodic, Work
from services.api.queries.connection import SERVER_LIMITS
from services.api.queries.totals import check_tables
from services.api.statistics.arrivals import Arrivals
from services.api.statistics.watch import INTERVAL_S as LOOK_INTERVAL_S
from services.api.statistics.watch import InferenceWatch, Sources, open_sources
from services.common.cluster import Client, ping
from services.common.database import PLANNING, open_pool
from services.common.dead_letters import DeadLetters
from services.common.messages import ChannelMessage, ResultsMessage
from services.common.migrations.apply import migrate
from services.common.publisher import Publisher
from services.common.retry import until_done
from services.common.rules import make_rules
from services.common.settings import Settings
from services.common.streams import open_client, redis_errors
from services.inference.scorer import Cut, Role, Scored
from services.inference.served import Models
from services.inference.tokenizer import Input

# Beside those of the requests at work: for the probes, the counts, the alert rule, which wait for each other.
OWN_CONNECTIONS = 2
PROBE_INTERVAL_S = 5.0
PROBE_TIMEOUT_S = 3.0
# The first inference after a start may take long on a busy CPU. Two intervals and this: 15 s, the oldest answer.
INFERENCE_TIMEOUT_S = 5.0
WORK_TIMEOUT_S = 15.0
FEED_REPORT_INTERVAL_S = 1.0
LETTERS_INTERVAL_S = 5.0
# The first start brings up the schema; asked before that, every job would complain of missing tables.
MIGRATION_GRACE_S = 2.0


class Inference(Protocol):
    """What the API asks of the models; an Analyzer."""

    async def check(self) -> None:
        """Returns after a real inference on every model; Transient if one did not succeed."""

    async def models(self) -> Models:
        """The models in service; Transient while Triton has not answered yet."""

    async def score(self, inputs: Sequence[Input], roles: Sequence[Role], cut: Cut | None) -> Scored:
        """Every score of each input by the models of these roles; errors as of Scorer.score."""


@dataclass(frozen=True)
class Probes:
    database: Periodic
    redis: Periodic
    triton: Periodic


@dataclass(frozen=True)
class State:
    """`read_pool`: for what may be read a little late, from a replica if there is one."""

    settings: Settings
    pool: asyncpg.Pool
    read_pool: asyncpg.Pool
    redis: Client
    inference: Inference
    turns: Turns
    metrics: ApiMetrics
    broadcaster: Broadcaster
    subscription: Subscription
    arrivals: Arrivals
    watch: InferenceWatch
    watching: Periodic
    counts: LiveCounts
    caches: Caches
    exports: Slots
    intake: Intake
    probes: Probes
    rule: Rule
    alerts: Periodic
    webhooks: Webhooks
    other_work: tuple[Periodic, ...]

    @property
    def periodic(self) -> tuple[Periodic, ...]:
        probes = self.probes
        return (probes.database, probes.redis, probes.triton, self.alerts, self.watching, *self.other_work)

    def background(self, stopping: asyncio.Event) -> list[Coroutine[Any, Any, None]]:
        """Everything that runs beside the web server, for a task group."""
        migrated = asyncio.Event()
        runs = [after(migrated, MIGRATION_GRACE_S, work.run()) for work in self.periodic]
        migrating = migrate_when_possible(self.settings.direct_dsn, stopping, migrated)
        return [migrating, self.subscription.run(stopping), *runs]


@asynccontextmanager
async def open_state(settings: Settings, inference: Inference) -> AsyncIterator[State]:
    """Opens also while everything is away: connections are made when they are first used."""
    pool_size = settings.api_requests_at_work + OWN_CONNECTIONS
    open_api_pool = partial(
        open_pool,
        max_size=pool_size,
        server_settings=PLANNING | SERVER_LIMITS,
        shares_sessions=settings.shares_sessions,
    )
    async with (
        open_api_pool(settings.database_dsn) as pool,
        open_api_pool(settings.read_dsn) if settings.postgres_read_dsn else nullcontext(pool) as read_pool,
        open_client(settings.redis_dsn, cluster=settings.redis_cluster) as redis,
        open_webhooks(settings.webhooks) as webhooks,
        open_sources(settings) as sources,
    ):
        yield build_state(settings, pool, redis, inference, webhooks, sources=sources, read_pool=read_pool)


def build_state(
    settings: Settings,
    pool: asyncpg.Pool,
    redis: Client,
    inference: Inference,
    webhooks: Webhooks,
    *,
    sources: Sources,
    read_pool: asyncpg.Pool,
) -> State:
    metrics = ApiMetrics()
    broadcaster = Broadcaster(
        metrics,
        queue_size=settings.websocket_queue_size,
        max_clients=settings.max_websocket_clients,
        posts_per_s=settings.feed_posts_per_s,
        frames_per_s=settings.feed_frames_per_s,
    )
    arrivals, caches = Arrivals(metrics), open_caches()
    inference_watch = InferenceWatch(sources, inference.models, arrivals, metrics)

    def deliver(message: ChannelMessage) -> None:
        with pushing(message, broadcaster.clients):
            broadcaster.publish(message)
        if isinstance(message, ResultsMessage):
            arrivals.note(message)
        if isinstance(message, ResultsMessage) and message.deleted:
            arrivals.forget(message.deleted)
            caches.first_pages.clear()

    subscription = Subscription(redis, deliver, metrics)
    counts = LiveCounts(read_pool, broadcaster)
    rule = Rule(
        settings.alert_negative_ratio_threshold,
        settings.alert_window_minutes,
        settings.alert_min_posts,
        webhooks=webhooks.names,
    )
    watch = AlertWatch(pool, redis, rule, webhooks.names)
    webhook_metrics = WebhookMetrics(metrics.registry)
    deleted_letters = DeletedLetters(pool, DeadLetters(redis, settings.streams))

    async def ping_redis() -> None:
        with redis_errors():
            await ping(redis)
        await subscription.check()

    async def observe_stream() -> None:
        await metrics.observe_stream(redis, settings.redis_stream_name, settings.streams, settings.redis_consumer_group)

    def probe(name: str, work: Work, timeout_s: float = PROBE_TIMEOUT_S) -> Periodic:
        return Periodic(name, work, metrics, interval_s=PROBE_INTERVAL_S, timeout_s=timeout_s)

    return State(
        settings=settings,
        pool=pool,
        read_pool=read_pool,
        redis=redis,
        inference=inference,
        turns=Turns(
            metrics.inference,
            texts_at_work=settings.api_inference_texts_at_work,
            waiting=settings.api_inferences_waiting,
            wait_s=settings.api_wait_s,
        ),
        metrics=metrics,
        broadcaster=broadcaster,
        subscription=subscription,
        arrivals=arrivals,
        watch=inference_watch,
        watching=Periodic(
            "inference", inference_watch.look, metrics, interval_s=LOOK_INTERVAL_S, timeout_s=WORK_TIMEOUT_S
        ),
        counts=counts,
        caches=caches,
        exports=Slots(settings.api_exports_at_once),
        intake=Intake(
            Publisher(
                redis,
                settings.streams,
                settings.redis_consumer_group,
                settings.max_stream_lag,
                settings.redis_min_replicas,
            ),
            metrics.ingest,
            Slots(settings.api_ingests_at_once, "requests are sending posts"),
            Repeats(redis, settings.streams),
            rules=make_rules(settings),
            max_lag=settings.max_stream_lag,
        ),
        probes=Probes(
            database=probe("database", lambda: check_tables(pool)),
            redis=probe("redis", ping_redis),
            triton=probe("triton", inference.check, INFERENCE_TIMEOUT_S),
        ),
        rule=rule,
        webhooks=webhooks,
        alerts=Periodic(
            "alerts", watch.run_once, metrics, interval_s=settings.alert_interval_s, timeout_s=WORK_TIMEOUT_S
        ),
        other_work=(
            Periodic("live_counts", counts.publish, metrics, interval_s=INTERVAL_S, timeout_s=WORK_TIMEOUT_S),
            Periodic(
                "feed_share",
                broadcaster.report_sample,
                metrics,
                interval_s=FEED_REPORT_INTERVAL_S,
                timeout_s=WORK_TIMEOUT_S,
            ),
            probe("stream", observe_stream),
            Periodic(
                "deleted_letters",
                deleted_letters.run_once,
                metrics,
                interval_s=LETTERS_INTERVAL_S,
                timeout_s=WORK_TIMEOUT_S,
            ),
            *(
                Periodic(
                    f"webhook_{name}",
                    Courier(pool, webhooks, name, webhook_metrics).run_once,
                    metrics,
                    interval_s=POLL_INTERVAL_S,
                    timeout_s=TURN_TIMEOUT_S,
                )
                for name in webhooks.names
            ),
        ),
    )


async def migrate_when_possible(dsn: str, stopping: asyncio.Event, migrated: asyncio.Event) -> None:
    """Brings the schema up to date as soon as the database is there; ConfigurationError if it refuses us."""
    if await until_done("migrations", lambda: migrate(dsn), stopping):
        migrated.set()


async def after(event: asyncio.Event, grace_s: float, work: Coroutine[Any, Any, None]) -> None:
    """Runs `work` once the event is set, or `grace_s` seconds later all the same."""
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), grace_s)
        await work
    finally:
        work.close()
