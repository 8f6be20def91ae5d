"""`/api/dead-letters` on a real Redis: pages, whole letters, and what may be done with them, by whom."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from services.api.web.json_body import MAX_BODY_BYTES
from services.common.dead_letters import DeadLetter, bury
from services.common.messages import encode_post
from services.common.settings import Settings
from services.common.streams import dead_letter_stream, ensure_group, open_redis
from tests.integration.test_api_server import Api, running_api
from tests.posts import make_posts
from tests.redis_reads import entries

PATH = "/api/dead-letters"


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[Redis]:
    async with open_redis(settings.redis_dsn) as client:
        await ensure_group(client, settings.redis_stream_name, settings.redis_consumer_group)
        yield client


async def refuse(
    redis: Redis, settings: Settings, number: int, reason: str = "rejected_by_model", **change: str
) -> None:
    letters = [
        DeadLetter("", {k.encode(): v.encode() for k, v in (encode_post(post) | change).items()}, reason, "no")
        for post in make_posts(number)
    ]
    await bury(redis, settings.redis_stream_name, letters, settings.redis_consumer_group)


async def post(api: Api, what: str, body: object, status: int = 200) -> dict[str, Any]:
    answer = await api.http.post(f"{PATH}/{what}", json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_without_letters_a_page_is_empty(api: Api) -> None:
    assert await api.get(PATH) == {"letters": [], "total": 0, "by_reason": {}, "next_cursor": None}


async def test_pages_are_newest_first_with_the_numbers_of_all(api: Api, redis: Redis, settings: Settings) -> None:
    await refuse(redis, settings, 2, "too_long")
    await refuse(redis, settings, 5)
    seen: list[str] = []
    params: dict[str, str | int] = {"limit": 3}
    while True:
        page = await api.get(PATH, **params)
        assert (page["total"], page["by_reason"]) == (7, {"rejected_by_model": 5, "too_long": 2})
        seen += [letter["reason"] for letter in page["letters"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert seen == ["rejected_by_model"] * 5 + ["too_long"] * 2
    assert len((await api.get(PATH, reason="too_long"))["letters"]) == 2
    assert (await api.get(PATH, source="nobody"))["letters"] == []
    assert len((await api.get(PATH, post_id=make_posts(1)[0].post_id))["letters"]) == 2
    assert (await api.get(PATH, before="2020-01-01"))["letters"] == []
    assert len((await api.get(PATH, since="2020-01-01"))["letters"]) == 7


async def test_a_page_has_the_beginning_and_a_letter_everything(api: Api, redis: Redis, settings: Settings) -> None:
    await refuse(redis, settings, 1, content="é" * 3_000)
    (short,) = (await api.get(PATH))["letters"]
    assert short["content"] == "é" * 500
    whole = await api.get(f"{PATH}/{short['id']}")
    assert whole["content"] == whole["fields"]["content"] == "é" * 3_000
    assert (whole["cut"], whole["obstacle"], whole["stream_id"], whole["deliveries"]) == (None, None, "", 1)
    assert (await api.http.get(f"{PATH}/1-1")).status_code == 404


async def test_what_is_no_text_is_shown_all_the_same(api: Api, redis: Redis, settings: Settings) -> None:
    await redis.xadd(dead_letter_stream(settings.redis_stream_name), {b"\xff": b"\x00\xfe", b"deliveries": b"x"})
    (letter,) = (await api.get(PATH))["letters"]
    assert (await api.get(f"{PATH}/{letter['id']}"))["fields"] == {"\\xff": "\x00\\xfe"}


async def test_replayed_by_id_a_post_is_published_once(api: Api, redis: Redis, settings: Settings) -> None:
    await refuse(redis, settings, 3)
    ids = [letter["id"] for letter in (await api.get(PATH))["letters"]]
    body = {"ids": [*ids[:2], ids[0], "1-1"]}
    answers = await asyncio.gather(*(post(api, "replay", body) for _ in range(3)))
    assert sum(answer["replayed"] for answer in answers) == 2
    assert sum(answer["gone"] for answer in answers) == 3 * 3 - 2
    assert len(await entries(redis, settings.redis_stream_name)) == 2
    assert (await api.get(PATH))["total"] == 1


async def test_what_remains_is_told_and_the_cursor_goes_on_past_what_was_skipped(
    api: Api, redis: Redis, settings: Settings
) -> None:
    await refuse(redis, settings, 150, "empty_field", content="")
    await refuse(redis, settings, 230)
    body: dict[str, object] = {"all": True, "limit": 130}
    replayed = skipped = calls = 0
    while True:
        answer = await post(api, "replay", body)
        replayed += answer["replayed"]
        skipped += len(answer["skipped"])
        calls += 1
        assert answer["replayed"] + len(answer["skipped"]) <= 130
        # Comes while this goes on, and is left alone.
        await refuse(redis, settings, 1, f"new{calls}")
        if answer["next_cursor"] is None:
            break
        body["cursor"] = answer["next_cursor"]
    assert (replayed, skipped, calls) == (230, 150, 3)
    assert (await api.get(PATH))["total"] == 150 + calls


async def test_letters_are_dropped_by_reason_and_all_of_them(api: Api, redis: Redis, settings: Settings) -> None:
    await refuse(redis, settings, 3, "too_long")
    await refuse(redis, settings, 4)
    assert await post(api, "drop", {"reason": "too_long"}) == {"dropped": 3, "gone": 0, "next_cursor": None}
    assert (await api.get(PATH))["by_reason"] == {"rejected_by_model": 4}
    assert (await post(api, "drop", {"all": True}))["dropped"] == 4
    assert await redis.xlen(settings.redis_stream_name) == 0


async def test_no_more_is_published_than_the_workers_have_room_for(settings: Settings, redis: Redis) -> None:
    await refuse(redis, settings, 5)
    async with running_api(settings.model_copy(update={"max_stream_lag": 3})) as api:
        ids = [letter["id"] for letter in (await api.get(PATH))["letters"]]
        assert "no room" in (await post(api, "replay", {"ids": ids}, 503))["detail"]
        answer = await post(api, "replay", {"all": True})
        assert (answer["replayed"], answer["next_cursor"] is None) == (3, False)
        assert "no room" in (await post(api, "replay", {"all": True}, 503))["detail"]
    assert await redis.xlen(settings.redis_stream_name) == 3


@pytest.mark.parametrize(
    ("refused", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": ""}, 415),
    ],
)
async def test_another_sites_page_changes_nothing(
    api: Api, redis: Redis, settings: Settings, refused: dict[str, str], status: int
) -> None:
    await refuse(redis, settings, 1)
    for what in ("replay", "drop"):
        sent = {"content-type": "application/json"} | refused
        answer = await api.http.post(f"{PATH}/{what}", content=b'{"all": true}', headers=sent)
        assert answer.status_code == status
        assert answer.json()["detail"]
        asked = await api.http.options(f"{PATH}/{what}", headers={"origin": "http://evil.example"})
        assert "access-control-allow-origin" not in asked.headers
    assert (await api.get(PATH))["total"] == 1


async def test_a_page_of_this_host_may(api: Api, redis: Redis, settings: Settings) -> None:
    await refuse(redis, settings, 1)
    headers = {"origin": f"http://{api.host}", "content-type": "application/json; charset=utf-8"}
    answer = await api.http.post(f"{PATH}/drop", content=b'{"all": true}', headers=headers)
    assert answer.json()["dropped"] == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "body: "),
        (b"{", "body: "),
        (b"[]", "body: "),
        (b"\xff", "body: "),
        (b"[" * 30_000, "body: "),
        (b'{"ids":' + b"[" * 30_000, "body: "),
        (b"{}", "body: say which letters"),
        (b'{"all": false}', "body: say which letters"),
        (b'{"all": 1}', "all: "),
        (b'{"all": true, "reason": "x"}', "body: say which letters"),
        (b'{"all": true, "other": 1}', "other: "),
        (b'{"ids": []}', "ids: "),
        (b'{"ids": ["x"]}', "ids.0: "),
        (b'{"ids": ["1-1"], "cursor": "1-1~1-1"}', "body: cursor"),
        (json.dumps({"ids": ["1-1"] * 1_001}).encode(), "ids: "),
        (b'{"reason": "\\ud800"}', "body: "),
        (b'{"reason": ""}', "reason: "),
        (b'{"reason": {"a": 1}}', "reason: "),
        (b'{"all": true, "limit": 1e400}', "limit: "),
        (b'{"all": true, "limit": 1001}', "limit: "),
        (b'{"all": true, "cursor": "1-1"}', "cursor: "),
        (b'{"since": "soon"}', "since: "),
        (b'{"since": 1' + b"0" * 400 + b"}", "since: "),
        (b'{"since": "0001-01-01T00:00:00+14:00"}', "since: "),
    ],
)
async def test_what_is_not_usable_is_refused_with_a_sentence(
    api: Api, redis: Redis, settings: Settings, body: bytes, reason: str
) -> None:
    await refuse(redis, settings, 1)
    for what in ("replay", "drop"):
        answer = await api.http.post(f"{PATH}/{what}", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 422, answer.text
        assert answer.json()["detail"].startswith(reason)
    assert (await api.get(PATH))["total"] == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{PATH}?cursor=x", 422),
        (f"{PATH}?limit=0", 422),
        (f"{PATH}?limit=101", 422),
        (f"{PATH}?since=soon", 422),
        (f"{PATH}?reason=%00", 422),
        (f"{PATH}?source=%ff%fe", 200),
        (f"{PATH}/x", 422),
        (f"{PATH}/1-99999999999999999999999", 422),
        (f"{PATH}/%00", 422),
    ],
)
async def test_a_question_that_makes_no_sense_is_no_failure_of_ours(api: Api, path: str, status: int) -> None:
    assert (await api.http.get(path)).status_code == status


async def test_a_large_body_is_refused_before_it_ends(api: Api) -> None:
    body = b" " * MAX_BODY_BYTES + b"{}"
    headers = {"content-type": "application/json"}
    assert (await api.http.post(f"{PATH}/drop", content=body, headers=headers)).status_code == 413
    host, _, port = api.host.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    request = f"POST {PATH}/drop HTTP/1.1", "Host: x", "Content-Type: application/json", "Content-Length: 999999999"
    writer.write("\r\n".join([*request, "", ""]).encode() + b" " * (MAX_BODY_BYTES + 1))
    assert await asyncio.wait_for(reader.readline(), 10) == b"HTTP/1.1 413 Request Entity Too Large\r\n"
    writer.close()
    await writer.wait_closed()


async def test_without_redis_every_route_says_so_and_when_to_come_again(settings: Settings) -> None:
    async with running_api(settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})) as api:
        answers = [
            await api.http.get(PATH),
            await api.http.get(f"{PATH}/1-1"),
            await api.http.post(f"{PATH}/replay", json={"all": True}),
            await api.http.post(f"{PATH}/drop", json={"ids": ["1-1"]}),
        ]
    assert [answer.status_code for answer in answers] == [503] * 4
    assert all(answer.json()["detail"].startswith("Redis does not answer") for answer in answers)
    assert all("retry-after" in answer.headers for answer in answers)
