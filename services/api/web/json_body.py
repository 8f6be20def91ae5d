"""The body of a request: JSON, small, and in time."""

import asyncio
from typing import Any, TypeVar

from fastapi import HTTPException, Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from services.api.schemas.general import ErrorBody
from services.api.web.errors import invalid

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


async def read_json(request: Request, model: type[Model], *, max_bytes: int = MAX_BODY_BYTES) -> Model:
    """The body. HTTPException as REFUSALS say (403 comes from OriginGuard), InvalidParameter where it is not what
    `model` describes.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "Send JSON, with Content-Type: application/json.")
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            raw = await _bounded(request, max_bytes)
    except TimeoutError:
        raise HTTPException(408, f"The body did not come within {READ_TIMEOUT_S:g} seconds.") from None
    except ClientDisconnect:
        raise HTTPException(400, "The body ended early.") from None
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise invalid(error.errors()) from None


async def _bounded(request: Request, max_bytes: int) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > max_bytes:
            raise HTTPException(413, f"The body has more than {max_bytes:,} bytes.")
    return bytes(body)
