"""So many a minute of one caller, who may take those of a minute at once.

Libraries were looked at first: `limits`, whose memory store keeps every key until it expires, and has no bucket;
`slowapi`, which is that behind decorators of routes, of which one can be forgotten.
"""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

# Beyond it, whoever was not seen for longest is forgotten, and has a full bucket when they come again: a client with
# more addresses than this has no limit here, but neither does it take our memory (2 MB).
MAX_CALLERS = 10_000


class TokenBuckets:
    """A bucket for each caller, which fills up by `per_minute` a minute and holds no more; 0: no limit."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = monotonic) -> None:
        self._capacity = float(per_minute)
        self._per_s = per_minute / 60
        self._clock = clock
        # What was left, and when.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> float:
        """Takes one and returns 0; or takes nothing and returns the seconds until there is one."""
        if not self._capacity:
            return 0.0
        now = self._clock()
        left, at = self._buckets.pop(caller, (self._capacity, now))
        left = min(self._capacity, left + (now - at) * self._per_s)
        waits_s = 0.0 if left >= 1 else (1 - left) / self._per_s
        self._buckets[caller] = (left if waits_s else left - 1, now)
        if len(self._buckets) > MAX_CALLERS:
            self._buckets.popitem(last=False)
        return waits_s

    def __len__(self) -> int:
        return len(self._buckets)
