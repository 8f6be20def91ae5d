"""The application: routes, errors, headers, dashboard. Its state is opened by `server.py`."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from services.api import live
from services.api.admission import Admission, Permits
from services.api.dashboard import Dashboard
from services.api.errors import install_error_handlers
from services.api.metrics import ApiMetrics
from services.api.middleware import RequestMetrics, SecurityHeaders
from services.api.routes import (
    alert_rules,
    alerts,
    counts,
    dead_letters,
    health,
    metrics,
    posts,
    sentiment,
    webhooks,
)
from services.api.schemas import ErrorBody
from services.api.unknown import METHODS, unknown

DESCRIPTION = """How people feel, live.

`/ws/sentiment` is the live feed: `connected`, `new_post`, `metrics_update`, `alert` and, when idle, `ping`. Of more
posts than FEED_POSTS_PER_S it shows an even sample, and says so about once a second: `feed`, with `sampled`, `posts`,
`shown` and `seconds`. Counts and alerts are never sampled.
Times are UTC; a time without an offset is taken as UTC. Every error is `{"detail": "a sentence"}`.

An overloaded server answers 429, one whose database is away 503; both say in `Retry-After` when to come again. While
the database is away some answers are those of before, up to ten minutes old: `X-Undertone-Stale` says how old."""
BUSY: dict[int | str, dict[str, Any]] = {
    429: {
        "model": ErrorBody,
        "description": "Too many requests at once",
        "headers": {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}},
    }
}


def create_app(frontend_dist: Path, api_metrics: ApiMetrics, permits: Permits | None = None) -> FastAPI:
    """The application; `app.state.undertone` must hold a State before the first request.

    Without `permits` everybody is admitted.
    """
    app = FastAPI(
        title="Undertone",
        summary="Sentiment and emotion of social posts",
        description=DESCRIPTION,
        version=_version(),
        openapi_url="/api/openapi.json",
        # Their pages load scripts from elsewhere, which our content security policy forbids.
        docs_url=None,
        redoc_url=None,
    )
    install_error_handlers(app)
    for module in (posts, sentiment, counts, alerts, alert_rules, webhooks, dead_letters):
        app.include_router(module.router, responses=BUSY)
    for free_module in (health, metrics, live):
        app.include_router(free_module.router)
    app.add_api_route("/api/{path:path}", unknown, methods=list(METHODS), include_in_schema=False)
    app.mount("/", Dashboard(frontend_dist), name="dashboard")
    if permits is not None:
        app.add_middleware(Admission, permits=permits, metrics=api_metrics)
    app.add_middleware(RequestMetrics, metrics=api_metrics)
    app.add_middleware(SecurityHeaders)
    return app


def _version() -> str:
    try:
        return version("undertone")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"
