"""`python -m services.ingester`: posts from sources into the stream, until all have ended or SIGTERM."""

import argparse
import asyncio
from collections.abc import Sequence
from functools import partial

from services.common.background import heartbeat, in_background
from services.common.dead_letters import DeadLetters
from services.common.errors import ConfigurationError
from services.common.lifecycle import run_service
from services.common.logging import get_logger
from services.common.metrics import serve_metrics
from services.common.retry import until_done
from services.common.rules import make_rules
from services.common.settings import Settings
from services.common.source_states import SourceStore
from services.common.streams import ensure_groups, open_client
from services.ingester.arguments import check_name, parse, rates
from services.ingester.intake import Intake
from services.ingester.publisher import HEARTBEAT, Publisher
from services.ingester.source_report import SourceReport
from services.ingester.sources import Source, SourceOptions, sources_of
from services.ingester.sources.reddit.application import Application
from services.ingester.switch import Switch

log = get_logger(__name__)


def open_sources(arguments: argparse.Namespace, settings: Settings) -> list[Source]:
    """Those that the command line names, not yet started. ConfigurationError says what is wrong with one."""
    check_name(arguments.name)
    names: list[str] = arguments.source
    if len(set(names)) < len(names):
        raise ConfigurationError("a source can be named once; its filters take several values")
    per_minute = rates(arguments.rate, names)
    if "simulate" in names and per_minute["simulate"] is None:
        per_minute["simulate"] = settings.posts_per_minute
    return [
        source
        for name in names
        for source in sources_of(
            name,
            SourceOptions(
                file=arguments.file,
                rate_per_minute=per_minute[name],
                seed=arguments.seed,
                languages=arguments.language,
                keywords=arguments.keyword,
                accounts=arguments.account,
                jetstreams=arguments.jetstream,
                instance=arguments.instance,
                mastodon_token=settings.mastodon_token,
                reblogs=arguments.reblogs,
                bots=arguments.bots,
                subreddits=arguments.subreddit,
                reddit=_reddit_application(settings),
                feeds=arguments.feed,
                feed_interval_s=settings.feed_interval_s,
            ),
        )
    ]


def _reddit_application(settings: Settings) -> Application | None:
    if not settings.reddit_client_id or not settings.reddit_client_secret:
        return None
    return Application(settings.reddit_client_id, settings.reddit_client_secret, settings.reddit_user)


async def main(arguments: argparse.Namespace, settings: Settings, stopping: asyncio.Event) -> None:
    sources = open_sources(arguments, settings)
    streams, group = settings.streams, settings.redis_consumer_group
    async with open_client(settings.redis_dsn, cluster=settings.redis_cluster) as redis:
        publisher = Publisher(redis, streams, group, settings.max_stream_lag, settings.redis_min_replicas)
        dead = DeadLetters(redis, streams)
        store = SourceStore(redis, settings.redis_stream_name, arguments.name)
        rules = make_rules(settings)
        switches = {source.name: Switch() for source in sources}
        report = SourceReport(sources, switches, store)
        intakes = [
            Intake(
                source,
                publisher,
                dead,
                store,
                stopping,
                switch=switches[source.name],
                rules=rules,
                group=group,
                max_lag=settings.max_stream_lag,
            )
            for source in sources
        ]
        with serve_metrics(settings.metrics_host, settings.ingester_metrics_port, "INGESTER_METRICS_PORT"):
            async with in_background(heartbeat(HEARTBEAT), report.round):
                if not (
                    await until_done("start", partial(ensure_groups, redis, streams, group), stopping)
                    # Here as well: who may not read them is told so in a sentence.
                    and await until_done("switches", report.read_switches, stopping)
                ):
                    return
                names = [source.name for source in sources]
                log.info("publishing", sources=names, stream=settings.redis_stream_name, shards=len(streams))
                await run_all(intakes)
            ended = "stopped" if stopping.is_set() else "the source has ended"
            log.info(ended, published=publisher.published)


async def run_all(intakes: Sequence[Intake]) -> None:
    """Until the last has ended; then ConfigurationErrors are raised, in a group, of those that could not go on."""
    results = await asyncio.gather(*(intake.run() for intake in intakes), return_exceptions=True)
    complaints = [result for result in results if isinstance(result, Exception)]
    if complaints:
        raise ExceptionGroup("sources that could not go on", complaints)


if __name__ == "__main__":
    run_service("ingester", partial(main, parse()))
