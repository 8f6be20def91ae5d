"""A source that may not give more than so many posts a minute."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from services.ingester.sources.base import Batch, Source
from services.ingester.sources.health import Health
from services.ingester.sources.pace import Pace


class Limited:
    """Another source, of which what is above the rate is skipped and counted: what is live cannot be told to wait."""

    def __init__(self, source: Source, per_minute: float, *, pace: Pace | None = None) -> None:
        self._source = source
        self._pace = pace or Pace(per_minute)

    @property
    def name(self) -> str:
        return self._source.name

    @property
    def health(self) -> Health:
        return self._source.health

    async def batches(self, position: str | None = None) -> AsyncGenerator[Batch, None]:
        async with aclosing(self._source.batches(position)) as batches:
            async for batch in batches:
                count = self._pace.take(len(batch.items))
                self.health.skipped("rate", len(batch.items) - count)
                yield replace(batch, items=batch.items[:count])
