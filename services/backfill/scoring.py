"""A block through both models, into PostgreSQL if asked, and into its files."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg

from services.archives.reading import Block, Record, Refusal
from services.backfill.output import Output, Summary
from services.common.circuit import Circuit
from services.common.database import database_errors, open_pool
from services.common.errors import Rejected, Transient
from services.common.messages import AnalysedPost, Analysis
from services.inference.analyzer import Analyzer
from services.worker.isolation import Isolation
from services.worker.store import store

# Posts of one transaction: as many as a worker stores at once.
STORED_AT_ONCE = 1_024


class Analysed(NamedTuple):
    record: Record
    analysis: Analysis


class Scorer:
    """What a block passes through. Waits for as long as Triton or PostgreSQL is away, as a worker does."""

    def __init__(self, analyzer: Analyzer, output: Output, pool: asyncpg.Pool | None) -> None:
        """`pool`: of the database that posts are stored in; None: in none."""
        self._analyzer = analyzer
        self._output = output
        self._pool = pool
        self._analysis = Isolation(self._analyse, Circuit("models", analyzer.check), "analyse", probe_is_proof=True)
        self._storage = Isolation(self._store, Circuit("postgres", self._ask), "store", probe_is_proof=False)

    async def score(self, block: Block) -> Summary:
        """The block's files are there when this returns. Transient where the output's store is away."""
        if block.is_finished:
            return self._output.summary(block.input, block.number, block.bytes)
        analysed, blamed = await self._analysis.run(block.records)
        refusals = [*block.refusals, *(_refusal(record, "model", error) for record, error in blamed)]
        new = 0
        if self._pool is not None:
            refused: set[int] = set()
            for start in range(0, len(analysed), STORED_AT_ONCE):
                stored, unstored = await self._storage.run(analysed[start : start + STORED_AT_ONCE])
                new += len(stored)
                refusals += [_refusal(item.record, "database", error) for item, error in unstored]
                refused.update(item.record.row for item, _ in unstored)
            analysed = [item for item in analysed if item.record.row not in refused]
        rows = [(record.row, record.post.post_id, analysis) for record, analysis in analysed]
        reasons = self._output.write(block.input, block.number, rows, refusals, is_last=block.is_last)
        return Summary(
            input=block.input,
            number=block.number,
            bytes=block.bytes,
            posts=len(rows),
            refused=reasons,
            is_last=block.is_last,
            stored=new,
        )

    async def _analyse(self, records: Sequence[Record]) -> list[Analysed]:
        analyses = await self._analyzer.analyse([record.post.content for record in records])
        return [Analysed(record, analysis) for record, analysis in zip(records, analyses, strict=True)]

    async def _store(self, items: Sequence[Analysed]) -> list[AnalysedPost]:
        assert self._pool is not None
        return await store(self._pool, [(item.record.post, item.analysis) for item in items], datetime.now(UTC))

    async def _ask(self) -> None:
        assert self._pool is not None
        with database_errors():
            await self._pool.fetchval("SELECT 1")


@asynccontextmanager
async def open_scorer(
    analyzer: Analyzer, output: Output, dsn: str, *, shares_sessions: bool = False
) -> AsyncIterator[Scorer]:
    """`dsn`: of the database that posts are stored in; empty: in none. `shares_sessions`: as of `open_pool`."""
    if not dsn:
        yield Scorer(analyzer, output, None)
        return
    async with open_pool(dsn, max_size=1, shares_sessions=shares_sessions) as pool:
        yield Scorer(analyzer, output, pool)


def _refusal(record: Record, whom: str, error: Rejected | Transient) -> Refusal:
    """As the worker's dead letters have it."""
    reason = f"{'rejected_by' if isinstance(error, Rejected) else 'breaks'}_{whom}"
    fields = {"post_id": record.post.post_id, "content": record.post.content}
    return Refusal(row=record.row, reason=reason, error=str(error), fields=fields)
