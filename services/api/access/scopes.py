"""Which scope each route needs. A route that is not in the table is refused to everybody."""

import re
from dataclasses import dataclass
from functools import cached_property

from fastapi.routing import RouteContext, iter_route_contexts
from starlette.applications import Starlette
from starlette.routing import Mount, WebSocketRoute, compile_path
from starlette.types import Scope as AsgiScope

from services.common.api_keys import Scope

# Any of these scopes; `admin` may do everything. Without one: no key is asked for.
Need = frozenset[Scope]
PUBLIC: Need = frozenset()
READ: Need = frozenset({"read"})
# Sends texts and changes nothing here. Also what no route answers: it takes a key to hear of that.
ASK: Need = frozenset({"read", "ingest"})
# Of a producer, who passes on what happens at its source; a deletion is a part of that.
INGEST: Need = frozenset({"ingest"})
ADMIN: Need = frozenset({"admin"})

# By method and template; WS: a live connection, *: any method. HEAD is as GET.
NEEDS: dict[str, Need] = {
    # The dashboard's files: its sign-in page is one of them.
    "* ": PUBLIC,
    "GET /api/health": PUBLIC,
    "GET /metrics": PUBLIC,
    "GET /api/session": PUBLIC,
    "POST /api/session": PUBLIC,
    "DELETE /api/session": PUBLIC,
    "WS /ws/sentiment": READ,
    "GET /api/openapi.json": READ,
    "GET /api/posts": READ,
    "GET /api/posts/export": READ,
    "GET /api/posts/journey": READ,
    "DELETE /api/posts/{post_id:path}": INGEST,
    "GET /api/words/rising": READ,
    "GET /api/sentiment/aggregate": READ,
    "GET /api/sentiment/distribution": READ,
    "GET /api/sentiment/totals": READ,
    "GET /api/sources": READ,
    "GET /api/ingester/sources": READ,
    "GET /api/emotions/aggregate": READ,
    "GET /api/alerts": READ,
    "GET /api/alerts/{alert_id}": READ,
    "GET /api/alert-rules": READ,
    "POST /api/alert-rule-preview": READ,
    "GET /api/dead-letters": READ,
    "GET /api/dead-letters/{letter_id}": READ,
    "GET /api/inference": READ,
    "GET /api/models": READ,
    "POST /api/posts": INGEST,
    "POST /api/analyze": ASK,
    "* /predict": ASK,
    "* /models/{model}/predict": ASK,
    "* /api/{path:path}": ASK,
    "POST /api/alerts/{alert_id}/acknowledge": ADMIN,
    "DELETE /api/alerts/{alert_id}/acknowledge": ADMIN,
    "POST /api/alert-rules": ADMIN,
    "PUT /api/alert-rules/{rule_id}": ADMIN,
    "DELETE /api/alert-rules/{rule_id}": ADMIN,
    "POST /api/webhooks/{name}/test": ADMIN,
    "PATCH /api/ingester/sources/{name:path}": ADMIN,
    "POST /api/dead-letters/replay": ADMIN,
    "POST /api/dead-letters/drop": ADMIN,
}


def need_of(method: str, template: str) -> Need | None:
    """What the table says; None: nothing."""
    found = NEEDS.get(f"{'GET' if method == 'HEAD' else method} {template}")
    return NEEDS.get(f"* {template}") if found is None else found


@dataclass(frozen=True)
class Listed:
    """A route of the application. `methods`: None where any goes to it; `kinds`: http, websocket."""

    template: str
    methods: frozenset[str] | None
    kinds: frozenset[str]
    path: re.Pattern[str]


def routes_of(app: Starlette) -> list[Listed]:
    """Every route, in the order in which they are tried."""
    return [_listed(context) for context in iter_route_contexts(app.routes)]


def _listed(context: RouteContext) -> Listed:
    template = context.path or ""
    if isinstance(context.original_route, Mount):
        return Listed(template, None, frozenset({"http", "websocket"}), compile_path(f"{template}/{{path:path}}")[0])
    if isinstance(context.original_route, WebSocketRoute):
        return Listed(template, None, frozenset({"websocket"}), compile_path(template)[0])
    return Listed(template, frozenset(context.methods or ()), frozenset({"http"}), compile_path(template)[0])


class Needs:
    """Finds the route that will answer as the router does: the first that fits."""

    def __init__(self, app: Starlette) -> None:
        self._app = app

    def of(self, scope: AsgiScope) -> Need | None:
        """None: there is no such route, or it is not in the table."""
        path = scope["path"]
        method = "WS" if scope["type"] == "websocket" else scope["method"]
        fitting = (route for route in self._routes if scope["type"] in route.kinds and route.path.match(path))
        for route in fitting:
            if method == "WS" or route.methods is None or method in route.methods:
                return need_of(method, route.template)
        return None

    @cached_property
    def _routes(self) -> list[Listed]:
        # At the first request: then the application has all of them.
        return routes_of(self._app)
