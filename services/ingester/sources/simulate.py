"""The simulated source: people who do not exist, writing about things that do not exist, in moods that drift."""

import secrets
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

from services.common.messages import Post
from services.ingester.sources.base import MAX_BATCH_POSTS, Batch
from services.ingester.sources.health import Health
from services.ingester.sources.pace import Pace
from services.ingester.sources.simulation.feed import Feed


class SimulateSource:
    """Endless posts at `per_minute`; with a seed, the same texts by the same people in every run.

    Ids hold a random run id, so that two runs, of the same seed even, never claim each other's posts. `created_at` is
    the moment of writing.
    """

    name = "simulate"

    def __init__(self, per_minute: float, seed: int | None = None, *, pace: Pace | None = None) -> None:
        self._pace = pace or Pace(per_minute)
        self._feed = Feed(seed, per_minute)
        self._run_id = secrets.token_hex(5)
        # Of the next post, also where it is begun again: no two posts of a run have the same id.
        self._number = 0
        self.health = Health(self.name)

    async def batches(self, position: str | None = None) -> AsyncGenerator[Batch, None]:
        self.health.up()
        while True:
            count = await self._pace.due(MAX_BATCH_POSTS)
            now = datetime.now(UTC)
            batch = Batch([self._post(self._number + i, now) for i in range(count)])
            self._number += count
            yield batch

    def _post(self, number: int, now: datetime) -> Post:
        draft = self._feed.next()
        # Not through `make_post`, which is for what comes from outside; a test holds the two together.
        return Post(
            post_id=f"sim-{self._run_id}-{number}",
            source=draft.source,
            content=draft.content,
            author=draft.author,
            created_at=now,
        )
