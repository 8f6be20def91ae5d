"""The journey of a post through the real worker has every step, in order, and its parts add up."""

import asyncio
import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from websockets.asyncio.client import connect

from services.common.settings import Settings
from services.common.streams import open_redis
from tests.integration.asking_api import asking_api
from tests.integration.test_api_server import Api
from tests.integration.test_worker import nothing_is_open, publish
from tests.posts import make_posts
from tests.processes import service
from tests.rows import insert
from tests.waiting import eventually

NAMES = ["written", "queued", "read", "tokenized", "inferred_sentiment", "inferred_emotion", "stored", "pushed"]
# Stream ids and the moment of reading are whole milliseconds.
ROUNDING = timedelta(milliseconds=1.1)


async def journey(http: httpx.AsyncClient, post_id: str) -> dict[str, Any]:
    response = await http.get("/api/posts/journey", params={"post_id": post_id})
    assert response.status_code == 200, response.text
    return dict(response.json())


def check(journey: dict[str, Any]) -> None:
    """Every step is there, none begins before the one before it has ended, and together they are no more than all."""
    steps = {step["name"]: step for step in journey["steps"]}
    assert list(steps) == NAMES
    at = {name: datetime.fromisoformat(step["at"]) for name, step in steps.items()}
    took = {name: timedelta(milliseconds=step["took_ms"] or 0) for name, step in steps.items()}
    inferred = max(at["inferred_sentiment"], at["inferred_emotion"])
    for name, before in (
        ("queued", at["written"]),
        ("read", at["queued"]),
        ("tokenized", at["read"]),
        ("inferred_sentiment", at["tokenized"]),
        ("inferred_emotion", at["tokenized"]),
        ("stored", inferred),
        ("pushed", at["stored"]),
    ):
        assert at[name] - took[name] >= before - ROUNDING, (name, journey)
    parts = [took[name] for name in ("read", "tokenized", "stored", "pushed")]
    parts.append(max(took["inferred_sentiment"], took["inferred_emotion"]))
    assert all(part > timedelta(0) for part in parts[1:])
    total = timedelta(milliseconds=journey["total_ms"])
    assert abs(total - (at["pushed"] - at["queued"])) < ROUNDING
    assert sum(parts, timedelta(0)) <= total + ROUNDING


async def test_the_journey_of_a_post_has_every_step_in_order_and_its_parts_add_up(
    small_triton_settings: Settings, tmp_path: Path
) -> None:
    settings = small_triton_settings
    posts = make_posts(120)
    seen: dict[str, str] = {}
    async with asking_api(settings) as http, open_redis(settings.redis_dsn) as client:

        async def live() -> None:
            async with connect(f"ws://{http.base_url.netloc.decode()}/ws/sentiment") as browser:
                async for frame in browser:
                    data = json.loads(frame).get("data", {})
                    if "queued_at" in data:
                        seen[data["post_id"]] = data["queued_at"]

        watching = asyncio.create_task(live())

        async def api_listens() -> bool:
            health = (await http.get("/api/health")).json()
            metrics = (await http.get("/metrics")).text
            return health["status"] == "healthy" and "undertone_websocket_clients 1.0" in metrics

        await eventually(api_listens, "a healthy API with its browser")
        async with service("worker", settings, tmp_path) as worker:
            await publish(client, settings.redis_stream_name, posts[:100])
            await eventually(lambda: nothing_is_open(client, settings), "a batch", 60)
            for post in posts[100:]:
                await publish(client, settings.redis_stream_name, [post])
            await eventually(lambda: nothing_is_open(client, settings), "the others", 60)
            assert worker.process.returncode is None, worker.output

        async def all_seen() -> bool:
            return len(seen) == len(posts)

        await eventually(all_seen, "every post in the browser")
        watching.cancel()
        journeys = [await journey(http, post.post_id) for post in posts]
    for post, found in zip(posts, journeys, strict=True):
        check(found)
        assert found["post"]["post_id"] == post.post_id
        assert found["batch"]["worker"].startswith("worker-")
        queued = next(step for step in found["steps"] if step["name"] == "queued")
        assert datetime.fromisoformat(seen[post.post_id]) == datetime.fromisoformat(queued["at"])
    # Who was analysed together says so, and so often.
    batches = Counter(found["steps"][3]["at"] for found in journeys)
    assert all(found["batch"]["posts"] == batches[found["steps"][3]["at"]] for found in journeys)
    assert max(batches.values()) > 1
    for name in ("sentiment", "emotion"):
        step = next(step for step in journeys[0]["steps"] if step["name"] == f"inferred_{name}")
        assert step["queue_ms"] >= 0
        assert step["compute_ms"] > 0
        assert "version 1, in " in step["detail"]


async def test_a_post_from_before_shows_what_is_known(api: Api, database: asyncpg.Connection) -> None:
    await insert(database, "old & wörthy?")
    found = await journey(api.http, "old & wörthy?")
    assert [step["name"] for step in found["steps"] if step["at"]] == ["written", "stored"]
    assert (found["batch"], found["total_ms"]) == (None, None)
    assert found["post"]["sentiment"]["label"]


async def test_a_row_of_a_batch_that_is_gone_costs_no_more_than_its_steps(
    api: Api, database: asyncpg.Connection
) -> None:
    """Those of old days go by themselves."""
    await insert(database, "p")
    await database.execute(
        "UPDATE sentiment_analysis SET queued_at = '2026-05-01T12:00:00Z', read_after_ms = 250, batch_id = 7"
    )
    found = await journey(api.http, "p")
    assert [step["name"] for step in found["steps"] if step["at"]] == ["written", "queued", "read", "stored"]
    assert found["steps"][2] == {
        "name": "read",
        "at": "2026-05-01T12:00:00.250000Z",
        "took_ms": 250,
        "detail": None,
        "queue_ms": None,
        "compute_ms": None,
    }
    assert found["batch"] is None


@pytest.mark.parametrize(("post_id", "status"), [("nobody", 404), ("", 422), ("x" * 256, 422), ("a\x00b", 422)])
async def test_what_is_not_there_is_said_in_a_sentence(api: Api, post_id: str, status: int) -> None:
    response = await api.http.get("/api/posts/journey", params={"post_id": post_id})
    assert response.status_code == status
    assert isinstance(response.json()["detail"], str)
