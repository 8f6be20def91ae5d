"""Each user of Redis can do its service's work, all of it, and nothing else."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError
from websockets.asyncio.client import connect

from services.common.dead_letters import DeadLetter, DeadLetters
from services.common.dead_letters.scripts import bury_script, drop_script, keys, replay_script
from services.common.messages import AlertMessage, ResultsMessage, encode_post
from services.common.settings import Settings
from services.common.source_states import SourceStore
from services.common.streams import RESULTS_CHANNEL, dead_letter_stream, ensure_group, ensure_groups, open_redis
from tests.integration.redis_users import START, USERS, password_of, redis_with_users
from tests.integration.test_api_live import publish as announce
from tests.integration.test_api_live import receive
from tests.integration.test_api_server import running_api
from tests.integration.test_import import imported
from tests.integration.test_ingester import write
from tests.integration.test_worker import BAD
from tests.jetstream_server import commit, jetstream
from tests.posts import make_posts
from tests.processes import service
from tests.redis_reads import entries, read_group
from tests.unit.api.analysed import analysed_posts
from tests.waiting import eventually

# What is said of a command in a script.
NO_RIGHT = r"ACL failure|permissions"
STREAM = "posts_test_users"
OTHER_STREAM = f"{STREAM}2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("redis-users")


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    with redis_with_users(folder, STREAM) as port:
        yield port


@asynccontextmanager
async def connected(port: int, user: str) -> AsyncIterator[Redis]:
    async with open_redis(f"redis://{user}:{password_of(user)}@127.0.0.1:{port}/0") as client:
        yield client


@pytest.fixture
async def admin(port: int) -> AsyncIterator[Redis]:
    async with connected(port, "admin") as client:
        await client.flushall()
        await client.acl_log_reset()
        yield client


def settings_as(settings: Settings, port: int, user: str, shards: int) -> Settings:
    url = f"redis://{user}:{password_of(user)}@127.0.0.1:{port}/0"
    return settings.model_copy(update={"redis_url": url, "redis_stream_name": STREAM, "stream_shards": shards})


@pytest.mark.parametrize("shards", [1, 3])
async def test_posts_go_all_the_way_and_nobody_is_refused_anything(
    triton_settings: Settings, port: int, admin: Redis, tmp_path: Path, shards: int
) -> None:
    as_ingester = settings_as(triton_settings, port, "ingester", shards)
    as_worker = settings_as(triton_settings, port, "worker", shards)
    streams = as_worker.streams
    group = triton_settings.redis_consumer_group
    file = write(tmp_path / "posts.jsonl", make_posts(40), b"{not json", b'{"post_id": "x"}')
    async with service("ingester", as_ingester, tmp_path, "--source", "replay", "--file", str(file)) as ingester:
        assert await asyncio.wait_for(ingester.process.wait(), 60) == 0, ingester.output
    for fields in BAD.values():
        record: dict[Any, Any] = dict(fields)
        await admin.xadd(streams[0], record)
    # What a worker has left behind that died.
    for stream in streams:
        assert await read_group(admin, stream, group, "dead-worker", 10)
    async with service("worker", as_worker, tmp_path) as worker:

        async def trimmed() -> bool:
            return not any([await admin.xlen(stream) for stream in streams])

        await eventually(trimmed, "everything is stored, acknowledged and trimmed", 60)
        assert await worker.stop() == 0
        assert not worker.errors
    for stream in streams:
        assert [each["name"] for each in await admin.xinfo_consumers(stream, group)] == [b"dead-worker"]
    assert sum([await admin.xlen(dead_letter_stream(stream)) for stream in streams]) == 2 + len(BAD)
    assert await admin.acl_log() == []


@pytest.mark.parametrize("shards", [1, 3])
async def test_the_ingester_imports_files_and_is_refused_nothing(
    settings: Settings, port: int, admin: Redis, tmp_path: Path, shards: int
) -> None:
    as_ingester = settings_as(settings, port, "ingester", shards)
    file = write(tmp_path / "posts.jsonl", make_posts(40), b"{not json")
    for told in ("40 posts are published", "imported before"):
        ended = await imported(as_ingester, file)
        assert told in ended.out, ended.err
    assert sum([len(await entries(admin, stream)) for stream in as_ingester.streams]) == 40
    assert await admin.acl_log() == []


@pytest.mark.parametrize("shards", [1, 3])
async def test_the_api_hears_watches_and_looks_after_dead_letters_and_is_refused_nothing(
    settings: Settings, port: int, admin: Redis, shards: int
) -> None:
    as_api = settings_as(settings, port, "api", shards)
    await ensure_groups(admin, as_api.streams, as_api.redis_consumer_group)
    letters = [
        DeadLetter("", {name.encode(): value.encode() for name, value in encode_post(post).items()}, "refused", "no")
        for post in make_posts(3)
    ]
    async with running_api(as_api) as api, connect(api.live_url) as browser, connected(port, "worker") as worker:
        await DeadLetters(worker, as_api.streams).bury(letters, as_api.redis_consumer_group)
        await announce(worker, ResultsMessage(posts=analysed_posts(1)))
        assert await receive(browser, "new_post")
        assert (await api.health())["services"]["redis"] == "connected"
        found = (await api.get("/api/dead-letters"))["letters"]
        for what, letter in zip(("replay", "drop", "replay"), found, strict=True):
            answer = await api.http.post(f"/api/dead-letters/{what}", json={"ids": [letter["id"]]})
            assert answer.status_code == 200, answer.text
        assert (await api.get("/api/dead-letters"))["total"] == 0
        assert sum([len(await entries(admin, stream)) for stream in as_api.streams]) == 2
        posts = [encode_post(post) for post in make_posts(20, seed=1)]
        for key in ("one", "one", "two"):
            answer = await api.http.post("/api/posts", json=posts, headers={"Idempotency-Key": key})
            assert answer.status_code == 202, answer.text
        refused = await api.http.post("/api/posts", json=posts[:1], headers={"Idempotency-Key": "two"})
        assert refused.status_code == 422
        assert sum([len(await entries(admin, stream)) for stream in as_api.streams]) == 2 + 40

        async def measured() -> bool:
            return "undertone_stream_lag 42.0" in (await api.http.get("/metrics")).text

        await eventually(measured, "it sees what waits in the stream")
        # As it does when an alert is raised: to itself, too.
        async with connected(port, "api") as another:
            await announce(another, AlertMessage(change="raised", alert={"id": 1}))
        assert await receive(browser, "alert")
    assert await admin.acl_log() == []


async def test_the_ingester_keeps_how_its_sources_are_doing_and_the_api_reads_it(
    settings: Settings, port: int, admin: Redis, tmp_path: Path
) -> None:
    as_ingester = settings_as(settings, port, "ingester", 1)
    async with jetstream() as server, connected(port, "api") as api:
        for on in (False, True):
            await SourceStore(api, STREAM).switch("bluesky", on=on)
        assert await SourceStore(api, STREAM).switched_off(["bluesky"]) == set()
        arguments = ("--source", "bluesky", "--jetstream", server.url)
        for rkey in ("a", "b"):  # the second time it reads where it was
            async with service("ingester", as_ingester, tmp_path, *arguments):

                async def published(rkey: str = rkey) -> bool:
                    server.add(commit(rkey))
                    states = await SourceStore(api, STREAM).read_states()
                    return any(state.posts for state in states)

                await eventually(published, "a post is published, and told")
            await admin.delete(f"{STREAM}:sources")
        assert "cursor" in server.requests[-1]
    assert await admin.acl_log() == []


async def execute(client: Redis, *command: str) -> object:
    return await client.execute_command(*command)  # type: ignore[no-untyped-call] # the library leaves it untyped


EVERYBODY = (
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("CONFIG", "GET", "*"),
    ("CONFIG", "SET", "dir", "/tmp"),
    ("KEYS", "*"),
    ("SCAN", "0"),
    ("SHUTDOWN",),
    ("ACL", "LIST"),
    ("ACL", "SETUSER", "worker", "allcommands"),
    ("MONITOR",),
    ("CLIENT", "LIST"),
    ("CLIENT", "KILL", "TYPE", "normal"),
    ("REPLICAOF", "127.0.0.1", "1"),
    ("BGREWRITEAOF",),
    ("SET", "x", "1"),
    ("GET", STREAM),
    ("DEL", STREAM),
    ("UNLINK", STREAM),
    ("RENAME", STREAM, OTHER_STREAM),
    ("DUMP", STREAM),
    ("EXPIRE", STREAM, "1"),
    ("XDEL", STREAM, "1-1"),
    ("XSETID", STREAM, "1-1"),
    ("XGROUP", "DESTROY", STREAM, "sentiment_workers"),
    ("XGROUP", "SETID", STREAM, "sentiment_workers", "$"),
    ("XREAD", "STREAMS", STREAM, "0"),
    ("XLEN", OTHER_STREAM),
    ("XADD", OTHER_STREAM, "*", "a", "b"),
    ("PUBLISH", "other", "x"),
    ("SUBSCRIBE", "other"),
    ("PSUBSCRIBE", "*"),
    ("EVAL", "return redis.call('KEYS', '*')", "0"),
    ("EVAL", "return 1", "1", STREAM),
    ("FUNCTION", "LIST"),
    ("SCRIPT", "FLUSH"),
)
REFUSED = {
    "ingester": (
        ("XREADGROUP", "GROUP", "g", "c", "STREAMS", STREAM, ">"),
        ("XRANGE", STREAM, "-", "+"),
        ("XTRIM", STREAM, "MAXLEN", "0"),
        ("XCLAIM", STREAM, "g", "c", "0", "1-1"),
        ("PUBLISH", RESULTS_CHANNEL, "x"),
        ("SUBSCRIBE", RESULTS_CHANNEL),
        ("DEL", f"{STREAM}:positions"),
        ("HSET", f"{STREAM}:switches", "bluesky", "off"),
    ),
    "worker": (
        ("HSET", f"{STREAM}:positions", "bluesky", "1"),
        ("XADD", STREAM, "*", "a", "b"),
        ("SUBSCRIBE", RESULTS_CHANNEL),
        ("XREVRANGE", dead_letter_stream(STREAM), "+", "-"),
    ),
    "api": (
        ("XREADGROUP", "GROUP", "g", "c", "STREAMS", STREAM, ">"),
        ("XACK", STREAM, "g", "1-1"),
        ("XRANGE", STREAM, "-", "+"),
        ("XTRIM", STREAM, "MAXLEN", "0"),
        ("XGROUP", "CREATE", STREAM, "g", "0"),
        ("XADD", dead_letter_stream(STREAM), "*", "a", "b"),
        ("HSET", f"{STREAM}:sources", "bluesky", "{}"),
        ("DEL", f"{STREAM}:switches"),
        ("DEL", f"{STREAM}:idempotency"),
        ("HGETALL", f"{STREAM}:idempotency"),
    ),
    "monitor": (
        ("XADD", STREAM, "*", "a", "b"),
        ("XRANGE", STREAM, "-", "+"),
        ("XRANGE", dead_letter_stream(STREAM), "-", "+"),
        ("XINFO", "STREAM", STREAM),
        ("PUBLISH", RESULTS_CHANNEL, "x"),
        ("SUBSCRIBE", RESULTS_CHANNEL),
        ("SLOWLOG", "GET"),
    ),
}


@pytest.mark.parametrize("user", REFUSED)
async def test_a_user_is_refused_what_is_not_its_work(port: int, admin: Redis, user: str) -> None:
    await ensure_group(admin, STREAM, "g")
    async with connected(port, user) as client:
        for command in (*EVERYBODY, *REFUSED[user]):
            try:
                answer = await execute(client, *command)
            except NoPermissionError:
                continue
            raise AssertionError(f"{user} may {' '.join(command)}: {answer!r}")
    assert await admin.exists(STREAM)


@pytest.mark.parametrize("user", ["ingester", "worker", "api"])
async def test_a_script_can_do_no_more_than_its_user(port: int, admin: Redis, user: str) -> None:
    await ensure_group(admin, STREAM, "g")
    async with connected(port, user) as client:
        for command in ("'DEL', KEYS[1]", "'XDEL', KEYS[1], '1-1'", "'KEYS', '*'", "'SET', 'x', '1'", "'FLUSHALL'"):
            with pytest.raises(ResponseError, match=NO_RIGHT):
                await client.register_script(f"return redis.call({command})")(keys=[STREAM])
    assert await admin.exists(STREAM)


async def test_who_may_not_bury_or_replay_does_not_by_the_scripts_of_the_others(port: int, admin: Redis) -> None:
    await admin.xadd(dead_letter_stream(STREAM), {"post_id": "x"}, id="5-1")
    async with (
        connected(port, "worker") as worker,
        connected(port, "api") as api,
        connected(port, "monitor") as monitor,
    ):
        with pytest.raises(ResponseError, match=NO_RIGHT):
            await replay_script(worker)(keys=keys(STREAM), args=["5-1", 2, "post_id", "x"])
        letter: list[str | int] = ["g", 10, "", "digest", "reason", 2, "reason", "reason"]
        with pytest.raises(ResponseError, match=NO_RIGHT):
            await bury_script(api)(keys=keys(STREAM), args=letter)
        with pytest.raises(NoPermissionError):
            await drop_script(monitor)(keys=keys(STREAM), args=["5-1"])
    assert await admin.xlen(dead_letter_stream(STREAM)) == 1


async def test_the_monitor_gets_its_numbers(port: int, admin: Redis) -> None:
    await ensure_group(admin, STREAM, "g")
    async with connected(port, "monitor") as monitor:
        assert (await monitor.info())["maxmemory_policy"] == "noeviction"
        assert (await monitor.info("persistence"))["aof_enabled"] == 1
        assert len(await monitor.xinfo_groups(STREAM)) == 1
        assert await monitor.slowlog_len() >= 0
        await execute(monitor, "LATENCY", "LATEST")


@pytest.mark.parametrize("login", ["", ":wrong@", "default:@", "worker:wrong@", "nobody:x@"])
async def test_nobody_gets_in_without_a_user_and_its_password(port: int, login: str) -> None:
    async with open_redis(f"redis://{login}127.0.0.1:{port}/0") as client:
        with pytest.raises(AuthenticationError):
            await client.xlen(STREAM)


@pytest.mark.usefixtures("port")
def test_the_file_of_users_has_no_password_and_is_nobody_elses_to_read(folder: Path) -> None:
    file = folder / "users.acl"
    text = file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert all(f"user {user} on #" in text for user in USERS)
    assert not [user for user in USERS if password_of(user) in text]


def test_every_password_that_is_missing_is_named(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "REDIS_API_PASSWORD": "x", "REDIS_SERVER": "/bin/false"}
    answer = subprocess.run([START], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert answer.returncode == 1
    assert "REDIS_WORKER_PASSWORD REDIS_MONITOR_PASSWORD REDIS_ADMIN_PASSWORD" in answer.stderr
    assert "REDIS_API_PASSWORD" not in answer.stderr
    bad = subprocess.run(
        [START], env={**environment, "REDIS_STREAM_NAME": "*"}, capture_output=True, text=True, check=False
    )
    assert bad.returncode == 1
    assert "REDIS_STREAM_NAME" in bad.stderr
