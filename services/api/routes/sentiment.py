"""`/api/sentiment/…`: how people feel, over time and in sum."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Response

from services.api.caches import STALE, tell_age
from services.api.dependencies import From, Source, StateDep, Until, Width
from services.api.queries.sentiment import read_buckets, read_distribution
from services.api.schemas.general import Aggregate, Distribution, ErrorBody, Period
from services.api.state import State
from services.api.time_range import TimeRange, time_range

router = APIRouter(
    tags=["sentiment"],
    responses={200: {"headers": STALE}, 422: {"model": ErrorBody}, 503: {"model": ErrorBody}},
)


@router.get(
    "/api/sentiment/aggregate",
    operation_id="getSentimentAggregate",
    summary="Sentiment over time",
    response_model=Aggregate,
)
@router.head("/api/sentiment/aggregate", include_in_schema=False)
async def get_aggregate(
    state: StateDep,
    period: Width = "hour",
    start_date: From = None,
    end_date: Until = None,
    source: Source = None,
) -> Response:
    """Posts are counted when they were ingested, not when they were written: charts follow arrival.

    Without `end_date` it is a few seconds old at most, unless the database is away.
    """
    span = time_range(period, start_date, end_date, datetime.now(UTC))
    source = source or None
    if end_date is not None:
        return Response(await _aggregate(state, period, span, source), media_type="application/json")
    # By the number of buckets: the range itself moves with the time, and the answer tells which one it is.
    key = (period, span.buckets, source)
    cached = await state.caches.aggregates.get(key, lambda: _aggregate(state, period, span, source))
    response = Response(cached.value, media_type="application/json")
    tell_age(response, cached)
    return response


async def _aggregate(state: State, period: Period, span: TimeRange, source: str | None) -> bytes:
    """An encoded `Aggregate`: a test holds the two together. Two thousand buckets are half a megabyte."""
    buckets = await read_buckets(state.read_pool, span.start, span.end, span.width, source)
    return msgspec.json.encode(
        {
            "period": period,
            "start_date": span.start,
            "end_date": span.end,
            "data": buckets,
            "summary": {
                "total_posts": sum(bucket.total_count for bucket in buckets),
                "positive_total": sum(bucket.positive_count for bucket in buckets),
                "negative_total": sum(bucket.negative_count for bucket in buckets),
                "neutral_total": sum(bucket.neutral_count for bucket in buckets),
            },
        }
    )


@router.get("/api/sentiment/distribution", operation_id="getSentimentDistribution", summary="Sentiment in sum")
@router.head("/api/sentiment/distribution", include_in_schema=False)
async def get_distribution(
    state: StateDep,
    response: Response,
    hours: Annotated[int, Query(ge=1, le=168, description="Posts ingested in the last so many hours")] = 24,
    source: Source = None,
) -> Distribution:
    """At most two seconds old, unless the database is away."""
    key = (hours, source or None)
    cached = await state.caches.distributions.get(key, lambda: read_distribution(state.read_pool, *key))
    tell_age(response, cached)
    counts, total, percentages, emotions = cached.value
    return Distribution(
        timeframe_hours=hours,
        source=source or None,
        distribution=counts,
        total=total,
        percentages=percentages,
        top_emotions=emotions,
        cached=cached.hit,
        cached_at=cached.cached_at,
    )
