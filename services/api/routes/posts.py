"""`/api/posts`: what was said, newest first."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.api.cursor import decode_cursor, encode_cursor
from services.api.dependencies import Limit, Moment, Offset, Source, StateDep, Text
from services.api.queries.posts import count_posts, read_posts
from services.api.schemas import ErrorBody, PostFilters, PostPage, SentimentLabel

router = APIRouter(tags=["posts"])


@router.get(
    "/api/posts",
    operation_id="listPosts",
    summary="Posts with their sentiment, newest first",
    responses={422: {"model": ErrorBody}, 503: {"model": ErrorBody}},
)
async def list_posts(
    *,
    state: StateDep,
    limit: Limit = 50,
    offset: Offset = 0,
    cursor: Annotated[
        str | None, Query(max_length=64, description="`next_cursor` of the page before; `offset` counts from there")
    ] = None,
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
) -> PostPage:
    """The order is that of arrival (newest first); the dates filter by when a post was written."""
    filters = PostFilters(
        source=source or None,
        sentiment=sentiment,
        emotion=emotion or None,
        search=search or None,
        start_date=start_date,
        end_date=end_date,
    )
    before_id = decode_cursor(cursor) if cursor else None
    posts, last_id = await read_posts(state.pool, filters, before_id=before_id, limit=limit, offset=offset)
    total, _ = await state.caches.post_totals.get(filters.model_dump_json(), lambda: count_posts(state.pool, filters))
    return PostPage(
        posts=posts,
        total=total.value,
        limit=limit,
        offset=offset,
        filters=filters,
        next_cursor=encode_cursor(last_id) if last_id else None,
    )
