"""Every error as problem details (RFC 9457), or in the dialect that the clients of a path expect."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Scope

from services.api.web.request_id import current_request_id

MEDIA_TYPE = "application/problem+json"
NOT_KEPT = {"Cache-Control": "no-store"}
# Of a longer path its beginning: what was wrong may be that it is long.
MAX_INSTANCE_CHARS = 2_000
# Its name and its title. Names are for good: clients compare them.
Kind = tuple[str, str]
NO_KEY: Kind = ("/problems/no-key", "An API key is needed")
SCOPE: Kind = ("/problems/scope", "The API key does not suffice")
RATE_LIMIT: Kind = ("/problems/rate-limit", "More than one caller may ask for")
# Where the status does not say all.
KINDS: dict[int, Kind] = {
    403: ("/problems/foreign-page", "A page of another site asks"),
    421: ("/problems/foreign-name", "Called by a name that is not known to be ours"),
    422: ("/problems/invalid-request", "The request is not valid"),
    429: ("/problems/overloaded", "Too many requests at once"),
    503: ("/problems/unavailable", "Not available now"),
}
# Inference in the dialect of text-embeddings-inference, errors included: those of its routes come from tei_route.py,
# those of what is around all routes from here.
TEI_PATH = re.compile(r"/predict|/models/[^/]+/predict")
TEI_ERROR_TYPES = {429: "Overloaded", 503: "Unhealthy"}


class FieldError(BaseModel):
    """What is wrong with one field of the request."""

    model_config = ConfigDict(json_schema_mode_override="validation")

    field: str = Field(description="Its name; of a field within others with dots: `texts.3`", examples=["limit"])
    message: str = Field(examples=["Input should be less than or equal to 100"])
    reason: str | None = Field(
        default=None, description="Of a post that is none, for programs; absent otherwise", examples=["too_long"]
    )


class Problem(BaseModel):
    """Every error, as `application/problem+json` (RFC 9457)."""

    # What has a default may be absent, also in answers.
    model_config = ConfigDict(json_schema_mode_override="validation")

    type: str = Field(
        description="What kind of problem it is, for programs; `about:blank`: the status says it all",
        examples=["/problems/invalid-request"],
    )
    title: str = Field(description="The kind, for people", examples=["The request is not valid"])
    status: int = Field(description="As in the status line", examples=[422])
    detail: str = Field(
        description="A sentence about this very request", examples=["limit: Input should be less than or equal to 100"]
    )
    instance: str = Field(description="The path that was asked for", examples=["/api/posts"])
    request_id: str | None = Field(
        description="As in X-Request-ID, and in every line of the log", examples=["6f1c9d0e8a7b4c35"]
    )
    errors: list[FieldError] = Field(
        default=[], description="With 422: the fields that are wrong, where it is fields; absent otherwise"
    )


def error_answer(
    scope: Scope,
    status: int,
    detail: str,
    *,
    kind: Kind | None = None,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The answer to a request that failed, in the dialect of its path. `kind`: by default that of the status."""
    path: str = scope["path"]
    if TEI_PATH.fullmatch(path):
        error_type = TEI_ERROR_TYPES.get(status, "Validation" if status < 500 else "Backend")
        return JSONResponse({"error": detail, "error_type": error_type}, status, headers=NOT_KEPT | dict(headers or {}))
    raw_path: bytes = scope.get("raw_path") or path.encode()
    instance = raw_path.decode("ascii", "replace")
    return problem(status, detail, instance, kind=kind, errors=errors, headers=headers)


def problem(
    status: int,
    detail: str,
    instance: str,
    *,
    kind: Kind | None = None,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An encoded `Problem`. `instance`: the path, as it was sent."""
    name, title = kind or KINDS.get(status, ("about:blank", HTTPStatus(status).phrase))
    body: dict[str, object] = {
        "type": name,
        "title": title,
        "status": status,
        "detail": detail,
        "instance": instance[:MAX_INSTANCE_CHARS],
        "request_id": current_request_id(),
    }
    if errors:
        body["errors"] = [error.model_dump(exclude_none=True) for error in errors]
    return JSONResponse(body, status, headers=NOT_KEPT | dict(headers or {}), media_type=MEDIA_TYPE)
