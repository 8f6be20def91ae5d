"""What waits for one browser."""

import asyncio
from collections import deque
from collections.abc import Sequence

# Alerts come at most a few an hour; a browser that missed so many reads them from /api/alerts.
MAX_ALERTS = 64
# Each has the deletions of a whole batch. A page that missed so many reads of them when it is loaded again.
MAX_DELETIONS = 256


class QueueClosed(Exception):
    """The server is going away."""


class FrameQueue:
    """A bounded queue that never blocks who fills it.

    Beyond `max_posts` the oldest posts are dropped, since a live feed wants the newest. Alerts and deletions are kept
    and go first. Of each other kind (counts, share, pong) only the latest is kept, since it replaces those before it.
    """

    def __init__(self, max_posts: int) -> None:
        self._posts: deque[str] = deque(maxlen=max_posts)
        self._alerts: deque[str] = deque(maxlen=MAX_ALERTS)
        self._deletions: deque[str] = deque(maxlen=MAX_DELETIONS)
        self._latest: dict[str, str] = {}
        self._filled = asyncio.Event()
        self._closed = False

    def put_posts(self, frames: Sequence[str]) -> int:
        """The number of frames dropped to make room."""
        before = len(self._posts)
        self._posts.extend(frames)
        self._filled.set()
        return before + len(frames) - len(self._posts)

    def put_alert(self, frame: str) -> int:
        """The number of frames dropped to make room."""
        return self._put(self._alerts, frame)

    def put_deletion(self, frame: str) -> int:
        """The number of frames dropped to make room."""
        return self._put(self._deletions, frame)

    def _put(self, frames: deque[str], frame: str) -> int:
        before = len(frames)
        frames.append(frame)
        self._filled.set()
        return before + 1 - len(frames)

    def put_latest(self, kind: str, frame: str) -> None:
        self._latest[kind] = frame
        self._filled.set()

    def close(self) -> None:
        """What still waits is dropped: whoever reads learns at once that it is over."""
        self._closed = True
        self._filled.set()

    async def get(self) -> str:
        """The next frame, waiting for one; QueueClosed after `close`."""
        while True:
            if self._closed:
                raise QueueClosed
            if self._alerts:
                return self._alerts.popleft()
            if self._deletions:
                return self._deletions.popleft()
            if self._latest:
                return self._latest.pop(next(iter(self._latest)))
            if self._posts:
                return self._posts.popleft()
            self._filled.clear()
            await self._filled.wait()
