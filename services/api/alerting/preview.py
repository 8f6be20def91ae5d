"""What a rule would have said of the last day: the same decisions, on the same whole minutes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

import asyncpg

from services.api.alerting.rule import Decision, Rule, Window
from services.api.queries.alert_series import Bucket, read_series
from services.api.queries.alerts import settled_before
from services.api.queries.connection import connection
from services.common.moments import MINUTE, floor

PREVIEWED = timedelta(hours=24)
# Of a series: a point for every five minutes, the highest of them.
POINT_WIDTH = timedelta(minutes=5)


@dataclass(frozen=True)
class Preview:
    """The windows of a rule, of every POINT_WIDTH the one with the highest value, and how many alerts it raised."""

    windows: list[Window]
    raised: int


async def preview(pool: asyncpg.Pool, rule: Rule) -> Preview:
    """Of a rule without a keyword."""
    async with connection(pool) as held:
        end = floor(await settled_before(held), MINUTE)
        minutes = await read_series(held, rule, end - PREVIEWED - rule.window, end)
    return simulate(rule, minutes)


def simulate(rule: Rule, minutes: Sequence[Bucket]) -> Preview:
    """`minutes`: one after the other; the first windows end where the first `window_minutes` of them do."""
    matching = [0, *accumulate(bucket.matching for bucket in minutes)]
    total = [0, *accumulate(bucket.total for bucket in minutes)]
    highest: dict[datetime, Window] = {}
    raised, is_raised, cools_until = 0, False, None
    for last in range(rule.window_minutes, len(total)):
        first = last - rule.window_minutes
        end = minutes[last - 1].start + MINUTE
        window = Window(matching[last] - matching[first], total[last] - total[first], end - rule.window, end)
        cooling = cools_until is not None and end < cools_until
        decision = rule.decide(window, raised=is_raised, cooling=cooling)
        if decision is Decision.RAISE:
            raised, is_raised = raised + 1, True
        elif decision is Decision.RESOLVE:
            is_raised, cools_until = False, end + rule.window
        point = floor(end - MINUTE, POINT_WIDTH)
        if point not in highest or rule.value(window) > rule.value(highest[point]):
            highest[point] = window
    return Preview(list(highest.values()), raised)
