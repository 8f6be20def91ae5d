"""`/api/ingester/sources` on a real Redis: what ingesters have said of their sources, and the switch of each."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.api.routes.sources import GONE_AFTER_S
from services.common.settings import Settings
from services.common.source_states import SourceState, SourceStore
from services.common.streams import open_redis
from tests.integration.test_api_server import Api

PATH = "/api/ingester/sources"


def state(name: str = "bluesky", **changes: Any) -> SourceState:
    fields: dict[str, Any] = {
        "name": name,
        "connected": True,
        "behind_s": 0.5,
        "last_post_s": time.time(),
        "posts": 7,
        "errors": 1,
        "gaps": 0,
        "skipped": {"language": 3},
        "last_error": "it answered 502",
        "updated_s": time.time(),
    }
    return SourceState(**(fields | changes))


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[SourceStore]:
    async with open_redis(settings.redis_dsn) as client:
        yield SourceStore(client, settings.redis_stream_name)


async def found(api: Api) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in (await api.get(PATH))["sources"]}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "connected"),
        ({"connected": False}, "disconnected"),
        ({"waiting": True}, "waiting"),
        ({"connected": False, "on": False}, "off"),
        ({"connected": False, "ended": True, "on": False}, "ended"),
        ({"updated_s": time.time() - GONE_AFTER_S - 60}, "gone"),
        ({"on": False, "updated_s": 0.0}, "gone"),
    ],
)
async def test_a_source_has_the_state_that_its_ingester_told(
    api: Api, store: SourceStore, changes: dict[str, Any], expected: str
) -> None:
    await store.write_states([state(**changes, rejected={"too_short": 2}, posts_per_s=1.5, rate_per_minute=600.0)])
    source = (await found(api))["bluesky"]
    assert source["state"] == expected
    assert source["posts_per_s"] == (0 if expected == "gone" else 1.5)
    assert (source["posts"], source["errors"], source["last_error"]) == (7, 1, "it answered 502")
    assert (source["rejected"], source["skipped"]) == ({"too_short": 2}, {"language": 3})
    assert source["rate_limit_per_minute"] == 600
    assert (source["behind_s"] > 60) == (expected == "gone")


async def test_nobody_has_said_anything_yet(api: Api) -> None:
    assert await api.get(PATH) == {"sources": []}


async def test_ingesters_with_names_have_sources_and_switches_of_their_own(
    api: Api, store: SourceStore, settings: Settings
) -> None:
    async with open_redis(settings.redis_dsn) as client:
        named = SourceStore(client, settings.redis_stream_name, "eu")
        await store.write_states([state(posts=1)])
        await named.write_states([state(posts=2)])
        await store.write_position("bluesky", "10")
        assert await named.read_position("bluesky") is None
        answer = await api.http.patch(f"{PATH}/eu/bluesky", json={"enabled": False, "posts": 9})
        assert answer.status_code == 200, answer.text
        assert answer.json()["enabled"] is False
        assert {name: (each["posts"], each["enabled"]) for name, each in (await found(api)).items()} == {
            "bluesky": (1, True),
            "eu/bluesky": (2, False),
        }
        assert await named.switched_off(["bluesky"]) == {"bluesky"}
        assert await store.switched_off(["bluesky"]) == set()
        # An ingester that says how it is doing changes no switch.
        await named.write_states([state()])
        assert (await found(api))["eu/bluesky"]["enabled"] is False
        await api.http.patch(f"{PATH}/eu/bluesky", json={"enabled": True})
        assert (await found(api))["eu/bluesky"]["enabled"] is True


async def test_what_cannot_be_switched_is_told_so(api: Api, store: SourceStore) -> None:
    await store.write_states([state()])
    absent = await api.http.patch(f"{PATH}/reddit", json={"enabled": False})
    assert (absent.status_code, absent.headers["content-type"]) == (404, "application/problem+json")
    bodies: list[Any] = [{}, {"enabled": "no"}, {"enabled": None}, []]
    for body in bodies:
        assert (await api.http.patch(f"{PATH}/bluesky", json=body)).status_code == 422
    assert await store.switched_off(["bluesky", "reddit"]) == set()


async def test_what_another_version_has_said_of_a_source_is_no_obstacle(
    api: Api, store: SourceStore, settings: Settings
) -> None:
    await store.write_states([state()])
    async with open_redis(settings.redis_dsn) as client:
        key = f"{settings.redis_stream_name}:sources"
        older = b"""{"name": "older", "connected": true, "behind_s": null, "last_post_s": null, "posts": 0, "errors": 0,
            "gaps": 0, "skipped": {}, "last_error": "", "updated_s": 1.0, "of_a_later_one": []}"""
        await client.hset(key, "older", older)
        await client.hset(key, "none", b"[]")
    assert set(await found(api)) == {"bluesky", "older"}
