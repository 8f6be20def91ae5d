"""`/api/sentiment/…`: how people feel, over time and in sum."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Response

from services.api.dependencies import Moment, Source, StateDep
from services.api.queries.sentiment import read_buckets, read_distribution
from services.api.schemas import Aggregate, Distribution, ErrorBody, Period
from services.api.time_range import time_range

router = APIRouter(tags=["sentiment"], responses={422: {"model": ErrorBody}, 503: {"model": ErrorBody}})


@router.get(
    "/api/sentiment/aggregate",
    operation_id="getSentimentAggregate",
    summary="Sentiment over time",
    response_model=Aggregate,
)
async def get_aggregate(
    state: StateDep,
    period: Annotated[Period, Query(description="Width of a bucket; at most 2,000 of them")] = "hour",
    start_date: Annotated[
        Moment | None, Query(description="ISO 8601; by default the last hour, 24 hours or 30 days, by the period")
    ] = None,
    end_date: Annotated[Moment | None, Query(description="ISO 8601, exclusive; by default now")] = None,
    source: Source = None,
) -> Response:
    """Posts are counted when they were ingested, not when they were written: charts follow arrival."""
    span = time_range(period, start_date, end_date, datetime.now(UTC))
    buckets = await read_buckets(state.pool, span.start, span.end, span.width, source or None)
    aggregate = {
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
    # An `Aggregate`: a test holds the two together. Two thousand buckets are half a megabyte.
    return Response(msgspec.json.encode(aggregate), media_type="application/json")


@router.get("/api/sentiment/distribution", operation_id="getSentimentDistribution", summary="Sentiment in sum")
async def get_distribution(
    state: StateDep,
    hours: Annotated[int, Query(ge=1, le=168, description="Posts ingested in the last so many hours")] = 24,
    source: Source = None,
) -> Distribution:
    """At most two seconds old."""
    key = (hours, source or None)
    entry, hit = await state.caches.distributions.get(key, lambda: read_distribution(state.pool, *key))
    counts, total, percentages, emotions = entry.value
    return Distribution(
        timeframe_hours=hours,
        source=source or None,
        distribution=counts,
        total=total,
        percentages=percentages,
        top_emotions=emotions,
        cached=hit,
        cached_at=entry.cached_at,
    )
