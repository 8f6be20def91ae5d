"""The ingester as a process: a file into the stream, whole, and no faster than the workers follow."""

import asyncio
import json
from pathlib import Path

import pytest

from services.common.messages import Post, decode_post, encode_post
from services.common.settings import Settings
from services.common.streams import dead_letter_stream, group_state, open_redis
from tests.posts import make_posts
from tests.processes import service
from tests.redis_reads import entries, read_group
from tests.waiting import eventually

END_TIMEOUT_S = 60


def write(path: Path, posts: list[Post], *extra: bytes) -> Path:
    lines = [json.dumps(encode_post(post)).encode() for post in posts]
    path.write_bytes(b"\n".join([*lines, *extra]) + b"\n")
    return path


async def test_a_file_arrives_whole_and_in_order_and_its_bad_lines_are_buried(
    settings: Settings, tmp_path: Path
) -> None:
    posts = make_posts(1_200)
    file = write(tmp_path / "posts.jsonl", posts, b"{not json", b'{"post_id": "x"}', b"\xff\xff")
    async with service("ingester", settings, tmp_path, "--source", "replay", "--file", str(file)) as ingester:
        assert await asyncio.wait_for(ingester.process.wait(), END_TIMEOUT_S) == 0, ingester.output
    async with open_redis(settings.redis_dsn) as redis:
        assert [decode_post(fields) for fields in await entries(redis, settings.redis_stream_name)] == posts
        dead = await entries(redis, dead_letter_stream(settings.redis_stream_name))
        assert len(dead) == 3
        assert all(fields[b"reason"] and fields[b"error"] for fields in dead)


async def test_a_file_that_is_replayed_again_buries_no_line_a_second_time(settings: Settings, tmp_path: Path) -> None:
    """As an ingester does that was restarted. Two long lines that begin alike are two letters."""
    long = [b'{"content": "%s' % (b"x" * 20_000 + b"%d" % n) for n in range(2)]
    file = write(tmp_path / "posts.jsonl", make_posts(1), b"{not json", b'{"post_id": "x"}', b"\xff", b"\xfe", *long)
    for _ in range(2):
        async with service("ingester", settings, tmp_path, "--source", "replay", "--file", str(file)) as ingester:
            assert await asyncio.wait_for(ingester.process.wait(), END_TIMEOUT_S) == 0, ingester.output
    async with open_redis(settings.redis_dsn) as redis:
        dead = await entries(redis, dead_letter_stream(settings.redis_stream_name))
        assert len(dead) == 6
        assert [fields.get(b"cut") for fields in dead] == [None, None, b"line", b"line", b"line", b"line"]


async def test_it_holds_back_while_the_workers_are_behind(settings: Settings, tmp_path: Path) -> None:
    limited = settings.model_copy(update={"max_stream_lag": 600})
    file = write(tmp_path / "posts.jsonl", make_posts(2_000))
    stream, group = limited.redis_stream_name, limited.redis_consumer_group
    async with (
        open_redis(limited.redis_dsn) as redis,
        service("ingester", limited, tmp_path, "--source", "replay", "--file", str(file)) as ingester,
    ):

        async def told() -> bool:
            return "the workers are behind" in ingester.output

        await eventually(told, "it says that it waits")
        assert (await group_state(redis, stream, group)).lag <= 600
        read = 0
        while read < 2_000:
            read += len(await read_group(redis, stream, group, "reader", 100, noack=True, block=1_000))
            assert (await group_state(redis, stream, group)).lag <= 600
        assert await asyncio.wait_for(ingester.process.wait(), END_TIMEOUT_S) == 0


async def test_the_simulated_source_goes_on_until_it_is_told_to_stop(settings: Settings, tmp_path: Path) -> None:
    async with (
        open_redis(settings.redis_dsn) as redis,
        service("ingester", settings, tmp_path, "--source", "simulate", "--rate", "6000") as ingester,
    ):

        async def some() -> bool:
            return int(await redis.xlen(settings.redis_stream_name)) > 20

        await eventually(some, "posts arrive")
        assert await ingester.stop() == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--source", "telepathy"), "simulate"),
        (("--source", "replay"), "file"),
        (("--source", "replay", "--file", "/nowhere/posts.jsonl"), "/nowhere/posts.jsonl"),
    ],
)
async def test_what_cannot_be_opened_is_told_in_a_sentence(
    settings: Settings, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    async with service("ingester", settings, tmp_path, *arguments) as ingester:
        assert await asyncio.wait_for(ingester.process.wait(), END_TIMEOUT_S) == 2
    assert told in ingester.output
    assert "Traceback" not in ingester.output
