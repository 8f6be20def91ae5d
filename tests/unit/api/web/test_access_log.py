"""One line a request: loud where something was changed or went wrong, quiet where somebody only looks."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.api.app import create_app
from services.api.metrics import ApiMetrics
from services.api.web.access_log import log_request
from tests.unit.api.asgi import client_of


@pytest.mark.parametrize(
    ("method", "route", "status", "level"),
    [
        ("GET", "/api/posts", 200, "debug"),
        ("GET", "/api/posts", 304, "debug"),
        ("GET", "/api/posts", 422, "debug"),
        ("HEAD", "/api/health", 200, "debug"),
        ("OPTIONS", "preflight", 200, "debug"),
        ("GET", "/api/posts", 503, "warning"),
        ("POST", "/api/dead-letters/drop", 200, "info"),
        ("POST", "/api/dead-letters/drop", 422, "info"),
        ("DELETE", "/api/alert-rules/{rule_id}", 204, "info"),
        ("POST", "/api/dead-letters/drop", 500, "warning"),
        ("POST", "refused", 429, "debug"),
        ("POST", "/predict", 200, "debug"),
        ("POST", "/predict", 503, "warning"),
    ],
)
def test_the_level_says_how_much_it_matters(method: str, route: str, status: int, level: str) -> None:
    with capture_logs() as lines:
        log_request(
            {"type": "http", "client": ("127.0.0.1", 1)},
            method=method,
            route=route,
            status=status,
            duration_s=0.0123456,
            sent_bytes=7,
        )
    assert lines == [
        {
            "event": "request",
            "log_level": level,
            "method": method,
            "route": route,
            "status": status,
            "duration_ms": 12.35,
            "bytes": 7,
            "client": "127.0.0.1",
        }
    ]


async def test_what_was_looked_for_is_in_no_line(tmp_path: Path) -> None:
    async with client_of(create_app(tmp_path, ApiMetrics())) as client:
        with capture_logs() as lines:
            await client.get("/api/posts?search=diagnosis&limit=1000")
            await client.get("/api/posts?search=diagnosis")
            await client.get("/api/nothing?search=diagnosis")
    assert [line["event"] for line in lines].count("request") == 3
    assert not any(
        "diagnosis" in str({key: value for key, value in line.items() if key != "exc_info"}) for line in lines
    )
