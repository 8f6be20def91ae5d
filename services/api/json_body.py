"""The body of a request that changes something: from no other site's page, small, and in time."""

import asyncio
from typing import Any, TypeVar

from fastapi import HTTPException, Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from services.api.errors import InvalidParameter
from services.api.same_origin import is_same_origin
from services.api.schemas import ErrorBody

# A thousand ids need half of it.
MAX_BODY_BYTES = 64 * 1024
# Whoever is slower takes up a permit that others wait for.
READ_TIMEOUT_S = 10.0

Model = TypeVar("Model", bound=BaseModel)

REFUSALS: dict[int | str, dict[str, Any]] = {
    403: {"model": ErrorBody, "description": "The request comes from another site's page"},
    408: {"model": ErrorBody, "description": "The body did not come in time"},
    413: {"model": ErrorBody, "description": "The body is too large"},
    415: {"model": ErrorBody, "description": "The body is not application/json"},
}


def described(model: type[BaseModel]) -> dict[str, Any]:
    """The body for the OpenAPI document: routes read it themselves."""
    schema = model.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


async def read_json(request: Request, model: type[Model]) -> Model:
    """The body. HTTPException as REFUSALS say, InvalidParameter where it is not what `model` describes.

    A page of another site cannot send this content type without asking first, which nobody here answers; the origin
    is looked at all the same.
    """
    if not is_same_origin(request.headers):
        raise HTTPException(403, "Only pages of this server may do that.")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "Send JSON, with Content-Type: application/json.")
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            raw = await _bounded(request)
    except TimeoutError:
        raise HTTPException(408, f"The body did not come within {READ_TIMEOUT_S:g} seconds.") from None
    except ClientDisconnect:
        raise HTTPException(400, "The body ended early.") from None
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise InvalidParameter("; ".join(_sentence(item["loc"], item["msg"]) for item in error.errors()[:10])) from None


async def _bounded(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413, f"The body has more than {MAX_BODY_BYTES:,} bytes.")
    return bytes(body)


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    return f"{'.'.join(map(str, location)) or 'body'}: {message.removeprefix('Value error, ')}"
