"""`undertone import` as a process: every post of a file is published, and what is none is told, whoever is killed."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from services.common.messages import Post, decode_post, encode_post
from services.common.settings import Settings
from services.common.streams import group_state, open_redis, total_state
from tests.conftest import ROOT, environment_of
from tests.posts import make_posts
from tests.processes import service
from tests.redis_reads import entries, read_group, watched_lag
from tests.rows import assert_rollups_are_a_recount
from tests.unit.archives.files import write
from tests.waiting import eventually

BAD_EVERY = 97


class Ended(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[Redis]:
    async with open_redis(settings.redis_dsn) as client:
        yield client


async def start(settings: Settings, *arguments: str | Path, stdin: int = DEVNULL) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", "import", *(os.fspath(each) for each in arguments)),
        cwd=ROOT,
        env=environment_of(settings) | {"PYTHONPATH": os.fspath(ROOT)},
        stdin=stdin,
        stdout=PIPE,
        stderr=PIPE,
    )


async def end(process: Process, piped: bytes | None = None) -> Ended:
    out, err = await asyncio.wait_for(process.communicate(piped), 100)
    assert process.returncode is not None
    assert b"Traceback" not in err, err.decode()
    return Ended(process.returncode, out.decode(), err.decode())


async def imported(settings: Settings, *arguments: str | Path) -> Ended:
    return await end(await start(settings, *arguments))


async def posts_in(redis: Redis, settings: Settings) -> list[Post]:
    return [decode_post(fields) for stream in settings.streams for fields in await entries(redis, stream)]


def as_rows(posts: Sequence[Post]) -> list[dict[str, str]]:
    return [encode_post(post) for post in posts]


def refused(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.csv.zst", "a.parquet"])
async def test_a_file_of_any_format_is_published_whole_and_what_is_no_post_is_beside_it(
    settings: Settings, redis: Redis, tmp_path: Path, name: str
) -> None:
    posts = make_posts(1_203)
    rows = as_rows(posts)
    rows.insert(700, {**rows[0], "content": "x" * 40_001})
    file = write(tmp_path / name, rows)
    ended = await imported(settings, file)
    assert ended.status == 1, ended.err
    assert "1,203 posts are published" in ended.out
    (refusal,) = refused(tmp_path / f"{name}.rejects.jsonl")
    assert (refusal["reason"], refusal["row"]) == ("too_long", 702 if ".csv" in name else 701)
    assert ended.out.count("too_long 1") == 1
    assert await posts_in(redis, settings) == posts


async def test_columns_may_have_other_names_and_rejects_another_place(
    settings: Settings, redis: Redis, tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    row = {"key": "k-1", "body": "hello", "who": "ada", "at": "2026-01-31T12:00:00Z"}
    file = write(tmp_path / "a.csv", [row, {**row, "key": "k-2", "at": "never"}])
    options = ["--text-column", "body", "--id-column", "key", "--author-column", "who", "--created-at-column", "at"]
    ended = await imported(settings, file, *options, "--source", "archive", "--rejects", tmp_path / "folder")
    assert ended.status == 1, ended.err
    (post,) = await posts_in(redis, settings)
    assert (post.post_id, post.content, post.author, post.source) == ("k-1", "hello", "ada", "archive")
    assert [each["reason"] for each in refused(tmp_path / "folder" / "a.csv.rejects.jsonl")] == ["invalid_timestamp"]
    assert not (tmp_path / "a.csv.rejects.jsonl").exists()


async def test_what_is_piped_is_imported(settings: Settings, redis: Redis, tmp_path: Path) -> None:
    posts = make_posts(700)
    piped = write(tmp_path / "a.tsv.zst", as_rows(posts)).read_bytes()
    process = await start(settings, "-", "--format", "tsv.zst", "--rejects", tmp_path, stdin=PIPE)
    ended = await end(process, piped)
    assert (ended.status, "700 posts are published" in ended.out) == (0, True), ended
    assert await posts_in(redis, settings) == posts


async def test_a_file_is_imported_once_unless_it_is_another_or_somebody_says_again(
    settings: Settings, redis: Redis, tmp_path: Path
) -> None:
    file = write(tmp_path / "a.jsonl", as_rows(make_posts(3)))
    other = write(tmp_path / "b.jsonl", as_rows(make_posts(2, seed=1)))
    assert (await imported(settings, file)).status == 0
    ended = await imported(settings, file, other)
    assert "a.jsonl was imported before" in ended.out
    assert "b.jsonl: 2 posts are published" in ended.out
    assert len(await posts_in(redis, settings)) == 5
    assert (await imported(settings, file, "--again")).status == 0
    assert len(await posts_in(redis, settings)) == 8
    write(file, as_rows(make_posts(4)))
    assert "4 posts are published" in (await imported(settings, file)).out
    assert len(await posts_in(redis, settings)) == 12


async def test_it_waits_for_the_workers_also_where_fewer_may_wait_than_it_publishes_at_once(
    settings: Settings, redis: Redis, tmp_path: Path
) -> None:
    posts = make_posts(700)
    file = write(tmp_path / "a.jsonl", as_rows(posts))
    stream, group = settings.redis_stream_name, settings.redis_consumer_group
    importing = asyncio.create_task(imported(settings.model_copy(update={"max_stream_lag": 100}), file))
    while not importing.done():
        assert (await group_state(redis, stream, group)).lag <= 100
        with suppress(ResponseError):  # it has not made the group yet
            await read_group(redis, stream, group, "reader", 60, noack=True, block=100)
    ended = await importing
    assert (ended.status, "MAX_STREAM_LAG" in ended.err) == (0, True), ended
    assert await posts_in(redis, settings) == posts


async def test_without_redis_it_says_so_and_that_it_can_go_on(settings: Settings, tmp_path: Path) -> None:
    away = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    ended = await imported(away, write(tmp_path / "a.jsonl", as_rows(make_posts(1))))
    assert ended.status == 2
    assert "REDIS_URL" in ended.err
    assert "goes on" in ended.err


def with_bad_ones(posts: Sequence[Post]) -> tuple[list[Mapping[str, object]], list[int]]:
    """Rows, and the numbers, from 1, of those that are no posts."""
    rows: list[Mapping[str, object]] = []
    bad: list[int] = []
    for number, row in enumerate(as_rows(posts)):
        rows.append(row)
        if number % BAD_EVERY == 0:
            rows.append({**row, "created_at": f"never {number}"})
            bad.append(len(rows))
    return rows, bad


async def is_killed_and_goes_on(settings: Settings, redis: Redis, file: Path, step: int) -> None:
    """Kills an import that has published `step` posts more."""
    stream, group = settings.redis_stream_name, settings.redis_consumer_group
    before = await redis.xlen(stream)

    async def has_gone_on() -> bool:
        return int(await redis.xlen(stream)) >= before + step

    process = await start(settings, file)
    await eventually(has_gone_on, "it goes on", 60)
    process.kill()
    await process.communicate()
    while (await group_state(redis, stream, group)).lag:
        await read_group(redis, stream, group, "reader", 1_000, noack=True)


async def test_an_import_that_is_killed_goes_on_and_every_post_and_every_refusal_is_there(
    settings: Settings, redis: Redis, tmp_path: Path
) -> None:
    posts = make_posts(3_000)
    rows, bad = with_bad_ones(posts)
    file = write(tmp_path / "a.jsonl.gz", rows)
    # So that it is always in the middle when it is killed.
    limited = settings.model_copy(update={"max_stream_lag": 1_200})
    for _ in range(2):
        await is_killed_and_goes_on(limited, redis, file, 900)
    ended = await imported(settings, file)
    assert ended.status == 1, ended.err
    assert "3,000 posts are published" in ended.out
    assert "of them had been before" in ended.out
    found = await posts_in(redis, settings)
    assert {post.post_id for post in found} == {post.post_id for post in posts}
    # A block that was published and not noted is published again.
    assert len(found) <= len(posts) + 2 * 500
    assert [each["row"] for each in refused(tmp_path / "a.jsonl.gz.rejects.jsonl")] == bad


@asynccontextmanager
async def connected_to(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def killed_five_times(settings: Settings, redis: Redis, folder: Path, count: int, max_lag: int) -> None:
    """An import of `count` posts beside a worker, and a database that has each once in the end."""
    posts = make_posts(count)
    rows, bad = with_bad_ones(posts)
    file = write(folder / "a.csv.gz", rows)
    limited = settings.model_copy(update={"max_stream_lag": max_lag})
    query = "SELECT count(*) FROM social_media_posts"
    async with (
        connected_to(settings.database_dsn) as database,
        service("worker", limited, folder, module="tests.integration.modelless_worker"),
        watched_lag(redis, limited) as lags,
    ):
        for kill in range(1, 6):
            process = await start(limited, file)

            async def so_many(wanted: int = kill * count * 3 // 20) -> bool:
                return bool(await database.fetchval(query) >= wanted)

            await eventually(so_many, "it goes on", 60)
            assert process.returncode is None
            process.kill()
            await process.communicate()
        ended = await imported(limited, file)
        assert ended.status == 1, ended.err
        assert "of them had been before" in ended.out

        async def all_done() -> bool:
            state = await total_state(redis, limited.streams, limited.redis_consumer_group)
            return (state.lag, state.pending) == (0, 0)

        await eventually(all_done, "everything is stored", 120)
        stored = await database.fetch("SELECT post_id, content FROM social_media_posts")
        wanted = {post.post_id: post.content for post in posts}
        assert (len(stored), {row["post_id"]: row["content"] for row in stored}) == (len(wanted), wanted)
        await assert_rollups_are_a_recount(database)
    # The header is a line, too.
    assert [each["row"] for each in refused(folder / "a.csv.gz.rejects.jsonl")] == [row + 1 for row in bad]
    print(f"{len(stored):,} posts, {max(lags):,} of {max_lag:,} unread at most, {len(lags):,} looks")
    assert max(lags) <= max_lag


@pytest.mark.long
async def test_a_file_whose_import_is_killed_five_times_is_stored_once(
    settings: Settings, redis: Redis, tmp_path: Path
) -> None:
    await killed_five_times(settings, redis, tmp_path, 20_000, 1_000)


@pytest.mark.largest
@pytest.mark.timeout(400)
async def test_so_is_one_of_a_hundred_thousand_posts(settings: Settings, redis: Redis, tmp_path: Path) -> None:
    await killed_five_times(settings, redis, tmp_path, 100_000, 5_000)
