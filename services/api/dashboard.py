"""The built dashboard at `/`: one page whose routes live in the browser, and its hashed assets."""

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

# The build puts a hash of the content into these names: another content has another name.
ASSETS_CACHE = "public, max-age=31536000, immutable"
# The browser may keep it, but asks each time whether it is still the one.
PAGE_CACHE = "no-cache"

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

    async def _page(self, scope: Scope) -> Response:
        try:
            response = await super().get_response("index.html", scope)
        except HTTPException:
            return HTMLResponse(NOT_BUILT, headers={"Cache-Control": "no-store"})
        response.headers["Cache-Control"] = PAGE_CACHE
        return response
