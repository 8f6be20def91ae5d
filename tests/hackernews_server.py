"""Hacker News's API on loopback: items with ids in order, the newest id, and what was changed some moments ago."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from tests.http_server import Answer, HttpServer, Request, http_server

FIRST_S = 1_772_452_800
JSON = {"Content-Type": "application/json; charset=utf-8"}


def comment(number: int, **changes: Any) -> dict[str, Any]:
    """A field that is changed to None is left out."""
    item = {
        "id": number,
        "type": "comment",
        "by": "mole",
        "parent": 1,
        "time": FIRST_S + number,
        "text": f"it&#x27;s a <i>good</i> day {number}",
    }
    return {name: value for name, value in (item | changes).items() if value is not None}


class HackerNews:
    """`items`: by id, None where there is an id and no item yet. `answers`: what the next requests for items are told
    in place of them.
    """

    def __init__(self) -> None:
        self.items: dict[int, dict[str, Any] | None] = {}
        self.changed: list[int] = []
        self.answers: list[Answer] = []
        self.polls = 0

    def add(self, *numbers: int) -> None:
        self.items |= {number: comment(number) for number in numbers}

    def change(self, number: int, item: dict[str, Any]) -> None:
        self.items[number] = item
        self.changed.append(number)

    def answer(self, request: Request) -> Answer:
        if request.target == "/maxitem.json":
            self.polls += 1
            return _json(max(self.items))
        if request.target == "/updates.json":
            return _json({"items": self.changed, "profiles": ["mole"]})
        if self.answers:
            return self.answers.pop(0)
        number = request.target.removeprefix("/item/").removesuffix(".json")
        return _json(self.items.get(int(number)))


def _json(value: Any) -> Answer:
    return Answer(HTTPStatus.OK, json.dumps(value).encode(), JSON)


@asynccontextmanager
async def hackernews() -> AsyncIterator[tuple[HackerNews, HttpServer]]:
    state = HackerNews()
    async with http_server(state.answer) as server:
        yield state, server
