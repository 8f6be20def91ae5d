"""One feed to many browsers: each has a bounded queue of its own, so that a slow one stalls nobody."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from services.api.feed import frames
from services.api.feed.feed_sample import FeedSample
from services.api.feed.frame_queue import FrameQueue
from services.api.metrics import ApiMetrics
from services.common.messages import AlertMessage, ResultsMessage


class TooManyClients(Exception):
    """Every place is taken, or the server is going away."""


class Broadcaster:
    """The browsers that are connected to this process. They see `posts_per_s` posts, of more a sample; 0: all.

    All of them together get `frames_per_s` posts; 0: any number. The more there are, the fewer each of them sees: the
    same ones.
    """

    def __init__(
        self,
        metrics: ApiMetrics,
        *,
        queue_size: int,
        max_clients: int,
        posts_per_s: int = 0,
        frames_per_s: int = 0,
    ) -> None:
        self._metrics = metrics
        self._queue_size = queue_size
        self._max_clients = max_clients
        self._posts_per_s = posts_per_s
        self._frames_per_s = frames_per_s
        self._sample = FeedSample(posts_per_s, monotonic())
        self._queues: set[FrameQueue] = set()
        self._closing = False
        self._nobody = asyncio.Event()
        self._nobody.set()

    @property
    def has_clients(self) -> bool:
        return bool(self._queues)

    @property
    def clients(self) -> int:
        return len(self._queues)

    @contextmanager
    def join(self) -> Iterator[FrameQueue]:
        """The queue of one more browser while the block runs; TooManyClients if there is no place."""
        if self._closing or len(self._queues) >= self._max_clients:
            raise TooManyClients
        queue = FrameQueue(self._queue_size)
        self._queues.add(queue)
        self._nobody.clear()
        self._count_clients()
        try:
            yield queue
        finally:
            self._queues.remove(queue)
            self._count_clients()
            if not self._queues:
                self._nobody.set()

    def _count_clients(self) -> None:
        self._metrics.live.clients.set(len(self._queues))
        share = self._frames_per_s / max(1, len(self._queues))
        # 0 is no limit.
        self._sample.limit(min(filter(None, (self._posts_per_s, share)), default=0))

    def publish(self, message: ResultsMessage | AlertMessage) -> None:
        """Puts a message of the channel into every queue; never waits."""
        if not self._queues:
            return
        if isinstance(message, AlertMessage):
            frame = frames.alert(message)
            dropped = sum([queue.put_alert(frame) for queue in self._queues])
        else:
            shown = self._sample.choose(message.posts, monotonic())
            self._metrics.posts_left_out.inc(len(message.posts) - len(shown))
            # Of a batch longer than a queue only the end could survive in it: the rest need not be encoded.
            kept = shown[-self._queue_size :]
            encoded = [frames.new_post(post) for post in kept]
            dropped = sum([queue.put_posts(encoded) for queue in self._queues])
            dropped += (len(shown) - len(kept)) * len(self._queues)
            if message.deleted:
                frame = frames.deleted(message.deleted)
                dropped += sum([queue.put_deletion(frame) for queue in self._queues])
        self._metrics.live.frames_dropped.inc(dropped)

    async def report_sample(self) -> None:
        """Tells the browsers what share of the posts they see while it is not all. To be called every second."""
        report = self._sample.report(monotonic())
        if report is not None:
            frame = frames.feed(report)
            for queue in self._queues:
                queue.put_latest("feed", frame)

    def publish_counts(self, frame: str) -> None:
        for queue in self._queues:
            queue.put_latest("metrics_update", frame)

    async def close(self) -> None:
        """Sends everybody away and returns when they have gone; the caller sets the time limit."""
        self._closing = True
        for queue in self._queues:
            queue.close()
        await self._nobody.wait()
