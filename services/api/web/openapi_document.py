"""The OpenAPI document: FastAPI's, with what it cannot know of us."""

import json
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi

from services.api.access.callers import COOKIE
from services.api.access.scopes import PUBLIC, need_of
from services.api.web.problems import MEDIA_TYPE, TEI_PATH, Problem
from services.common.api_keys import in_order

URL = "/api/openapi.json"
DESCRIPTION = """How people feel, live.

`/ws/sentiment` is the live feed: `connected`, `new_post`, `metrics_update`, `alert` and, when idle, `ping`. Of more
posts than FEED_POSTS_PER_S it shows an even sample, and says so about once a second: `feed`, with `sampled`, `posts`,
`shown` and `seconds`. Counts and alerts are never sampled. `deleted` has the `post_ids` of posts that are not to be
shown any more.
Times are UTC; a time without an offset is taken as UTC.

Every error is a problem (RFC 9457): `detail` is a sentence about this very request, `request_id` is in the log, too.
Inference answers errors as text-embeddings-inference does.

Where the server has keys (API_KEYS) every operation but those without `security` needs one, with the scope that is
named there; `admin` has every scope. Without a key the answer is 401, with one that does not suffice 403, and beyond
API_REQUESTS_PER_MINUTE 429.

An overloaded server answers 429, one whose database is away 503; both say in `Retry-After` when to come again. While
the database is away some answers are those of before, up to ten minutes old: `X-Undertone-Stale` says how old.

Every answer has `X-Request-ID`, that of the request if it had one. Answers of GET have an `ETag`; sent again as
`If-None-Match` it brings 304 and no body while nothing has changed. Bodies of a kilobyte and more are compressed where
`Accept-Encoding` has gzip."""
TAGS = {
    "posts": "What was said, with what the models made of it",
    "sentiment": "How people feel, over time and in sum",
    "counts": "Emotions, sources and words in numbers",
    "inference": "The models themselves: on your own texts, and how busy they are",
    "alerts": "What was raised and resolved, and by which rules",
    "dead letters": "Posts that were refused: read them, publish them again, throw them away",
    "operation": "Whether the service works",
}


# How a key is sent; a browser's cookie is that of `signIn`.
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "ut_…"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
}
CHALLENGE = {"WWW-Authenticate": {"description": "How to send one", "schema": {"type": "string"}}}
RETRY_AFTER = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}}
REFUSALS: dict[str, tuple[str, dict[str, Any]]] = {
    "401": ("An API key is needed", CHALLENGE),
    "403": ("The API key does not suffice", {}),
    "429": ("More than API_REQUESTS_PER_MINUTE", RETRY_AFTER),
}


def install_openapi(app: FastAPI) -> None:
    """Makes the document of the routes that the application has when it is first asked for, and serves it."""
    encoded: list[bytes] = []

    def document_of() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document_of(app)
        return app.openapi_schema

    async def serve_document() -> Response:
        if not encoded:
            encoded.append(json.dumps(document_of(), ensure_ascii=False).encode())
        return Response(encoded[0], media_type="application/json")

    app.openapi = document_of  # type: ignore[method-assign] # as FastAPI's documentation has it
    app.add_api_route(URL, serve_document, methods=["GET", "HEAD"], include_in_schema=False)


def _document_of(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=DESCRIPTION,
        routes=app.routes,
    )
    used = {tag for operation in _operations(found) for tag in operation.get("tags", ())}
    found["tags"] = [{"name": name, "description": text} for name, text in TAGS.items() if name in used]
    for operation in _operations(found):
        for response in operation["responses"].values():
            _as_problem(response)
    found["components"]["securitySchemes"] = SCHEMES
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            _tell_of_keys(path, method, operation)
    return found


def _tell_of_keys(path: str, method: str, operation: dict[str, Any]) -> None:
    # The document leaves out that a parameter may have slashes in it.
    need = need_of(method.upper(), path) or need_of(method.upper(), path.replace("}", ":path}"))
    if need is None or need == PUBLIC:
        operation["security"] = []
        return
    operation["security"] = [{scheme: [scope]} for scope in in_order(need) for scheme in SCHEMES]
    kind, model = ("application/json", "TeiErrorBody") if TEI_PATH.fullmatch(path) else (MEDIA_TYPE, Problem.__name__)
    schema = {"$ref": f"#/components/schemas/{model}"}
    for status, (description, headers) in REFUSALS.items():
        known = operation["responses"].setdefault(status, {"content": {kind: {"schema": schema}}})
        known["description"] = "; or: ".join(filter(None, (known.get("description"), description)))
        if headers:
            known["headers"] = headers
    operation["responses"] = dict(sorted(operation["responses"].items()))


def _operations(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for operations in found["paths"].values():
        yield from operations.values()


def _as_problem(response: dict[str, Any]) -> None:
    """FastAPI takes every model of a route for JSON of the route's own kind."""
    content = response.get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    if schema.get("$ref", "").rpartition("/")[2] == Problem.__name__:
        content[MEDIA_TYPE] = content.pop("application/json")
