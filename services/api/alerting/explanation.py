"""Why there is an alert: from its own row, so that it can be told when the rule is gone."""

import asyncpg

from services.api.alerting.row import Alert
from services.api.alerting.rule import BUILT_IN_ID, Kind, Rule
from services.api.alerting.sentence import sentence
from services.api.queries import deliveries
from services.api.queries.alert_series import read_matching_posts, read_series, width_for
from services.api.queries.connection import connection
from services.api.schemas.alerts import AlertDetail, Delivery, Explanation, SeriesPoint

KINDS: dict[object, Kind] = {"emotion_ratio": "emotion_ratio", "volume": "volume"}


def rule_of(alert: Alert) -> Rule:
    """The rule as it was when it raised the alert."""
    details, scope = alert.details, alert.scope
    kind = KINDS.get(details.get("kind"), "sentiment_ratio")
    return Rule(
        threshold=alert.threshold_value,
        window_minutes=round((alert.window_end - alert.window_start).total_seconds() / 60),
        min_posts=1,
        id=BUILT_IN_ID if alert.rule_id is None else alert.rule_id,
        name=alert.rule_name,
        kind=kind,
        sentiment=str(details.get("sentiment") or "negative") if kind == "sentiment_ratio" else None,
        emotion=scope.emotion,
        source=scope.source,
        keyword=scope.keyword,
    )


async def explain(pool: asyncpg.Pool, alert: Alert, noted_ids: list[int]) -> AlertDetail:
    """The window and as long before and after it."""
    rule = rule_of(alert)
    length = alert.window_end - alert.window_start
    async with connection(pool) as held:
        start, end = alert.window_start - length, alert.window_end + length
        end = min(end, await held.fetchval("SELECT now()"))
        series = await read_series(held, rule, start, end, width_for(start, end))
        posts = await read_matching_posts(held, rule, alert.window_start, alert.window_end, noted_ids)
    if rule.keyword and not any(bucket.total for bucket in series):
        series = []
    return AlertDetail(
        alert=alert,
        explanation=Explanation(
            sentence=sentence(alert),
            window_start=alert.window_start,
            window_end=alert.window_end,
            threshold=alert.threshold_value,
            series=[
                SeriesPoint(
                    timestamp=bucket.start,
                    matching=bucket.matching,
                    total=bucket.total,
                    ratio=round(bucket.matching / bucket.total, 4) if bucket.total else 0.0,
                )
                for bucket in series
            ],
            posts=posts,
        ),
        deliveries=[_delivery(state) for state in await deliveries.read_deliveries(pool, alert.id)],
    )


def _delivery(state: deliveries.DeliveryState) -> Delivery:
    waits = state.delivered_at is None and state.given_up_at is None
    return Delivery(
        webhook=state.webhook,
        change="raised" if state.change == "raised" else "resolved",
        state="waiting" if waits else "delivered" if state.delivered_at else "given_up",
        attempts=state.attempts,
        last_error=state.last_error,
        next_attempt_at=state.next_attempt_at if waits else None,
        delivered_at=state.delivered_at,
    )
