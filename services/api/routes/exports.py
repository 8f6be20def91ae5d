"""`/api/posts/export`: posts as a file."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from services.api.dependencies import PermitsDep, StateDep
from services.api.exports.formats import FORMATS, FormatName
from services.api.exports.reading import Reader
from services.api.exports.response import CUT_HEADER, ExportResponse
from services.api.post_filters import FiltersDep
from services.api.queries.posts import count_posts, is_for_posts_alone
from services.api.schemas.general import ErrorBody, PostFilters

router = APIRouter(tags=["posts"])

MAX_POSTS = 100_000
MAX_NAME_CHARS = 30

FILE: dict[str, Any] = {
    "description": "The file",
    "headers": {
        "Content-Disposition": {"description": "With a name for the file", "schema": {"type": "string"}},
        CUT_HEADER: {
            "description": "Whether more posts match than `limit`; `unknown` where finding out would take long: then a "
            "file of `limit` posts may be cut",
            "schema": {"type": "string", "enum": ["yes", "no", "unknown"]},
        },
    },
    "content": {
        "text/csv": {"schema": {"type": "string"}},
        "application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Post"}}},
        "application/x-ndjson": {"schema": {"type": "string"}},
    },
}


@router.get(
    "/api/posts/export",
    operation_id="exportPosts",
    summary="Posts as a file",
    response_class=Response,
    responses={200: FILE, 422: {"model": ErrorBody}, 503: {"model": ErrorBody}},
)
@router.head("/api/posts/export", include_in_schema=False)
async def export_posts(
    *,
    state: StateDep,
    permits: PermitsDep,
    filters: FiltersDep,
    format_: Annotated[
        FormatName,
        Query(alias="format", description="`json`: one array of posts; `ndjson`: a post a line; both as in /api/posts"),
    ] = "csv",
    limit: Annotated[int, Query(ge=1, le=MAX_POSTS, description="The newest so many at most")] = 10_000,
) -> Response:
    """The newest posts that pass the filters, newest first, as they were at the start: what arrives later is not there.

    CSV is RFC 4180 in UTF-8 without a byte order mark. A text that a spreadsheet would take for a formula (it begins
    with `=`, `+`, `-`, `@`, a tab or a line break) or that begins with `'` has one `'` more at its start.

    If the database goes away in the middle, the connection ends without the end of the file, and its last line is none.
    """
    reader = Reader(state.read_pool, permits, filters, limit)

    async def is_cut() -> bool | None:
        if reader.is_cut is not None or is_for_posts_alone(filters):
            return reader.is_cut
        key = filters.model_dump_json()
        total = await state.caches.post_totals.get(key, lambda: count_posts(state.read_pool, filters))
        return total.value.posts > limit

    name = f"{'-'.join(_name(filters))}.{format_}"
    return ExportResponse(reader, state.exports, FORMATS[format_], name, is_cut)


def _name(filters: PostFilters) -> Sequence[str]:
    """Parts of a file's name: what is in it, in letters that every system allows, and when it was made."""
    shown = [filters.sentiment, filters.emotion, filters.source, filters.search]
    words = [re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:MAX_NAME_CHARS] for text in shown if text]
    return ["undertone-posts", *(word for word in words if word), f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"]
