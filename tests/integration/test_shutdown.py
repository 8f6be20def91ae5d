"""SIGTERM: what is in flight is finished, and where that cannot be, the process ends in time and loses nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from services.common.settings import Settings
from services.common.streams import ensure_group, group_state, open_redis
from tests.chaos.proxy import Proxy
from tests.integration.test_ingester import write
from tests.integration.test_worker import nothing_is_open, publish, stored
from tests.ports import free_port
from tests.posts import make_posts
from tests.processes import Service, service
from tests.redis_reads import entries
from tests.waiting import eventually

pytestmark = pytest.mark.long

POSTS = 40
# A worker drains for ten seconds (DRAIN_TIMEOUT_S); the rest is for a slow machine.
END_TIMEOUT_S = 20.0
# Of a request that is not given up; the API waits for those of up to five (SHUTDOWN_TIMEOUT_S).
LONG_S = 2


async def ends(process: Service) -> None:
    """Tells it to stop; AssertionError if it does not end by itself, in good order and in time."""
    try:
        async with asyncio.timeout(END_TIMEOUT_S):
            assert await process.stop() == 0, process.output
    except TimeoutError:
        raise AssertionError(f"it did not end within {END_TIMEOUT_S:.0f} s:\n{process.output}") from None
    assert "Traceback" not in process.output


async def says(process: Service, what: str) -> None:
    async def has_said() -> bool:
        return what in process.output

    await eventually(has_said, f"it says: {what}", 60)


@asynccontextmanager
async def behind_a_proxy(settings: Settings, server: str) -> AsyncIterator[tuple[Settings, Proxy]]:
    """The settings with a proxy before "database", "redis" or "triton"."""
    url = settings.triton_url if server == "triton" else getattr(settings, f"{server}_url")
    target = urlsplit(url if "//" in url else f"//{url}").port
    assert target is not None
    async with Proxy.before(target) as proxy:
        yield settings.model_copy(update={f"{server}_url": url.replace(f":{target}", f":{proxy.port}")}), proxy


def fault(proxy: Proxy, kind: str) -> AbstractContextManager[None]:
    """What a server does that is "gone" or "frozen"."""
    return proxy.cut() if kind == "gone" else proxy.stalled()


async def assert_another_stores_each_once(settings: Settings, folder: Path) -> None:
    async with open_redis(settings.redis_dsn) as redis, service("worker", settings, folder) as another:
        await eventually(lambda: nothing_is_open(redis, settings), "everything acknowledged", 60)
        await ends(another)
    assert await stored(settings.database_dsn) == POSTS


@pytest.mark.parametrize(("server", "kind"), [("database", "gone"), ("database", "frozen"), ("triton", "frozen")])
async def test_a_worker_that_waits_for_a_server_ends_in_time_and_another_stores_what_it_held(
    triton_settings: Settings, tmp_path: Path, server: str, kind: str
) -> None:
    stream, group = triton_settings.redis_stream_name, triton_settings.redis_consumer_group
    async with (
        open_redis(triton_settings.redis_dsn) as redis,
        behind_a_proxy(triton_settings, server) as (settings, proxy),
        service("worker", settings, tmp_path) as worker,
    ):
        await says(worker, "reading")
        with fault(proxy, kind):
            await publish(redis, stream, make_posts(POSTS))

            async def has_something() -> bool:
                return (await group_state(redis, stream, group)).pending > 0

            await eventually(has_something, "the worker has posts in hand")
            await ends(worker)
        left = await group_state(redis, stream, group)
        assert left.pending > 0
        assert left.pending + left.lag == POSTS
    assert await stored(triton_settings.database_dsn) == 0
    await assert_another_stores_each_once(triton_settings, tmp_path)


@pytest.mark.parametrize("kind", ["gone", "frozen"])
async def test_a_worker_that_cannot_acknowledge_ends_in_time_and_another_stores_nothing_twice(
    triton_settings: Settings, tmp_path: Path, kind: str
) -> None:
    stream, group = triton_settings.redis_stream_name, triton_settings.redis_consumer_group
    async with (
        open_redis(triton_settings.redis_dsn) as redis,
        behind_a_proxy(triton_settings, "redis") as (before_redis, redis_proxy),
        behind_a_proxy(before_redis, "database") as (settings, database_proxy),
        service("worker", settings, tmp_path) as worker,
        AsyncExitStack() as faults,
    ):
        await says(worker, "reading")
        with database_proxy.stalled():
            await publish(redis, stream, make_posts(POSTS))

            async def has_everything() -> bool:
                return (await group_state(redis, stream, group)).lag == 0

            await eventually(has_everything, "the worker has all posts in hand")
            faults.enter_context(fault(redis_proxy, kind))

        async def has_stored() -> bool:
            return await stored(triton_settings.database_dsn) > 0

        await eventually(has_stored, "the worker stores what it cannot acknowledge")
        await ends(worker)
        assert (await group_state(redis, stream, group)).pending == POSTS
    await assert_another_stores_each_once(triton_settings, tmp_path)


@pytest.mark.parametrize("server", ["database", "redis"])
async def test_a_worker_that_waits_for_a_frozen_server_at_its_start_ends_in_time(
    settings: Settings, tmp_path: Path, server: str
) -> None:
    asked = asyncio.Event()

    async def accept_and_say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        with suppress(OSError):
            while await reader.read(1_000):
                pass
        writer.close()

    url = urlsplit(getattr(settings, f"{server}_url"))
    async with await asyncio.start_server(accept_and_say_nothing, "127.0.0.1", 0) as frozen:
        port = frozen.sockets[0].getsockname()[1]
        there = settings.model_copy(update={f"{server}_url": url.geturl().replace(f":{url.port}", f":{port}")})
        async with service("worker", there, tmp_path) as worker:
            async with asyncio.timeout(60):
                await asked.wait()
            await ends(worker)


async def at_work(settings: Settings, seconds: int = 0) -> bool:
    """Whether a query has waited for the posts for so long."""
    database = await asyncpg.connect(settings.database_url)
    try:
        return bool(
            await database.fetchval(
                """SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
                    WHERE NOT granted AND relation = 'social_media_posts'::regclass
                      AND clock_timestamp() - query_start > $1 * interval '1 s'""",
                seconds,
            )
        )
    finally:
        await database.close()


@asynccontextmanager
async def waiting_request(settings: Settings, port: int) -> AsyncIterator[asyncio.Task[httpx.Response]]:
    """A request that the API at `port` works on for as long as the block lasts."""
    database = await asyncpg.connect(settings.database_url)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
        async with database.transaction():
            await database.execute("LOCK TABLE social_media_posts")
            request = asyncio.create_task(http.get("/api/posts"))

            await eventually(lambda: at_work(settings), "the request waits for the table")
            yield request
        await asyncio.gather(request, return_exceptions=True)
    await database.close()


async def test_the_api_answers_the_requests_it_has_and_takes_no_more(settings: Settings, tmp_path: Path) -> None:
    port = free_port()
    async with service("api", settings.model_copy(update={"api_port": port}), tmp_path) as api:
        await says(api, "serving")
        async with waiting_request(settings, port) as request:
            ending = asyncio.create_task(ends(api))

            async def takes_no_more() -> bool:
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    return False
                return True

            await eventually(takes_no_more, "nobody listens any more")
            await eventually(lambda: at_work(settings, LONG_S), "the request goes on")
        assert request.result().status_code == 200
        await ending


async def test_the_api_ends_in_time_though_the_database_does_not_answer(settings: Settings, tmp_path: Path) -> None:
    port = free_port()
    async with (
        behind_a_proxy(settings, "database") as (frozen, proxy),
        service("api", frozen.model_copy(update={"api_port": port}), tmp_path) as api,
    ):
        await says(api, "serving")
        async with waiting_request(settings, port):
            with proxy.stalled():
                await ends(api)


@pytest.mark.parametrize("kind", ["gone", "frozen"])
async def test_an_ingester_whose_redis_is_away_ends_in_time(settings: Settings, tmp_path: Path, kind: str) -> None:
    async with (
        open_redis(settings.redis_dsn) as redis,
        behind_a_proxy(settings, "redis") as (away, proxy),
        service("ingester", away, tmp_path, "--rate", "60000") as ingester,
    ):

        async def publishes() -> bool:
            return int(await redis.xlen(settings.redis_stream_name)) > 100

        await eventually(publishes, "it publishes")
        with fault(proxy, kind):
            await ends(ingester)


async def test_a_replay_that_was_held_back_and_stopped_begins_again_and_misses_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    posts = make_posts(1_500)
    replay = ("--source", "replay", "--file", str(write(tmp_path / "posts.jsonl", posts)))
    stream = settings.redis_stream_name
    async with open_redis(settings.redis_dsn) as redis:
        await ensure_group(redis, stream, settings.redis_consumer_group)
        limited = settings.model_copy(update={"max_stream_lag": 600})
        async with service("ingester", limited, tmp_path, *replay) as ingester:
            await says(ingester, "the workers are behind")
            await ends(ingester)
        assert 0 < await redis.xlen(stream) < len(posts)
        async with service("ingester", settings, tmp_path, *replay) as ingester:
            assert await asyncio.wait_for(ingester.process.wait(), 60) == 0, ingester.output
        published = {fields[b"post_id"].decode() for fields in await entries(redis, stream)}
    assert published == {post.post_id for post in posts}
