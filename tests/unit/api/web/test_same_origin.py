"""Whose pages may open the live feed, and change something."""

import pytest
from starlette.datastructures import Headers

from services.api.web.same_origin import is_allowed_origin


@pytest.mark.parametrize(
    ("host", "origin", "allowed"),
    [
        ("localhost:8000", None, True),
        ("localhost:8000", "http://localhost:8000", True),
        ("Undertone.example", "https://undertone.example", True),
        ("undertone.example:443", "https://undertone.example", True),
        ("undertone.example:80", "http://undertone.example", True),
        ("localhost:8000", "http://localhost:3000", False),
        ("localhost:8000", "http://evil.example", False),
        ("localhost:8000", "http://localhost:8000.evil.example", False),
        ("undertone.example:8443", "https://undertone.example", False),
        ("localhost:8000", "null", False),
        ("localhost:8000", "file://", False),
        ("localhost:8000", "", False),
        ("", "http://", False),
    ],
)
def test_only_pages_of_this_host_or_no_browser(host: str, origin: str | None, allowed: bool) -> None:
    headers = {"host": host} | ({} if origin is None else {"origin": origin})
    assert is_allowed_origin(Headers(headers), frozenset()) is allowed
