"""How a source is doing, as it says itself."""

import time
from collections import Counter as Tally
from collections import deque
from collections.abc import Callable
from typing import Literal, TypeAlias

from prometheus_client import Counter

from services.common.source_states import SourceState

ERRORS = Counter("undertone_source_errors_total", "Connections and requests of a source that failed", ["source"])
GAPS = Counter("undertone_source_gaps_total", "Times that a source could not give what was missed", ["source"])
SKIPPED = Counter(
    "undertone_source_skipped_total",
    "What a source had and was not wanted, by reason; of `polls`, requests that were due and not made",
    ["source", "reason"],
)

# Filters; no text; a post that was changed, or comes again; a share of another's; a program's; above the rate; taken
# out of sight by who keeps the site; neither story nor comment; an id without anything.
Reason: TypeAlias = Literal[
    "language", "keyword", "empty", "update", "repeated", "reblog", "bot", "rate", "polls", "dead", "kind", "missing"
]
MAX_ERROR_CHARS = 300
# Of which posts a second are the mean: long enough for a source that is asked every few seconds.
RATE_WINDOW_S = 10


class Health:
    """Numbers of one source since it was started. `clock`: seconds since the epoch.

    `rate_per_minute`: more posts than that are not taken. `on`, `waiting`: as whoever reads it says.
    """

    def __init__(self, name: str, *, clock: Callable[[], float] = time.time) -> None:
        self.rate_per_minute: float | None = None
        self.on = True
        self.waiting = False
        self._name = name
        self._clock = clock
        self._ended = False
        self._connected = False
        self._behind_s: float | None = None
        self._newest_s: float | None = None
        self._last_post_s: float | None = None
        self._posts = 0
        self._errors = 0
        self._gaps = 0
        self._skipped: Tally[str] = Tally()
        self._rejected: Tally[str] = Tally()
        # Posts of each of the last seconds that had any.
        self._recent: deque[tuple[int, int]] = deque(maxlen=RATE_WINDOW_S + 1)
        self._last_error = ""
        # Shown from the start: Prometheus sees no increase in a first sample.
        ERRORS.labels(name)
        GAPS.labels(name)

    def up(self) -> None:
        """It is connected, or was answered."""
        self._connected = True

    def down(self) -> None:
        """It was told to stop."""
        self._connected = False

    def ended(self) -> None:
        """It has no more posts, or cannot go on."""
        self._connected = False
        self._ended = True

    def failed(self, error: str) -> None:
        self._connected = False
        self._errors += 1
        self._last_error = error[:MAX_ERROR_CHARS]
        ERRORS.labels(self._name).inc()

    def lost(self) -> None:
        """Something came between two events that cannot be had any more."""
        self._gaps += 1
        GAPS.labels(self._name).inc()

    def received(self, sent_s: float) -> None:
        """An event that the source's server dated so, in seconds since the epoch."""
        self._newest_s = max(sent_s, self._newest_s or 0.0)
        self._behind_s = max(self._clock() - sent_s, 0.0)

    def skipped(self, reason: Reason, count: int = 1) -> None:
        if count:
            self._skipped[reason] += count
            SKIPPED.labels(self._name, reason).inc(count)

    def rejected(self, rule: str) -> None:
        self._rejected[rule] += 1

    def published(self, count: int) -> None:
        if count:
            self._posts += count
            self._last_post_s = self._clock()
            second = int(self._last_post_s)
            before = self._recent.pop()[1] if self._recent and self._recent[-1][0] == second else 0
            self._recent.append((second, before + count))

    def state(self) -> SourceState:
        """As of now. While it is not connected, it falls behind its newest event."""
        now_s = self._clock()
        behind_s = self._behind_s
        if not self._connected and self._newest_s is not None:
            behind_s = max(now_s - self._newest_s, 0.0)
        return SourceState(
            name=self._name,
            connected=self._connected,
            behind_s=behind_s,
            last_post_s=self._last_post_s,
            posts=self._posts,
            errors=self._errors,
            gaps=self._gaps,
            skipped=dict(self._skipped),
            last_error=self._last_error,
            updated_s=now_s,
            on=self.on,
            waiting=self.waiting,
            ended=self._ended,
            posts_per_s=self._posts_per_s(int(now_s)),
            rejected=dict(self._rejected),
            rate_per_minute=self.rate_per_minute,
        )

    def _posts_per_s(self, second: int) -> float:
        """Over the last whole seconds: the present one has only begun."""
        return sum(count for of, count in self._recent if second - RATE_WINDOW_S <= of < second) / RATE_WINDOW_S
