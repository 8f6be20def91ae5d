"""`/api/posts/journey`: the way of one post, step by step."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query

from services.api.dependencies import StateDep, Text
from services.api.journey import journey_of
from services.api.queries.journey import read_journey
from services.api.schemas.general import ErrorBody
from services.api.schemas.journey import Journey
from services.common.messages import MAX_POST_ID_CHARS

router = APIRouter(tags=["posts"])


@router.get(
    "/api/posts/journey",
    operation_id="getPostJourney",
    summary="The way of one post: when it did what, and what that took",
    responses={
        404: {"model": ErrorBody, "description": "There is no such post, or none any more"},
        422: {"model": ErrorBody},
        503: {"model": ErrorBody},
    },
)
async def get_post_journey(
    state: StateDep, post_id: Annotated[Text, Query(min_length=1, max_length=MAX_POST_ID_CHARS)]
) -> Journey:
    """Of a post that was stored before journeys were recorded, what is known: when it was written and stored.

    `pushed` is in the memory of the process that answers, for the newest 10,000 posts at least: when it handed the post
    to its browsers, or would have if there were any. Moments are those of the clocks of Redis (`queued`), of the worker
    (`read` to `inferred`), of PostgreSQL (`stored`, right before its commit) and of this process (`pushed`).
    """
    recorded = await read_journey(state.read_pool, post_id)
    if recorded is None:
        raise HTTPException(404, "There is no post of this id.")
    return journey_of(recorded, state.arrivals.pushed_at(post_id))
