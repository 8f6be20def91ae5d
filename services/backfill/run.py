"""`undertone backfill`: what is asked for is checked first, all of it; then block after block, until none is left."""

import asyncio
import os
import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

from services.archives.columns import Columns
from services.archives.reading import check
from services.archives.stores import find
from services.backfill.onnx_runtime import open_in_process
from services.backfill.order import Order
from services.backfill.output import Output, Summary
from services.cli.progress import Progress
from services.cli.server import find_postgres
from services.common.errors import ConfigurationError, Transient
from services.common.migrations.apply import migrate
from services.common.settings import Settings
from services.inference.analyzer import open_analyzer

DONE, NOT_ALL = 0, 1
CHECKS_AT_ONCE = 16
MAX_FAULTS_TOLD = 10
LOG_INTERVAL_S = 60.0
# Scorers that ask the same Triton: one tokenizes while the other waits.
SCORERS_AT_TRITON = 2
# Ray reports to nobody.
QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}
# On one machine it listens on loopback alone (its own switch, named after the systems where that is usual).
ALONE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_enable_metrics_collection": "0"}


def run(settings: Settings, options: Namespace) -> int:
    """DONE, or NOT_ALL where records were refused; UndertoneError says what could not be done."""
    database = find_postgres(settings) if options.postgres else None
    order = _order(settings, options, database.dsn if database else "")
    decisive = order.options(_models(order))
    if database:
        # A schema is not changed through a pooler.
        _prepare(settings.direct_dsn if settings.shares_sessions else database.dsn, database.advice)
    output = Output(order.output)
    output.begin(decisive)
    os.environ |= QUIET
    if not options.address:
        os.environ |= ALONE
    # What runs in other processes is found there as it is here.
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    from services.backfill.cluster import connected, cores, summaries  # noqa: PLC0415 - Ray reads the environment that is set above

    with connected(options.address):
        most = cores()
        wanted = options.processes or (most // order.threads if order.in_process else SCORERS_AT_TRITON)
        scorers = min(max(1, wanted), most)
        with closing(summaries(order, output.finished(), scorers)) as found:
            totals = _follow(found, order)
    output.end(decisive, totals.as_json())
    print(totals.sentence(order))
    return NOT_ALL if totals.refused else DONE


def _order(settings: Settings, options: Namespace, dsn: str) -> Order:
    columns = Columns(options.columns, options.source, whole=bool(dsn))
    inputs = find(options.paths)
    with ThreadPoolExecutor(CHECKS_AT_ONCE) as threads:
        faults = [fault for fault in threads.map(partial(check, columns=columns), inputs) if fault]
    if faults:
        more = [f"and {len(faults) - MAX_FAULTS_TOLD:,} files more"] if len(faults) > MAX_FAULTS_TOLD else []
        raise ConfigurationError("\n".join([*faults[:MAX_FAULTS_TOLD], *more]))
    return Order(
        settings=settings.model_copy(update={"model_repository": settings.model_repository.absolute()}),
        inputs=tuple(inputs),
        columns=columns,
        output=Output(options.output).url,
        dsn=dsn,
        in_process=options.runtime == "onnxruntime",
        block_rows=options.block_rows,
        threads=options.threads,
    )


def _models(order: Order) -> dict[str, int]:
    """The versions in service; also whether there are any."""

    async def ask() -> dict[str, int]:
        opened = open_in_process(order.settings, order.threads) if order.in_process else open_analyzer(order.settings)
        async with opened as analyzer:
            models = await analyzer.models()
            return {loaded.model.name: loaded.model.version for loaded in models.in_service()}

    try:
        return asyncio.run(ask())
    except Transient as error:
        raise Transient(f"{error}; check TRITON_URL, or compute here with --runtime onnxruntime") from error


def _prepare(dsn: str, advice: str) -> None:
    try:
        asyncio.run(migrate(dsn))
    except Transient as error:
        raise Transient(f"{error}; {advice}") from error


class _Totals:
    def __init__(self) -> None:
        self.posts = self.stored = self.bytes = self.blocks = self.before = 0
        self.reasons: Counter[str] = Counter()

    @property
    def refused(self) -> int:
        return self.reasons.total()

    def add(self, summary: Summary) -> None:
        self.blocks += 1
        self.bytes += summary.bytes
        self.posts += summary.posts
        self.stored += summary.stored
        self.before += summary.posts if summary.is_finished else 0
        self.reasons.update(summary.refused)

    def as_json(self) -> dict[str, object]:
        return {"posts": self.posts, "refused": dict(self.reasons), "blocks": self.blocks}

    def sentence(self, order: Order) -> str:
        parts = [f"{self.posts:,} posts are scored in {order.output}/results"]
        if self.before:
            parts.append(f"{self.before:,} of them had been before")
        if order.dsn:
            parts.append(f"{self.stored:,} were new in PostgreSQL")
        if self.refused:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in self.reasons.most_common())
            parts.append(f"{self.refused:,} records were refused, see {order.output}/rejects ({reasons})")
        return "; ".join(parts)


def _follow(found: Iterator[Summary], order: Order) -> _Totals:
    totals = _Totals()
    progress = Progress("scoring", sum(each.size for each in order.inputs), unit="bytes")
    began = told = time.monotonic()
    try:
        for summary in found:
            totals.add(summary)
            now = time.monotonic()
            speed = (totals.posts - totals.before) / max(now - began, 1e-3)
            note = f"{totals.posts:,} posts, {speed:,.0f}/s" + (
                f", {totals.refused:,} refused" if totals.refused else ""
            )
            progress.show(totals.bytes, note)
            if not sys.stderr.isatty() and now - told >= LOG_INTERVAL_S:
                told = now
                progress.say(note)
    except KeyboardInterrupt:
        progress.say(f"stopped; {totals.blocks:,} blocks are finished: the same command goes on with the rest")
        raise
    finally:
        progress.clear()
    return totals
