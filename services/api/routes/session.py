"""`/api/session`: who looks at the dashboard shows a key once; from then on a cookie of the browser has it."""

from typing import Any

from fastapi import APIRouter, Request, Response

from services.api.access.callers import COOKIE, Caller
from services.api.access.refusals import Refused, scope_too_small
from services.api.access.scopes import READ
from services.api.dependencies import CallersDep
from services.api.schemas.general import ErrorBody
from services.api.schemas.session import Session, SignIn
from services.api.web.json_body import REFUSALS, described, read_json
from services.common.api_keys import in_order

router = APIRouter(tags=["operation"])

# A screen on a wall is not to ask for its key every day. A key that is taken out of API_KEYS ends it at once.
STAY_S = 30 * 24 * 3_600
ERRORS: dict[int | str, dict[str, Any]] = {
    **REFUSALS,
    401: {"model": ErrorBody, "description": "There is no such key"},
    422: {"model": ErrorBody},
    429: {
        "model": ErrorBody,
        "description": "Too many wrong keys",
        "headers": {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}},
    },
}


@router.get("/api/session", operation_id="getSession", summary="Whether keys are asked for, and whose key this is")
async def get_session(request: Request, response: Response, callers: CallersDep) -> Session:
    """Needs no key. A cookie whose key is no longer valid is taken away."""
    response.headers["Cache-Control"] = "no-store"
    try:
        caller = callers.caller_of(request.scope)
    except Refused:
        _forget(request, response)
        caller = None
    return _session(caller)


@router.post(
    "/api/session",
    operation_id="signIn",
    summary="Sign in with a key that may read",
    responses=ERRORS,
    openapi_extra=described(SignIn),
)
async def sign_in(request: Request, response: Response, callers: CallersDep) -> Session:
    """Sets the cookie, which also opens `/ws/sentiment`. Where no keys are asked for there is none to set."""
    text = (await read_json(request, SignIn)).key.strip()
    if not callers.need_keys:
        return _session(callers.caller_of(request.scope))
    key = callers.key_of(request.scope, text)
    caller = Caller(key.name, key.scopes, "")
    if not caller.may(READ):
        raise scope_too_small(READ, key.name)
    # No page's script can read it, and no page of another site makes a browser send it.
    response.set_cookie(COOKIE, text, STAY_S, path="/", secure=_is_https(request), httponly=True, samesite="strict")
    return _session(caller)


@router.delete(
    "/api/session",
    operation_id="signOut",
    summary="Sign out",
    status_code=204,
    response_class=Response,
    responses={403: REFUSALS[403]},
)
async def sign_out(request: Request, response: Response) -> Response:
    """The browser forgets the key. The key itself is as valid as before."""
    answer = Response(status_code=204)
    _forget(request, answer)
    return answer


def _session(caller: Caller | None) -> Session:
    if caller is None:
        return Session(required=True, name=None, scopes=[])
    return Session(required=caller.key is not None, name=caller.key, scopes=in_order(caller.scopes))


def _forget(request: Request, response: Response) -> None:
    response.delete_cookie(COOKIE, path="/", secure=_is_https(request), httponly=True, samesite="strict")


def _is_https(request: Request) -> bool:
    return request.url.scheme == "https"
