"""What no route of the API answers: a path that is known has other methods, any other path is none."""

from collections.abc import Mapping

from fastapi import HTTPException, Request
from starlette.routing import compile_path

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


async def unknown(request: Request, path: str) -> None:
    """405 or 404. Without it the dashboard would answer for a mistyped route."""
    allowed = _methods(request.app.openapi()["paths"], request.url.path)
    if allowed:
        raise HTTPException(405, f"Not with {request.method}; {', '.join(allowed)}.", {"Allow": ", ".join(allowed)})
    raise HTTPException(404, f"There is no /api/{path}; see /api/openapi.json.")


def _methods(paths: Mapping[str, Mapping[str, object]], path: str) -> list[str]:
    """The methods that the OpenAPI document has for a path; a path without parameters comes before one with them."""
    for template in sorted(paths, key=lambda template: template.count("{")):
        if compile_path(template)[0].match(path):
            methods = [method.upper() for method in paths[template] if method.upper() in METHODS]
            return [*methods, "HEAD"] if "GET" in methods else methods
    return []
