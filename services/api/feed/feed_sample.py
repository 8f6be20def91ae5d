"""Which posts the live feed shows when there are more than anybody could read: an even sample of them."""

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

P = TypeVar("P")

# The rate is measured over so long. As much as fits into it may come at once and is shown whole.
WINDOW_S = 2.0
# Who watches is told that the sampling has ended when so long everything was shown: not with every lull.
CALM_S = 3.0


@dataclass(frozen=True)
class FeedReport:
    """Of `posts` in the last `seconds`, `shown` were passed on. `sampled` is false in the report that ends a row."""

    sampled: bool
    posts: int
    shown: int
    seconds: float


class FeedSample:
    """Passes `posts_per_s` at most, more for moments; 0 passes everything. Times are monotonic seconds."""

    def __init__(self, posts_per_s: float, now: float) -> None:
        self._posts_per_s = posts_per_s
        self._arrived: deque[tuple[float, int]] = deque()
        self._in_window = 0
        self._tokens = self._most_tokens = posts_per_s * WINDOW_S
        self._filled_at = now
        self._fraction = 0.0
        self._posts = self._shown = 0
        self._reported_at = now
        self._left_out_at: float | None = None

    def limit(self, posts_per_s: float) -> None:
        """From now on so many. What was saved up for a flood is kept, as far as the new limit allows it."""
        most = posts_per_s * WINDOW_S
        self._tokens = min(self._tokens, most) if self._posts_per_s else most
        self._posts_per_s, self._most_tokens = posts_per_s, most

    def choose(self, posts: Sequence[P], now: float) -> Sequence[P]:
        """The posts to show, in their order: of every batch the same share, at random, so that none has an advantage.

        The share is the limit by the rate of the last seconds. What a beginning flood would pass beyond the limit,
        before the rate is known, is bounded by tokens: as many as a window allows, and `posts_per_s` more each second.
        """
        shown = posts
        if self._posts_per_s and posts:
            wanted = len(posts) * self._share(len(posts), now) + self._fraction
            # Of single posts, too, every so many-th is shown: what is less than a whole one counts for the next.
            count, self._fraction = int(wanted), wanted % 1
            self._tokens -= count
            if count < len(posts):
                self._left_out_at = now
                shown = [posts[place] for place in sorted(random.sample(range(len(posts)), count))]
        self._posts += len(posts)
        self._shown += len(shown)
        return shown

    def report(self, now: float) -> FeedReport | None:
        """What happened since the last call; None where there is nothing to say."""
        posts, shown, seconds = self._posts, self._shown, now - self._reported_at
        self._posts = self._shown = 0
        self._reported_at = now
        if shown < posts:
            return FeedReport(True, posts, shown, seconds)
        if self._left_out_at is None or now - self._left_out_at < CALM_S:
            return None
        self._left_out_at = None
        return FeedReport(False, posts, shown, seconds)

    def _share(self, count: int, now: float) -> float:
        self._tokens = min(self._most_tokens, self._tokens + (now - self._filled_at) * self._posts_per_s)
        self._filled_at = now
        self._arrived.append((now, count))
        self._in_window += count
        while self._arrived[0][0] <= now - WINDOW_S:
            self._in_window -= self._arrived.popleft()[1]
        return max(0.0, min(1.0, self._posts_per_s * WINDOW_S / self._in_window, self._tokens / count))
