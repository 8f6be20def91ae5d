"""One running system for many tests, and the pages of it as a browser sees them."""

import asyncio
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, BrowserContext, Page, ViewportSize
from redis.asyncio import Redis

from services.common.messages import Post, encode_post
from tests.conftest import ROOT
from tests.system import System, system
from tests.waiting import eventually

STREAM = "social_posts_stream"
STOP_TIMEOUT_S = 90.0
Theme = Literal["light", "dark"]
SIZES: dict[str, ViewportSize] = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1440, "height": 960}}
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
FINISH_ANIMATIONS = """
    for (const each of document.getAnimations())
        if (each.effect?.getComputedTiming().endTime !== Infinity) each.finish()
"""
# What a browser says of its own accord when the API goes away, as some tests want it to.
NETWORK_COMPLAINTS = ("Failed to load resource", "WebSocket connection to", "net::ERR_")


@dataclass(frozen=True)
class Site:
    """A system that runs. Safe to use from any event loop."""

    running: System

    @property
    def url(self) -> str:
        return self.running.url

    async def get(self, path: str) -> Any:
        """JSON of an API route; None while the API is away."""
        return await self.running.get(path)

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """JSON of an API route that takes a body; None where it answers with none."""

        def send() -> Any:
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(
                f"{self.url}{path}", data, {"Content-Type": "application/json"}, method=method
            )
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    text = answer.read()
            except urllib.error.HTTPError as error:
                error.close()
                raise
            return json.loads(text) if text else None

        return await asyncio.to_thread(send)

    @asynccontextmanager
    async def redis(self) -> AsyncIterator[Redis]:
        """A connection to the embedded Redis."""
        secrets = json.loads((self.running.local_dir / "secrets.json").read_text())
        redis = Redis(host="127.0.0.1", port=self.running.ports["LOCAL_REDIS_PORT"], password=secrets["redis"])
        try:
            yield redis
        finally:
            await redis.aclose()

    async def publish(self, posts: Sequence[Post]) -> None:
        """Puts posts into the stream, as a source does."""
        async with self.redis() as redis, redis.pipeline(transaction=False) as pipeline:
            for post in posts:
                pipeline.xadd(STREAM, encode_post(post))  # type: ignore[arg-type] # invariant in the key
            await pipeline.execute()

    async def store(self, posts: Sequence[Post]) -> None:
        """The same; returns when the last of them can be found."""
        await self.publish(posts)
        await self.stored(posts[-1])

    async def stored(self, post: Post) -> None:
        search = urllib.parse.urlencode({"search": post.content[:200], "limit": 100})

        async def is_there() -> bool:
            page = await self.get(f"/api/posts?{search}")
            return page is not None and any(each["post_id"] == post.post_id for each in page["posts"])

        await eventually(is_there, f"post {post.post_id} is stored", 60)

    async def make_older(self, source: str, step: timedelta) -> None:
        """Lets the posts of a source have come by so much earlier (whole minutes), and be counted there."""
        connection = await self.running.connect()
        try:
            moment = (datetime.now(UTC) - step).date()
            await connection.execute("SELECT create_post_partitions($1::date)", moment)
            # An id tells when its post came; the posts themselves are last, for the others are found by them.
            for statement in (
                "UPDATE sentiment_analysis SET post_row_id = post_row_id - ($1::bigint << 20) WHERE post_row_id IN"
                " (SELECT id FROM social_media_posts WHERE source = $2)",
                "UPDATE social_media_post_keys SET id = id - ($1::bigint << 20) WHERE id IN"
                " (SELECT id FROM social_media_posts WHERE source = $2)",
                "UPDATE social_media_posts SET id = id - ($1::bigint << 20),"
                " ingested_at = ingested_at - $1::bigint * interval '1 ms' WHERE source = $2",
            ):
                await connection.execute(statement, step // timedelta(milliseconds=1), source)
            for table in ("sentiment_minutes", "emotion_minutes"):
                await connection.execute(
                    f"UPDATE {table} SET minute = minute - $1::interval WHERE source = $2", step, source
                )
        finally:
            await connection.close()


@contextmanager
def running_site(local_dir: Path, arguments: Sequence[str], settings: dict[str, str] | None = None) -> Iterator[Site]:
    """A system with an event loop and a thread of its own, so that a fixture can hold it for a whole session."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="site", daemon=True)
    thread.start()
    context = system(local_dir, arguments, settings)
    try:
        running = asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result()
        try:
            yield Site(running)
        finally:
            asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(STOP_TIMEOUT_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@dataclass
class Visit:
    """A page that is open, and what its console complained of."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    async def violations(self) -> list[str]:
        """What axe finds, every rule of it; a line for each element."""
        # What has just appeared, or appears meanwhile, would be fading in, with less contrast than it will have.
        await self.page.emulate_media(reduced_motion="reduce")
        await self.page.evaluate(FINISH_ANIMATIONS)
        await self.page.evaluate(AXE.read_text())
        found = await self.page.evaluate("axe.run(document)")
        return [
            f"{violation['id']}: {violation['help']}: {node['html'][:200]} ({node['failureSummary']})"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]

    async def width_beyond(self) -> int:
        """Pixels by which the page is wider than its window."""
        beyond: int = await self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return beyond


@asynccontextmanager
async def visit(browser: Browser, url: str, *, size: str = "desktop", theme: Theme = "light") -> AsyncIterator[Visit]:
    """The page at `url` in a browser of that size and theme, with times in UTC."""
    context: BrowserContext = await browser.new_context(
        viewport=SIZES[size],
        color_scheme=theme,
        has_touch=size == "phone",
        timezone_id="UTC",
        locale="en-GB",
        accept_downloads=True,
    )
    try:
        page = await context.new_page()
        page.set_default_timeout(20_000)
        opened = Visit(page)
        page.on("pageerror", lambda error: opened.complaints.append(str(error)))

        def note(kind: str, text: str) -> None:
            if kind in ("error", "warning") and not any(each in text for each in NETWORK_COMPLAINTS):
                opened.complaints.append(text)

        page.on("console", lambda message: note(message.type, message.text))
        await page.goto(url)
        yield opened
    finally:
        await context.close()
