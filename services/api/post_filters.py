"""Which posts: the query parameters that the list and the export have in common."""

from typing import Annotated

from fastapi import Depends, Query

from services.api.dependencies import Moment, Source, Text
from services.api.schemas.general import PostFilters, SentimentLabel
from services.api.web.errors import InvalidParameter

EVERYTHING = PostFilters(
    source=None,
    sentiment=None,
    emotion=None,
    search=None,
    start_date=None,
    end_date=None,
    min_confidence=None,
    max_confidence=None,
)


async def post_filters(
    *,
    source: Source = None,
    sentiment: Annotated[SentimentLabel | None, Query(description="Only posts of this sentiment")] = None,
    emotion: Annotated[Text | None, Query(max_length=50, examples=["joy"])] = None,
    search: Annotated[
        Text | None, Query(max_length=200, description="Text that the content contains, in any case; no wildcards")
    ] = None,
    start_date: Annotated[
        Moment | None, Query(description="Posts written (`created_at`) at or after this time, ISO 8601; UTC by default")
    ] = None,
    end_date: Annotated[Moment | None, Query(description="Posts written before this time")] = None,
    min_confidence: Annotated[
        float | None, Query(ge=0, le=1, description="Only analysed posts whose `confidence` is this or more")
    ] = None,
    max_confidence: Annotated[
        float | None, Query(ge=0, le=1, description="Only analysed posts whose `confidence` is this or less")
    ] = None,
) -> PostFilters:
    """What is asked for, "" as not at all; InvalidParameter if nothing can pass."""
    if min_confidence is not None and max_confidence is not None and min_confidence > max_confidence:
        raise InvalidParameter("min_confidence: must not be more than max_confidence")
    return PostFilters(
        source=source or None,
        sentiment=sentiment,
        emotion=emotion or None,
        search=search or None,
        start_date=start_date,
        end_date=end_date,
        min_confidence=min_confidence,
        max_confidence=max_confidence,
    )


FiltersDep = Annotated[PostFilters, Depends(post_filters)]
