"""The application: routes, errors, headers, dashboard. Its state is opened by `server.py`."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.middleware.gzip import GZipMiddleware

from services.api.access.callers import Callers
from services.api.access.client_address import ClientAddress
from services.api.access.guard import AccessGuard
from services.api.access.refusals import Refused, refusal_answer
from services.api.access.scopes import Needs
from services.api.feed import route as live
from services.api.metrics import ApiMetrics
from services.api.routes import (
    alert_rules,
    alerts,
    analyze,
    counts,
    dead_letters,
    exports,
    health,
    ingest,
    journey,
    metrics,
    models,
    posts,
    predict,
    sentiment,
    session,
    sources,
    statistics,
    webhooks,
    words,
)
from services.api.schemas.general import ErrorBody
from services.api.web.admission import Admission, Permits
from services.api.web.conditional import ConditionalGet
from services.api.web.cross_origin import CrossOrigin
from services.api.web.dashboard import Dashboard
from services.api.web.errors import install_error_handlers
from services.api.web.middleware import InternalErrors, RequestMetrics, SecurityHeaders
from services.api.web.openapi_document import install_openapi
from services.api.web.own_names import OwnNames
from services.api.web.request_id import RequestIds
from services.api.web.same_origin import OriginGuard
from services.api.web.server_spans import server_spans
from services.api.web.unknown import METHODS, unknown
from services.common.version import undertone_version

# Below it a body fits into one packet as it is.
COMPRESSED_FROM_BYTES = 1_024
# Half a megabyte of buckets: 4 ms and 81 kB; at level 6, 9 ms and 58 kB.
COMPRESSION_LEVEL = 1
# Larger bodies, which take longer than half a millisecond, are compressed in a thread.
IN_THREAD_FROM_BYTES = 64 * 1_024
BUSY: dict[int | str, dict[str, Any]] = {
    429: {
        "model": ErrorBody,
        "description": "Too many requests at once",
        "headers": {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}},
    }
}


def create_app(
    frontend_dist: Path,
    api_metrics: ApiMetrics,
    permits: Permits | None = None,
    *,
    other_origins: frozenset[str] = frozenset(),
    callers: Callers | None = None,
    proxy_hops: int = 0,
) -> FastAPI:
    """The application; `app.state.undertone` must hold a State before the first request.

    Without `permits` everybody is admitted, without `callers` nobody is asked for a key. Pages of `other_origins` may
    do what our own may. `proxy_hops`: proxies of ours in front.
    """
    callers = callers or Callers()
    app = FastAPI(
        title="Undertone",
        summary="Sentiment and emotion of social posts",
        version=undertone_version(),
        telemetry=server_spans(),
        openapi_url=None,  # its place is `install_openapi`'s
        # Their pages load scripts from elsewhere, which our content security policy forbids.
        docs_url=None,
        redoc_url=None,
    )
    app.state.permits = permits
    app.state.callers = callers
    install_error_handlers(app)

    async def refuse(request: Request, refused: Exception) -> Response:
        assert isinstance(refused, Refused)
        return refusal_answer(request.scope, refused, api_metrics)

    app.add_exception_handler(Refused, refuse)
    install_openapi(app)
    for module in (
        posts,
        ingest,
        exports,
        journey,
        words,
        sentiment,
        counts,
        sources,
        alerts,
        alert_rules,
        webhooks,
        dead_letters,
        analyze,
    ):
        app.include_router(module.router, responses=BUSY)
    for free_module in (models, predict, statistics, health, session, metrics, live):
        app.include_router(free_module.router)
    app.add_api_route("/api/{path:path}", unknown, methods=list(METHODS), include_in_schema=False)
    app.mount("/", Dashboard(frontend_dist), name="dashboard")
    if permits is not None:
        app.add_middleware(Admission, permits=permits, metrics=api_metrics)
    # Each goes around those before it.
    app.add_middleware(ConditionalGet)
    app.add_middleware(
        GZipMiddleware,
        minimum_size=COMPRESSED_FROM_BYTES,
        compresslevel=COMPRESSION_LEVEL,
        thread_minimum_size=IN_THREAD_FROM_BYTES,
    )
    app.add_middleware(AccessGuard, callers=callers, needs=Needs(app), metrics=api_metrics)
    app.add_middleware(InternalErrors)
    app.add_middleware(OriginGuard, others=other_origins)
    if other_origins:
        app.add_middleware(CrossOrigin, origins=other_origins)
    if not callers.need_keys:
        app.add_middleware(OwnNames, origins=other_origins)
    app.add_middleware(RequestMetrics, metrics=api_metrics)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestIds)
    app.add_middleware(ClientAddress, hops=proxy_hops)
    return app
