"""One table maps our errors to HTTP; `problems.py` says how an error looks."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.api.web.problems import FieldError, error_answer
from services.common.errors import ConfigurationError, MalformedPost, Rejected, Transient, UndertoneError
from services.common.logging import get_logger

log = get_logger(__name__)

RETRY_AFTER_S = 5
# A thousand wrong items are no news after the first ones.
MAX_FIELD_ERRORS = 10
# Where the framework has but a phrase.
SENTENCES = {404: "There is nothing at this path.", 405: "Not with this method."}


class InvalidParameter(UndertoneError):
    """A request parameter that is well-formed but not usable; the message says why: `name: the reason`."""

    def __init__(self, message: str, errors: Iterable[FieldError] | None = None) -> None:
        super().__init__(message)
        name, colon, reason = message.partition(": ")
        of_one = [FieldError(field=name, message=reason)] if colon and name.isidentifier() else []
        self.errors = of_one if errors is None else list(errors)


STATUS_OF: dict[type[Exception], int] = {
    InvalidParameter: 422,
    MalformedPost: 422,
    Rejected: 422,
    Transient: 503,
    ConfigurationError: 503,
}


def install_error_handlers(app: FastAPI) -> None:
    for kind, status in STATUS_OF.items():
        app.add_exception_handler(kind, _ours(status))
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http)


def invalid(complaints: Iterable[Any]) -> InvalidParameter:
    """What pydantic complains of (`ValidationError.errors()`), in sentences. Of the whole: without a field."""
    sentences, errors = [], []
    for _, item in zip(range(MAX_FIELD_ERRORS), complaints, strict=False):
        message = item["msg"].removeprefix("Value error, ")
        if item["loc"]:
            error = FieldError(field=".".join(map(str, item["loc"])), message=message)
            sentences.append(f"{error.field}: {message}")
            errors.append(error)
        else:
            of_one = InvalidParameter(message).errors
            sentences.append(message if of_one else f"body: {message}")
            errors += of_one
    return InvalidParameter("; ".join(sentences), errors)


def _ours(status: int) -> Callable[[Request, Exception], Awaitable[JSONResponse]]:
    async def handler(request: Request, error: Exception) -> JSONResponse:
        if status < 500:
            errors = error.errors if isinstance(error, InvalidParameter) else ()
            return error_answer(request.scope, status, str(error), errors=errors)
        # Addresses and credentials' names stay in the log: a client learns only who is away and that it may try again.
        log.warning("request_failed", path=request.url.path, reason=str(error))
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        return error_answer(request.scope, status, _apology(error), headers=headers)

    return handler


def _apology(error: Exception) -> str:
    service = error.service if isinstance(error, Transient) else ""
    return f"{service or 'A service that this answer needs'} does not answer; try again shortly."


async def _invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # Without "query", "path" or "body": a name occurs in one of them.
    found = invalid({**item, "loc": item["loc"][1:]} for item in error.errors())
    return error_answer(request.scope, 422, str(found), errors=found.errors)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code < 400:
        return Response(status_code=error.status_code, headers=error.headers)
    detail = str(error.detail)
    is_phrase = detail == HTTPException(error.status_code).detail
    sentence = SENTENCES.get(error.status_code, detail) if is_phrase else detail
    return error_answer(request.scope, error.status_code, sentence, headers=error.headers)
