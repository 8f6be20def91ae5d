"""`/api/posts`: what was said, newest first."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from services.api.alerting.watch import announce
from services.api.caches import STALE, tell_age
from services.api.cursor import decode_cursor, encode_cursor
from services.api.dependencies import Limit, Offset, StateDep, Text
from services.api.post_filters import EVERYTHING, FiltersDep
from services.api.queries.connection import connection
from services.api.queries.posts import count_posts, read_posts
from services.api.schemas.general import DeletedPost, ErrorBody, PostFilters, PostPage
from services.api.state import State
from services.common.deletions import delete_posts
from services.common.messages import MAX_POST_ID_CHARS, ResultsMessage, make_deletion

router = APIRouter(tags=["posts"])


@router.get(
    "/api/posts",
    operation_id="listPosts",
    summary="Posts with their sentiment, newest first",
    responses={200: {"headers": STALE}, 422: {"model": ErrorBody}, 503: {"model": ErrorBody}},
)
@router.head("/api/posts", include_in_schema=False)
async def list_posts(
    *,
    state: StateDep,
    response: Response,
    filters: FiltersDep,
    limit: Limit = 50,
    offset: Offset = 0,
    cursor: Annotated[
        str | None, Query(max_length=64, description="`next_cursor` of the page before; `offset` counts from there")
    ] = None,
) -> PostPage:
    """The order is that of arrival (newest first); the dates filter by when a post was written.

    A request does a bounded amount of work. Words are found by an index; what it cannot serve (fewer than three letters
    or digits in a row, emoji, a busy day that is not indexed yet) is looked for in 20,000 posts a request, and
    `next_cursor` goes on from there: a page may be short, even empty, and still have a next one.

    The newest posts, unfiltered, are also there while the database is away: as they were.
    """
    before_id = decode_cursor(cursor) if cursor else None
    if before_id is None and offset == 0 and filters == EVERYTHING:
        cached = await state.caches.first_pages.get(limit, lambda: _page(state, filters, None, limit, 0))
        tell_age(response, cached)
        return cached.value
    return await _page(state, filters, before_id, limit, offset)


@router.delete(
    "/api/posts/{post_id:path}",
    operation_id="deletePost",
    summary="Delete a post, for good",
    responses={
        403: {"model": ErrorBody, "description": "The request comes from another site's page"},
        422: {"model": ErrorBody},
        503: {"model": ErrorBody},
    },
)
async def delete_post(
    state: StateDep,
    post_id: Annotated[Text, Path(min_length=1, max_length=MAX_POST_ID_CHARS, description="Slashes may stand in it")],
) -> DeletedPost:
    """Text, author and analysis are gone when this is answered, from the counts as well; open pages take it away.

    Asked again it changes nothing. For DELETION_MEMORY_DAYS the id is known: a post that is still on its way to here,
    or is sent again, is not stored. Its dead letters go within seconds.
    """
    deletion = make_deletion(post_id)
    async with connection(state.pool) as held:
        was_stored = bool(await delete_posts(held, [deletion.post_id]))
    # Of this process here, lest it hears of it from a Redis that is away.
    state.caches.first_pages.clear()
    state.arrivals.forget([deletion.post_id])
    await announce(state.redis, ResultsMessage(posts=(), deleted=(deletion.post_id,)))
    return DeletedPost(post_id=deletion.post_id, was_stored=was_stored)


async def _page(state: State, filters: PostFilters, before_id: int | None, limit: int, offset: int) -> PostPage:
    page = await read_posts(state.read_pool, filters, before_id=before_id, limit=limit, offset=offset)
    key = filters.model_dump_json()
    total = page.total or (await state.caches.post_totals.get(key, lambda: count_posts(state.read_pool, filters))).value
    return PostPage(
        posts=page.posts,
        total=total.posts,
        total_is_exact=total.exact,
        limit=limit,
        offset=offset,
        filters=filters,
        next_cursor=encode_cursor(page.next_before) if page.next_before else None,
    )
