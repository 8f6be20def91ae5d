"""A feed on loopback, as news pages have one: who names the version that it has is told that nothing has changed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import blake2b
from http import HTTPStatus
from xml.sax.saxutils import escape

from tests.http_server import Answer, HttpServer, Request, http_server

WRITTEN = datetime(2026, 3, 2, 12, tzinfo=UTC)


def item(number: int, **changes: str) -> str:
    """An item of RSS; an empty value leaves its element out."""
    elements = {
        "title": f"good day {number}",
        "guid": f"https://news.example/{number}",
        "pubDate": format_datetime(WRITTEN + timedelta(minutes=number)),
        "description": f"<p>it is a <b>good</b> day {number}</p>",
    } | changes
    return "".join(["<item>", *(f"<{k}>{escape(v)}</{k}>" for k, v in elements.items() if v), "</item>"])


def rss(*items: str, more: str = "") -> bytes:
    head = f"<title>The News</title><link>https://news.example/</link><language>en-gb</language>{more}"
    channel = f"<channel>{head}{''.join(items)}</channel>"
    return f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0">{channel}</rss>'.encode()


class Feed:
    """`answers`: what the next requests are told in place of it."""

    def __init__(self) -> None:
        self.items: list[str] = []
        self.answers: list[Answer] = []
        self.unchanged = 0

    def add(self, *numbers: int) -> None:
        """Feeds begin with the newest."""
        self.items = [*map(item, reversed(numbers)), *self.items]

    def answer(self, request: Request) -> Answer:
        if self.answers:
            return self.answers.pop(0)
        if request.target != "/feed.xml":
            return Answer(HTTPStatus.NOT_FOUND)
        body = rss(*self.items)
        etag = f'"{blake2b(body, digest_size=8).hexdigest()}"'
        if request.headers.get("if-none-match") == etag:
            self.unchanged += 1
            return Answer(HTTPStatus.NOT_MODIFIED, headers={"ETag": etag})
        return Answer(body=body, headers={"ETag": etag, "Content-Type": "application/rss+xml; charset=utf-8"})


@asynccontextmanager
async def feed_server() -> AsyncIterator[tuple[Feed, HttpServer]]:
    feed = Feed()
    async with http_server(feed.answer) as server:
        yield feed, server
