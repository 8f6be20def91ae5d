"""Reddit's API on loopback: tokens for an application, and the listings of its newest submissions and comments."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from services.ingester.sources.reddit.application import Application
from services.ingester.sources.reddit.things import to_base_36
from tests.http_server import Answer, HttpServer, Request, http_server

APPLICATION = Application("an-id", "only-for-tests", "ada")
FIRST_NUMBER = 1_700_000_000
WRITTEN_S = 1_772_452_800.0
# How many Reddit keeps in a listing.
KEPT = 1_000
PREFIXES = {"new": "t3", "comments": "t1"}


def thing(prefix: str, number: int, **changes: Any) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": f"{prefix}_{to_base_36(FIRST_NUMBER + number)}",
        "author": f"person{number}",
        "created_utc": WRITTEN_S + number,
    }
    html = f'<div class="md"><p>it is a <strong>good</strong> day {number}</p>\n</div>'
    if prefix == "t3":
        data |= {"title": f"A day {number}", "selftext_html": html}
    else:
        data |= {"body_html": html}
    return {"kind": prefix, "data": data | changes}


class Reddit:
    """`things`: of each listing, the newest first. `answers`: what the next requests for a listing are told in place
    of it. `tokens`: how many were given; one that is not the last is not taken any more.
    """

    def __init__(self) -> None:
        self.things: dict[str, list[dict[str, Any]]] = {kind: [] for kind in PREFIXES}
        self.answers: list[Answer] = []
        self.token_answers: list[Answer] = []
        self.tokens = 0

    def add(self, kind: str, *numbers: int) -> None:
        for number in numbers:
            self.things[kind].insert(0, thing(PREFIXES[kind], number))
        del self.things[kind][KEPT:]

    def answer(self, request: Request) -> Answer:
        parts = urlsplit(request.target)
        if parts.path == "/api/v1/access_token":
            return self._token(request)
        if request.headers.get("authorization") != f"bearer token-{self.tokens}":
            return _json({"error": HTTPStatus.UNAUTHORIZED}, HTTPStatus.UNAUTHORIZED)
        if self.answers:
            return self.answers.pop(0)
        kind = parts.path.rpartition("/")[2]
        if parts.path != f"/r/books+games/{kind}" or kind not in PREFIXES:
            return Answer(HTTPStatus.NOT_FOUND)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert query["raw_json"] == "1"
        names = [each.get("data", {}).get("name") for each in self.things[kind]]
        start = names.index(query["after"]) + 1 if "after" in query else 0
        page = self.things[kind][start : start + int(query["limit"])]
        is_last = start + len(page) == len(names)
        after = None if is_last else page[-1]["data"]["name"]
        limits = {"x-ratelimit-remaining": "5000.0", "x-ratelimit-used": "10", "x-ratelimit-reset": "1"}
        return _json({"kind": "Listing", "data": {"children": page, "after": after}}, headers=limits)

    def _token(self, request: Request) -> Answer:
        if self.token_answers:
            return self.token_answers.pop(0)
        credentials = b64encode(f"{APPLICATION.client_id}:{APPLICATION.secret}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {credentials}":
            return _json({"error": HTTPStatus.UNAUTHORIZED}, HTTPStatus.UNAUTHORIZED)
        self.tokens += 1
        return _json({"access_token": f"token-{self.tokens}", "expires_in": 86_400, "scope": "read"})


def _json(body: object, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})})


@asynccontextmanager
async def reddit_server() -> AsyncIterator[tuple[Reddit, HttpServer]]:
    reddit = Reddit()
    async with http_server(reddit.answer) as server:
        yield reddit, server
