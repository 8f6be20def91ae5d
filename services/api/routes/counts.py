"""`/api/sentiment/totals`, `/api/emotions/aggregate`, `/api/sources`: what the roll-ups tell."""

from datetime import UTC, datetime

import msgspec
from fastapi import APIRouter, Response

from services.api.caches import STALE, tell_age
from services.api.dependencies import From, Source, StateDep, Until, Width, WindowMinutes
from services.api.queries.emotions import read_emotions
from services.api.queries.windows import read_sources, read_totals
from services.api.schemas.counts import EmotionAggregate, SourceList, Totals
from services.api.schemas.general import ErrorBody, Period
from services.api.state import State
from services.api.time_range import TimeRange, time_range

router = APIRouter(
    tags=["sentiment"],
    responses={200: {"headers": STALE}, 422: {"model": ErrorBody}, 503: {"model": ErrorBody}},
)


@router.get("/api/sentiment/totals", operation_id="getSentimentTotals", summary="Sentiment now, against before")
@router.head("/api/sentiment/totals", include_in_schema=False)
async def get_totals(state: StateDep, response: Response, minutes: WindowMinutes = 60, source: Source = None) -> Totals:
    """The last `minutes` beside as many before them. Posts are counted when they were ingested.

    A few seconds old at most, unless the database is away.
    """
    key = (minutes, source or None)
    cached = await state.caches.totals.get(key, lambda: read_totals(state.read_pool, *key))
    tell_age(response, cached)
    return cached.value


@router.get("/api/sources", operation_id="listSources", summary="Where posts come from")
@router.head("/api/sources", include_in_schema=False)
async def list_sources(state: StateDep, response: Response, minutes: WindowMinutes = 60) -> SourceList:
    """Sources with posts ingested in the last `minutes`. A few seconds old at most, unless the database is away."""
    cached = await state.caches.source_lists.get(minutes, lambda: read_sources(state.read_pool, minutes))
    tell_age(response, cached)
    return cached.value


@router.get(
    "/api/emotions/aggregate",
    operation_id="getEmotionAggregate",
    summary="Emotions over time",
    response_model=EmotionAggregate,
)
@router.head("/api/emotions/aggregate", include_in_schema=False)
async def get_emotions(
    state: StateDep,
    period: Width = "hour",
    start_date: From = None,
    end_date: Until = None,
    source: Source = None,
) -> Response:
    """As `/api/sentiment/aggregate`, for emotions: without `end_date` a few seconds old at most."""
    span = time_range(period, start_date, end_date, datetime.now(UTC))
    source = source or None
    if end_date is not None:
        return Response(await _emotions(state, period, span, source), media_type="application/json")
    # By the number of buckets: the range itself moves with the time, and the answer tells which one it is.
    key = (period, span.buckets, source)
    cached = await state.caches.emotion_aggregates.get(key, lambda: _emotions(state, period, span, source))
    response = Response(cached.value, media_type="application/json")
    tell_age(response, cached)
    return response


async def _emotions(state: State, period: Period, span: TimeRange, source: str | None) -> bytes:
    """An encoded `EmotionAggregate`: a test holds the two together."""
    emotions, buckets = await read_emotions(state.read_pool, span, source)
    return msgspec.json.encode(
        {
            "period": period,
            "start_date": span.start,
            "end_date": span.end,
            "emotions": emotions,
            "data": buckets,
        }
    )
