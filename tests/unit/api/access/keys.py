"""Keys of every kind, and an application that asks for them."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from services.api.access.callers import Callers
from services.api.app import create_app
from services.api.metrics import ApiMetrics
from services.common.api_keys import SCOPES, ApiKey, Scope, make_key, new_key

TEXTS: dict[Scope, str] = {scope: new_key() for scope in SCOPES}
KEYS = tuple(make_key(scope, [scope], text) for scope, text in TEXTS.items())


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def guarded_app(
    metrics: ApiMetrics,
    *,
    keys: Sequence[ApiKey] = KEYS,
    requests_per_minute: int = 0,
    proxy_hops: int = 0,
    other_origins: frozenset[str] = frozenset(),
) -> FastAPI:
    """The whole application, without a state: whoever is let in gets 500 or 404 from most routes."""
    callers = Callers(keys, requests_per_minute=requests_per_minute)
    app = create_app(Path("missing"), metrics, callers=callers, proxy_hops=proxy_hops, other_origins=other_origins)
    app.openapi_schema = openapi_schema()
    return app


@cache
def openapi_schema() -> dict[str, Any]:
    """Making it takes a second."""
    return create_app(Path("missing"), ApiMetrics()).openapi()
