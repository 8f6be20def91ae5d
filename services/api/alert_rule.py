"""When the ratio of negative posts is an alert, and when it is none any more: pure arithmetic."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

HIGH_NEGATIVE_RATIO = "high_negative_ratio"
# An alert ends only when the ratio is clearly below the threshold: one that hovers around it must not flap.
HYSTERESIS = 0.05


class Decision(Enum):
    RAISE = "raise"
    RESOLVE = "resolve"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Window:
    """Posts ingested from `start` to `end`."""

    negative: int
    total: int
    start: datetime
    end: datetime

    @property
    def ratio(self) -> float:
        """Negative / total, 0 without posts."""
        return self.negative / self.total if self.total else 0.0


@dataclass(frozen=True)
class Rule:
    """`threshold`: a ratio, 0 to 1. Fewer than `min_posts` posts in a window of `window_minutes` say nothing."""

    threshold: float
    window_minutes: int
    min_posts: int
    alert_type: str = HIGH_NEGATIVE_RATIO

    @property
    def resolve_below(self) -> float:
        # Half the threshold where it is so low that nothing could fall below it by the full hysteresis.
        return max(self.threshold - HYSTERESIS, self.threshold / 2)

    def decide(self, window: Window, *, raised: bool, cooling: bool) -> Decision:
        """`raised`: an alert of this type is. `cooling`: one was resolved less than a window ago."""
        enough = window.total >= self.min_posts
        if raised:
            ends = not enough or window.ratio < self.resolve_below
            return Decision.RESOLVE if ends else Decision.NOTHING
        fires = enough and window.ratio > self.threshold and not cooling
        return Decision.RAISE if fires else Decision.NOTHING

    def details(self, window: Window) -> dict[str, int | float]:
        """What the decision was made of."""
        return {
            "negative": window.negative,
            "total": window.total,
            "ratio": round(window.ratio, 4),
            "window_minutes": self.window_minutes,
            "min_posts": self.min_posts,
        }
