"""Routes whose every error is TEI's: one table maps ours."""

import random
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from services.api.asking.tei import TeiError
from services.api.web.admission import RETRY_AFTER_S as WHEN_BUSY_S
from services.api.web.admission import Busy
from services.api.web.errors import RETRY_AFTER_S, InvalidParameter
from services.common.errors import ConfigurationError, Rejected, Transient
from services.common.logging import get_logger
from services.inference.scorer import TooLong, Untokenizable

log = get_logger(__name__)

# nginx' word for a client that has gone: nobody reads it, but it is counted.
GONE = 499


class TeiRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except ClientDisconnect:
                return Response(status_code=GONE)
            except Exception as error:
                return tei_answer(as_tei(error, request.url.path))

        return answer


def tei_answer(error: TeiError) -> JSONResponse:
    return JSONResponse({"error": str(error), "error_type": error.error_type}, error.status, headers=error.headers)


def as_tei(error: Exception, path: str) -> TeiError:
    """What TEI would say. An error of ours is in the log, not in the answer."""
    if isinstance(error, TeiError):
        return error
    if isinstance(error, Rejected | Transient | ConfigurationError):
        log.warning("request_failed", path=path, reason=str(error))
    for kind, translate in TRANSLATIONS:
        if isinstance(error, kind):
            return translate(error)
    log.error("request_failed", path=path, exc_info=error)
    return TeiError("Backend", "Backend error: an internal one.", 500)


def invalid(reason: str) -> TeiError:
    """413, as TEI says it."""
    return TeiError("Validation", f"Input validation error: {reason}")


def _away(_error: Exception) -> TeiError:
    # Addresses stay in the log.
    return TeiError(
        "Unhealthy", "Triton does not answer; try again shortly.", headers={"Retry-After": f"{RETRY_AFTER_S}"}
    )


def _busy(_error: Exception) -> TeiError:
    return TeiError("Overloaded", "Model is overloaded", headers={"Retry-After": f"{random.choice(WHEN_BUSY_S)}"})


def _too_long(error: TooLong) -> TeiError:
    return invalid(f"`inputs` must have less than {error.max_tokens} tokens. Given: {error.tokens}")


def _http(error: HTTPException) -> TeiError:
    return TeiError("Validation", str(error.detail), error.status_code, dict(error.headers or {}))


# The first that fits.
TRANSLATIONS: tuple[tuple[type[Exception], Callable[[Any], TeiError]], ...] = (
    (TooLong, _too_long),
    (Busy, _busy),
    (Untokenizable, lambda error: TeiError("Tokenizer", str(error))),
    (Rejected, lambda _: TeiError("Backend", "Backend error: the model refuses these inputs.")),
    (Transient, _away),
    (ConfigurationError, _away),
    (InvalidParameter, lambda error: TeiError("Validation", str(error), 422)),
    # The routes have no other parameter.
    (RequestValidationError, lambda _: TeiError("Validation", "The models are sentiment and emotion.", 404)),
    (HTTPException, _http),
)
