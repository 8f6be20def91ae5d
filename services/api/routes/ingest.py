"""`POST /api/posts`: posts that programs send, into the stream."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Header, HTTPException, Request, Response

from services.api.access.callers import CALLER
from services.api.dependencies import StateDep
from services.api.ingest.body import JSON, NDJSON, Body, read_lines, read_whole
from services.api.ingest.intake import Behind, Intake, Items
from services.api.ingest.repeats import AtWork, Claim, Reused
from services.api.schemas.general import ErrorBody
from services.api.schemas.ingest import EXAMPLE, Answer, Ingested, Result, SentPost
from services.api.web.admission import RETRY_AFTER_S as WHEN_BUSY_S
from services.api.web.errors import RETRY_AFTER_S, InvalidParameter
from services.api.web.json_body import REFUSALS
from services.api.web.problems import FieldError
from services.common.messages import Post
from services.ingester.sources.base import MAX_BATCH_POSTS

router = APIRouter(tags=["posts"])

_SCHEMA = SentPost.model_json_schema()
# Of many, one that is no post does not make the request wrong.
_ITEMS = {"anyOf": [_SCHEMA, {"description": "Anything else has the result `rejected`"}]}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"anyOf": [_SCHEMA, {"type": "array", "items": _ITEMS}]}, "example": EXAMPLE},
            # Any text: each line has a result of its own.
            NDJSON: {
                "schema": {"description": "A post in JSON on each line"},
                "example": msgspec.json.encode(EXAMPLE).decode() + "\n",
            },
        },
    }
}
RETRY_AFTER = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}}


@router.post(
    "/api/posts",
    operation_id="publishPosts",
    summary="Publish posts: one, an array, or a line each",
    status_code=202,
    response_model=Ingested,
    responses={
        **REFUSALS,
        409: {"model": ErrorBody, "description": "A request with the same Idempotency-Key has not ended"},
        415: {"model": ErrorBody, "description": f"The body is neither {JSON} nor {NDJSON}"},
        422: {
            "model": ErrorBody,
            "description": "The one post is none, or the body no JSON; or: the Idempotency-Key had another body before",
        },
        429: {"model": ErrorBody, "description": "API_INGESTS_AT_ONCE requests are at work", "headers": RETRY_AFTER},
        503: {"model": ErrorBody, "description": "The workers are behind, or Redis is away", "headers": RETRY_AFTER},
    },
    openapi_extra=BODY,
)
async def publish_posts(
    state: StateDep,
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="Any text of yours, new for each request and the same when you send it again "
            "(draft-ietf-httpapi-idempotency-key-header; its quotes may be left out). The same key with the same body "
            "within a day: the same answer, and nothing is published again; with another body 422; while the first "
            "request is at work 409. The key of a request that failed is free again. Without a key sending again is "
            "as safe, but the stream may have a post twice until a worker finds it stored",
            examples=["8e03978e-40d5-43e8-bc93-6894a57f9324"],
        ),
    ] = None,
) -> Response:
    """Whatever fails may be sent again as it is: a post is stored once, whose id it has. Of many each has a result of
    its own. A stream of lines (NDJSON) is published as it comes; what came before a failure is published.
    """
    settings, intake = state.settings, state.intake
    body = Body(
        request,
        max_bytes=settings.api_ingest_max_body_bytes,
        max_stream_bytes=settings.api_ingest_max_stream_bytes,
    )
    caller = request.scope[CALLER].key or "" if CALLER in request.scope else ""
    items = Items(intake.rules)
    try:
        with intake.slot():
            async with intake.repeats.claim(caller, idempotency_key and idempotency_key.strip('"')) as claim:
                if body.is_stream:
                    await _stream(body, items, intake, claim, settings.api_ingest_max_posts)
                else:
                    await _whole(body, items, intake, claim, min(settings.api_ingest_max_posts, intake.max_posts))
                claim.settle(body.fingerprint)
    except Behind:
        intake.metrics.refused.labels("behind").inc()
        detail = f"The workers are behind{_so_far(items)}; send it again later."
        raise HTTPException(503, detail, {"Retry-After": str(RETRY_AFTER_S)}) from None
    except AtWork:
        intake.metrics.refused.labels("conflict").inc()
        headers = {"Retry-After": str(random.choice(WHEN_BUSY_S))}
        raise HTTPException(409, "A request with this Idempotency-Key has not ended yet.", headers) from None
    except Reused:
        intake.metrics.refused.labels("reused").inc()
        raise InvalidParameter("Idempotency-Key: another body was sent with it before; send a new key") from None
    return Response(_encoded(items.results), 202, media_type=JSON)


async def _whole(body: Body, items: Items, intake: Intake, claim: Claim, max_posts: int) -> None:
    """Of what does not fit nothing is published."""
    raws, is_array = await read_whole(body)
    _require_few(len(raws), max_posts, items)
    posts: list[Post] = []
    for start in range(0, len(raws), MAX_BATCH_POSTS):
        posts += items.judge(raws[start : start + MAX_BATCH_POSTS])
        # Others have their turn, however many these are.
        await asyncio.sleep(0)
    await _publish(posts, items, intake, claim)
    if not is_array and items.results[0].status == "rejected":
        raise _as_problem(items.results[0])


async def _stream(body: Body, items: Items, intake: Intake, claim: Claim, max_posts: int) -> None:
    async for raws in read_lines(body, intake.at_once):
        _require_few(len(items.results) + len(raws), max_posts, items)
        await _publish(items.judge(raws), items, intake, claim)


async def _publish(posts: Sequence[Post], items: Items, intake: Intake, claim: Claim) -> None:
    """Those of the items that were judged last; of a repeat nothing."""
    if not claim.is_repeat:
        await intake.publish(posts)
        for status, count in Counter(result.status for result in items.results[items.done :]).items():
            intake.metrics.posts.labels(status).inc(count)
    items.done = len(items.results)


def _require_few(count: int, max_posts: int, items: Items) -> None:
    if count > max_posts:
        raise HTTPException(413, f"A request has {max_posts:,} posts at most{_so_far(items)}.")


def _so_far(items: Items) -> str:
    return f"; the first {items.done:,} are in the stream" if items.done else "; nothing of it was published"


def _as_problem(result: Result) -> InvalidParameter:
    message = result.message or ""
    return InvalidParameter(message, [FieldError(field=result.field or "body", message=message, reason=result.reason)])


def _encoded(results: list[Result]) -> bytes:
    counts = Counter(result.status for result in results)
    return msgspec.json.encode(Answer(counts["accepted"], counts["duplicate"], counts["rejected"], results))
