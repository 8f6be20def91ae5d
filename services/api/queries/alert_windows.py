"""The windows of the rules in the database: the last whole minutes, from the roll-ups or from what was counted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from asyncpg.pool import PoolConnectionProxy

from services.api.alerting.rule import Rule, Window
from services.api.queries.alerts import settled_before
from services.api.queries.keyword_counts import read_keyword_windows, read_next_id
from services.api.queries.rollups import Progress, cover, read_progress, read_sums
from services.common.moments import MINUTE, floor
from services.common.partitions import moment_of


@dataclass
class Windows:
    """Whole minutes, so that what was decided can be told from the roll-ups, exactly, at any later time.

    `end`, `keywords_end`: where the last minute ends in which nothing changes any more, of the roll-ups and of what was
    counted for keywords, which may be behind.
    """

    held: PoolConnectionProxy
    progress: Progress
    end: datetime
    keywords_end: datetime
    _keywords: dict[int, Window] = field(default_factory=dict)
    _sums: dict[tuple[object, ...], dict[str, int]] = field(default_factory=dict)

    @classmethod
    async def ending_now(cls, held: PoolConnectionProxy) -> "Windows":
        settled = await settled_before(held)
        counted = moment_of(await read_next_id(held))
        return cls(held, await read_progress(held), floor(settled, MINUTE), floor(min(counted, settled), MINUTE))

    def end_of(self, rule: Rule) -> datetime:
        return self.keywords_end if rule.keyword else self.end

    async def read_keywords(self, rules: Sequence[Rule]) -> None:
        """All at once, for `read`."""
        self._keywords = await read_keyword_windows(self.held, rules, self.keywords_end) if rules else {}

    async def read(self, rule: Rule) -> Window:
        if rule.keyword:
            return self._keywords[rule.id]
        posts = await self._posts(rule)
        total = sum(posts.values())
        sought = {"sentiment_ratio": rule.sentiment, "emotion_ratio": (rule.emotion or "").lower()}.get(rule.kind)
        matching = total if sought is None else posts.get(sought, 0)
        return Window(matching, total, self.end - rule.window, self.end)

    async def _posts(self, rule: Rule) -> dict[str, int]:
        """By label or emotion; rules of the same source and window share one read."""
        by_emotion = rule.kind == "emotion_ratio"
        key = (rule.source, rule.window_minutes, by_emotion)
        if key not in self._sums:
            rows = await read_sums(
                self.held,
                "emotion" if by_emotion else "sentiment",
                cover(self.end - rule.window, self.end, self.progress),
                keys=("lower(emotion)" if by_emotion else "sentiment_label",),
                source=rule.source,
            )
            self._sums[key] = {row[0]: row["posts"] for row in rows}
        return self._sums[key]
