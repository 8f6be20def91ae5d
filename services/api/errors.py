"""One table maps our errors to HTTP; every error body is `{"detail": "a sentence"}`."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from services.api.middleware import SECURITY_HEADERS
from services.common.errors import ConfigurationError, MalformedPost, Rejected, Transient, UndertoneError
from services.common.logging import get_logger

log = get_logger(__name__)

RETRY_AFTER_S = 5


class InvalidParameter(UndertoneError):
    """A request parameter that is well-formed but not usable; the message says why."""


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
    app.add_exception_handler(Exception, _unexpected)


def _ours(status: int) -> Callable[[Request, Exception], Awaitable[JSONResponse]]:
    async def handler(request: Request, error: Exception) -> JSONResponse:
        if status < 500:
            return JSONResponse({"detail": str(error)}, status)
        # Addresses and credentials' names stay in the log: a client learns only who is away and that it may try again.
        log.warning("request_failed", path=request.url.path, reason=str(error))
        return JSONResponse({"detail": _apology(error)}, status, headers={"Retry-After": str(RETRY_AFTER_S)})

    return handler


def _apology(error: Exception) -> str:
    service = error.service if isinstance(error, Transient) else ""
    return f"{service or 'A service that this answer needs'} does not answer; try again shortly."


async def _invalid_request(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    sentences = [f"{item['loc'][-1]}: {item['msg'].removeprefix('Value error, ')}" for item in error.errors()]
    return JSONResponse({"detail": "; ".join(sentences)}, 422)


async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
    # The server logs the traceback; it is nothing for a client.
    # Outside all middleware, so it brings the headers itself.
    return JSONResponse({"detail": "Internal error."}, 500, headers=SECURITY_HEADERS)
