"""The way into the stream, counted for Prometheus."""

from collections.abc import Sequence

from prometheus_client import Counter, Gauge

from services.common import publisher
from services.common.messages import Published

PUBLISHED = Counter("undertone_ingester_posts_published_total", "Posts and deletions added to the stream")
REFUSED = Counter("undertone_ingester_posts_refused_total", "What the source had and was no post", ["reason"])
HEARTBEAT = Gauge("undertone_ingester_heartbeat_timestamp_seconds", "When the event loop last ran")
HELD_BACK = Gauge("undertone_ingester_held_back", "1 while the ingester waits for the workers to catch up")


class Publisher(publisher.Publisher):
    """`published`: posts that it has added."""

    published = 0

    async def publish(self, posts: Sequence[Published]) -> None:
        await super().publish(posts)
        PUBLISHED.inc(len(posts))
        self.published += len(posts)

    async def has_room(self, count: int) -> bool:
        room = await super().has_room(count)
        HELD_BACK.set(not room)
        return room
