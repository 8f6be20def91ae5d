"""One feed to many browsers: each has a bounded queue of its own, so that a slow one stalls nobody."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from services.api import frames
from services.api.frame_queue import FrameQueue
from services.api.metrics import ApiMetrics
from services.common.messages import AlertMessage, ResultsMessage


class TooManyClients(Exception):
    """Every place is taken, or the server is going away."""


class Broadcaster:
    """The browsers that are connected to this process."""

    def __init__(self, metrics: ApiMetrics, *, queue_size: int, max_clients: int) -> None:
        self._metrics = metrics
        self._queue_size = queue_size
        self._max_clients = max_clients
        self._queues: set[FrameQueue] = set()
        self._closing = False
        self._nobody = asyncio.Event()
        self._nobody.set()

    @property
    def has_clients(self) -> bool:
        return bool(self._queues)

    @contextmanager
    def join(self) -> Iterator[FrameQueue]:
        """The queue of one more browser while the block runs; TooManyClients if there is no place."""
        if self._closing or len(self._queues) >= self._max_clients:
            raise TooManyClients
        queue = FrameQueue(self._queue_size)
        self._queues.add(queue)
        self._nobody.clear()
        self._metrics.clients.set(len(self._queues))
        try:
            yield queue
        finally:
            self._queues.remove(queue)
            self._metrics.clients.set(len(self._queues))
            if not self._queues:
                self._nobody.set()

    def publish(self, message: ResultsMessage | AlertMessage) -> None:
        """Puts a message of the channel into every queue; never waits."""
        if not self._queues:
            return
        if isinstance(message, AlertMessage):
            frame = frames.alert(message)
            dropped = sum([queue.put_alert(frame) for queue in self._queues])
        else:
            # Of a batch longer than a queue only the end could survive in it: the rest need not be encoded.
            kept = message.posts[-self._queue_size :]
            encoded = [frames.new_post(post) for post in kept]
            dropped = sum([queue.put_posts(encoded) for queue in self._queues])
            dropped += (len(message.posts) - len(kept)) * len(self._queues)
        self._metrics.frames_dropped.inc(dropped)

    def publish_counts(self, frame: str) -> None:
        for queue in self._queues:
            queue.put_latest("metrics_update", frame)

    async def close(self) -> None:
        """Sends everybody away and returns when they have gone; the caller sets the time limit."""
        self._closing = True
        for queue in self._queues:
            queue.close()
        await self._nobody.wait()
