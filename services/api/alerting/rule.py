"""When what a rule counts is an alert, and when it is none any more: pure arithmetic."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Literal

Kind = Literal["sentiment_ratio", "emotion_ratio", "volume"]

HIGH_NEGATIVE_RATIO = "high_negative_ratio"
# The rule of the settings. Those of the database begin at 1.
BUILT_IN_ID = 0
BUILT_IN_NAME = "High negative ratio"
# An alert ends only when the value is clearly below the threshold: one that hovers around it must not flap. Points of a
# ratio; of a volume, a part of it.
HYSTERESIS = 0.05
VOLUME_HYSTERESIS = 0.1


class Decision(Enum):
    RAISE = "raise"
    RESOLVE = "resolve"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Window:
    """Posts in a rule's scope that were ingested from `start` to `end`; `matching` of them are what it looks for.

    All of them are, where it looks for a volume.
    """

    matching: int
    total: int
    start: datetime
    end: datetime

    @property
    def ratio(self) -> float:
        """Matching / total, 0 without posts."""
        return self.matching / self.total if self.total else 0.0


@dataclass(frozen=True)
class Rule:
    """Without more than the first three, the rule of the settings: the ratio of negative posts, of all sources.

    `threshold`: a ratio, 0 to 1; of a volume, posts in the window. Fewer than `min_posts` posts in a window of
    `window_minutes` say nothing of a ratio. Scope: posts of the `source` that have the `keyword`, None: any.
    """

    threshold: float
    window_minutes: int
    min_posts: int
    id: int = BUILT_IN_ID
    name: str = BUILT_IN_NAME
    kind: Kind = "sentiment_ratio"
    sentiment: str | None = "negative"
    emotion: str | None = None
    source: str | None = None
    keyword: str | None = None
    enabled: bool = True
    webhooks: tuple[str, ...] = ()

    @property
    def is_built_in(self) -> bool:
        return self.id == BUILT_IN_ID

    @property
    def alert_type(self) -> str:
        """Of each rule another one: the database admits one raised alert of a type."""
        return HIGH_NEGATIVE_RATIO if self.is_built_in else f"{self.kind}:{self.id}"

    @property
    def window(self) -> timedelta:
        return timedelta(minutes=self.window_minutes)

    @property
    def resolve_below(self) -> float:
        if self.kind == "volume":
            return self.threshold * (1 - VOLUME_HYSTERESIS)
        # Half the threshold where it is so low that nothing could fall below it by the full hysteresis.
        return max(self.threshold - HYSTERESIS, self.threshold / 2)

    def looks_for(self, sentiment: str, emotion: str) -> bool:
        """Whether a post in the scope counts as matching."""
        if self.kind == "sentiment_ratio":
            return sentiment == self.sentiment
        return self.kind == "volume" or emotion.lower() == (self.emotion or "").lower()

    def value(self, window: Window) -> float:
        """What is compared with the threshold."""
        return float(window.total) if self.kind == "volume" else window.ratio

    def is_enough(self, window: Window) -> bool:
        return self.kind == "volume" or window.total >= self.min_posts

    def decide(self, window: Window, *, raised: bool, cooling: bool) -> Decision:
        """`raised`: an alert of this rule is. `cooling`: one was resolved less than a window ago."""
        enough, value = self.is_enough(window), self.value(window)
        if raised:
            ends = not enough or value < self.resolve_below
            return Decision.RESOLVE if ends else Decision.NOTHING
        fires = enough and value > self.threshold and not cooling
        return Decision.RAISE if fires else Decision.NOTHING

    def details(self, window: Window) -> dict[str, int | float | str | None]:
        """What the decision was made of."""
        of_window: dict[str, int | float | str | None] = {
            "total": window.total,
            "ratio": round(window.ratio, 4),
            "window_minutes": self.window_minutes,
            "min_posts": self.min_posts,
        }
        if self.is_built_in:
            return {"negative": window.matching} | of_window
        about: dict[str, int | float | str | None] = {
            "kind": self.kind,
            "sentiment": self.sentiment,
            "emotion": self.emotion,
            "matching": window.matching,
        }
        return about | of_window
