"""The built dashboard at `/`: one page whose routes live in the browser, and its hashed assets."""

import os
import stat
from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

# The build puts a hash of the content into these names: another content has another name.
ASSETS_CACHE = "public, max-age=31536000, immutable"
# The browser may keep it, but asks each time whether it is still the one.
PAGE_CACHE = "no-cache"
# What the build puts beside a file: the smaller one first.
COMPRESSED = {"br": ".br", "gzip": ".gz"}

NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Undertone</title>
<h1>Undertone</h1>
<p>The API runs, but the dashboard has not been built. Build it, then reload this page:</p>
<pre>cd frontend &amp;&amp; npm ci &amp;&amp; npm run build</pre>
<p>Meanwhile: <a href="/api/health">health</a>, <a href="/api/openapi.json">OpenAPI</a>.</p>
</html>
"""


class Dashboard(StaticFiles):
    """Files of `dist` and nothing beside it; a path that is no file is the page's own and gets `index.html`."""

    def __init__(self, dist: Path) -> None:
        super().__init__(directory=dist, check_dir=False)

    async def check_config(self) -> None:
        """The folder may be missing, and may be built while we run."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        try:
            response = await super().get_response(path, scope)
        except HTTPException as error:
            # A missing file is an error; a missing page is the page's own business.
            if error.status_code != 404 or Path(path).suffix or "\x00" in path:
                raise
            return await self._page(scope)
        response.headers["Cache-Control"] = ASSETS_CACHE if path.startswith("assets/") else PAGE_CACHE
        return response

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """The file, or what the build made of it, for those who take that."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        taken = accepted_encodings(Headers(scope=scope).get("Accept-Encoding", ""))
        found = ((name, f"{os.fspath(full_path)}{suffix}") for name, suffix in COMPRESSED.items() if name in taken)
        for name, path in found:
            compressed = _newer_file(path, stat_result.st_mtime)
            if compressed is not None:
                packed = super().file_response(path, compressed, scope, status_code)
                packed.headers["Content-Encoding"] = name
                response = packed
                break
        response.headers.add_vary_header("Accept-Encoding")
        return response

    async def _page(self, scope: Scope) -> Response:
        try:
            response = await super().get_response("index.html", scope)
        except HTTPException:
            return HTMLResponse(NOT_BUILT, headers={"Cache-Control": "no-store"})
        response.headers["Cache-Control"] = PAGE_CACHE
        return response


def accepted_encodings(header: str) -> set[str]:
    """The names in an Accept-Encoding header, without those that it refuses (q=0)."""
    names = set()
    for part in header.lower().split(","):
        name, _, parameter = part.partition(";")
        if parameter.replace(" ", "").rstrip("0.") not in ("q=", "q"):
            names.add(name.strip())
    return names


def _newer_file(path: str, than: float) -> os.stat_result | None:
    """An older one was made of another build."""
    try:
        found = Path(path).stat(follow_symlinks=False)
    except OSError:
        return None
    return found if stat.S_ISREG(found.st_mode) and found.st_mtime >= than else None
