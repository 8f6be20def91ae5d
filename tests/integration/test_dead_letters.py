"""Reading letters, publishing them again, throwing them away: each letter once, whoever asks twice or at once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from services.common.dead_letters import Burial, DeadLetter, DeadLetters, bury
from services.common.dead_letters.acting import drop, replay
from services.common.dead_letters.filters import FIRST_ID, Filter, place
from services.common.dead_letters.reading import (
    MAX_READ_PER_PAGE,
    Letter,
    count,
    find,
    newest_id,
    read_oldest,
    read_page,
)
from services.common.errors import Transient
from services.common.messages import encode_post
from services.common.streams import dead_letter_stream, ensure_group, open_redis
from tests.embedded import running_redis
from tests.integration.test_burial import GROUP, consistent, given
from tests.posts import make_posts
from tests.redis_reads import entries, read_group

SOURCES = (b"reddit", b"forum")


@pytest.fixture
async def redis(redis_url: str, stream_name: str) -> AsyncIterator[Redis]:
    async with open_redis(redis_url) as client:
        await ensure_group(client, stream_name, GROUP)
        yield client


def posts(number: int) -> list[dict[bytes, bytes]]:
    return [
        {name.encode(): value.encode() for name, value in encode_post(post).items()} | {b"source": SOURCES[n % 2]}
        for n, post in enumerate(make_posts(number))
    ]


async def refuse(redis: Redis, stream: str, many: list[dict[bytes, bytes]], reason: str = "rejected_by_model") -> None:
    """As a worker does that was given them."""
    letters = [DeadLetter(each.stream_id, each.fields, reason, "no") for each in await given(redis, stream, many)]
    await bury(redis, stream, letters, GROUP)


async def everything(redis: Redis, stream: str, wanted: Filter | None = None, limit: int = 7) -> list[Letter]:
    letters: list[Letter] = []
    before: str | None = None
    while True:
        page = await read_page(redis, stream, wanted or Filter(), limit=limit, before_id=before)
        letters += page.letters
        before = page.next_id
        if before is None:
            return letters


async def test_pages_by_id_are_whole_and_newest_first_while_letters_come(redis: Redis, stream_name: str) -> None:
    many = posts(30)
    await refuse(redis, stream_name, many[:25])
    page = await read_page(redis, stream_name, Filter(), limit=10)
    await refuse(redis, stream_name, many[25:])
    rest = await read_page(redis, stream_name, Filter(), limit=15, before_id=page.next_id)
    found = [letter.raw_fields for letter in (*page.letters, *rest.letters)]
    assert found == many[24::-1]
    assert rest.next_id is None


async def test_every_filter_and_their_sum(redis: Redis, stream_name: str) -> None:
    many = posts(40)
    await refuse(redis, stream_name, many[:20], "too_long")
    await refuse(redis, stream_name, many[20:], "rejected_by_model")

    async def found(wanted: Filter) -> list[dict[bytes, bytes]]:
        return [letter.raw_fields for letter in await everything(redis, stream_name, wanted)][::-1]

    assert await found(Filter(reason="too_long")) == many[:20]
    assert await found(Filter(source="forum")) == many[1::2]
    assert await found(Filter(reason="too_long", source="forum")) == many[1:20:2]
    post_id = many[33][b"post_id"].decode()
    assert await found(Filter(post_id=post_id)) == [many[33]]
    assert await found(Filter(post_id=post_id, reason="too_long")) == []


async def test_since_and_before_go_by_the_time_of_the_burial(redis: Redis, stream_name: str) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for hours in range(6):
        moment = start + timedelta(hours=hours)
        entry = f"{int(moment.timestamp() * 1_000)}-{hours}"
        await redis.xadd(dead_letter_stream(stream_name), {"post_id": hours, "reason": "r"}, id=entry)

    async def found(since: datetime | None = None, before: datetime | None = None) -> list[str]:
        return [
            letter.post_id for letter in await everything(redis, stream_name, Filter(since=since, before=before), 2)
        ]

    assert await found() == ["5", "4", "3", "2", "1", "0"]
    assert await found(since=start + timedelta(hours=4)) == ["5", "4"]
    assert await found(before=start + timedelta(hours=1)) == ["0"]
    assert await found(since=start + timedelta(hours=1), before=start + timedelta(hours=3)) == ["2", "1"]
    assert await found(since=start + timedelta(hours=3), before=start + timedelta(hours=1)) == []
    assert await found(before=datetime(1960, 1, 1, tzinfo=UTC)) == []
    assert [letter.buried_at for letter in await everything(redis, stream_name)][-1] == start


async def test_a_page_looks_at_a_bounded_number_of_letters_and_says_where_it_goes_on(
    redis: Redis, stream_name: str
) -> None:
    dead = dead_letter_stream(stream_name)
    async with redis.pipeline(transaction=False) as pipeline:
        for n in range(MAX_READ_PER_PAGE + 5):
            pipeline.xadd(dead, {"post_id": n, "reason": "rare" if n == 0 else "r"})
        await pipeline.execute()
    page = await read_page(redis, stream_name, Filter(reason="rare"), limit=1)
    assert (page.letters, page.read) == ([], MAX_READ_PER_PAGE)
    rest = await read_page(redis, stream_name, Filter(reason="rare"), limit=1, before_id=page.next_id)
    assert [letter.post_id for letter in rest.letters] == ["0"]
    assert rest.next_id is None


async def test_the_numbers_by_reason_are_those_of_the_letters(redis: Redis, stream_name: str) -> None:
    assert (await count(redis, stream_name)).by_reason == {}
    many = posts(9)
    await refuse(redis, stream_name, many[:2], "too_long")
    await refuse(redis, stream_name, many[2:], "rejected_by_model")
    totals = await count(redis, stream_name)
    assert (totals.total, list(totals.by_reason.items())) == (9, [("rejected_by_model", 7), ("too_long", 2)])
    # As when somebody has deleted the numbers.
    await redis.delete(f"{dead_letter_stream(stream_name)}:reasons")
    assert await count(redis, stream_name) == totals
    assert await consistent(redis, stream_name)


async def test_the_numbers_are_right_whatever_happens_while_they_are_made_again(redis: Redis, stream_name: str) -> None:
    """As after an upgrade: in steps, between which letters come and go."""
    await refuse(redis, stream_name, posts(600), "too_long")
    await redis.delete(f"{dead_letter_stream(stream_name)}:reasons")
    letters = await everything(redis, stream_name, limit=100)
    await refuse(redis, stream_name, posts(1), "rejected_by_model")
    assert not await consistent(redis, stream_name)
    await drop(redis, stream_name, [letters[0].id, letters[-1].id])
    await refuse(redis, stream_name, posts(3), "rejected_by_model")
    totals = await count(redis, stream_name)
    assert (totals.total, totals.by_reason) == (601, {"too_long": 598, "rejected_by_model": 3})
    assert await consistent(redis, stream_name)


async def test_one_letter_by_its_id(redis: Redis, stream_name: str) -> None:
    await refuse(redis, stream_name, posts(1))
    (letter,) = await everything(redis, stream_name)
    assert await find(redis, stream_name, [letter.id, "1-1"]) == [letter, None]
    with pytest.raises(ValueError, match="is no id"):
        await find(redis, stream_name, ["$"])


async def test_a_replayed_letter_is_published_as_it_was_and_gone(redis: Redis, stream_name: str) -> None:
    (post,) = posts(1)
    odd = post | {b"reason": b"the producer's own", b"original_x": b"1", b"lang": b"en"}
    await refuse(redis, stream_name, [odd])
    outcome = await replay(redis, stream_name, await everything(redis, stream_name))
    assert (outcome.replayed, outcome.gone, outcome.skipped) == (1, 0, [])
    assert (await entries(redis, stream_name))[-1] == odd
    assert (await count(redis, stream_name)).total == 0
    assert await consistent(redis, stream_name)


async def test_replayed_twice_or_by_many_at_once_a_post_is_published_once(redis: Redis, stream_name: str) -> None:
    many = posts(250)
    await refuse(redis, stream_name, many)
    letters = await everything(redis, stream_name, limit=100)
    outcomes = await asyncio.gather(*(replay(redis, stream_name, letters) for _ in range(4)))
    assert sum(outcome.replayed for outcome in outcomes) == 250
    assert sum(outcome.gone for outcome in outcomes) == 3 * 250
    assert await redis.xlen(stream_name) == 2 * 250
    assert await consistent(redis, stream_name)


async def test_a_replayed_post_that_is_refused_again_is_a_new_letter(redis: Redis, stream_name: str) -> None:
    await refuse(redis, stream_name, posts(1))
    (before,) = await everything(redis, stream_name)
    await replay(redis, stream_name, [before])
    (again,) = await read_group(redis, stream_name, GROUP, "worker", 10)
    letter = DeadLetter(again.decode(), before.raw_fields, before.reason, "no")
    assert await bury(redis, stream_name, [letter], GROUP) == Burial(added=1)
    (after,) = await everything(redis, stream_name)
    assert place(after.id) > place(before.id)


@pytest.mark.parametrize(
    ("change", "obstacle"),
    [
        ({b"content": b"x" * 160_001}, "not whole"),
        ({b"extra%d" % n: b"" for n in range(17)}, "not whole"),
        ({b"content": b""}, "refused again: content is empty"),
        ({b"author": b"\xff"}, "refused again: author is not UTF-8"),
    ],
)
async def test_what_is_not_whole_or_still_no_post_stays_with_a_reason(
    redis: Redis, stream_name: str, change: dict[bytes, bytes], obstacle: str
) -> None:
    good, bad = posts(2)
    await refuse(redis, stream_name, [good, bad | change])
    letters = await everything(redis, stream_name)
    outcome = await replay(redis, stream_name, letters)
    assert outcome.replayed == 1
    ((letter, why),) = outcome.skipped
    assert obstacle in why
    assert await everything(redis, stream_name) == [letter]


async def test_a_line_that_could_not_be_read_stays(redis: Redis, stream_name: str) -> None:
    await bury(redis, stream_name, [DeadLetter("", {b"line": b"{"}, "invalid_json", "posts.jsonl line 1")], GROUP)
    outcome = await replay(redis, stream_name, await everything(redis, stream_name))
    assert [why.split(":")[0] for _, why in outcome.skipped] == ["it is a line of a file that could not be read"]


async def test_dropped_twice_a_letter_is_gone_once(redis: Redis, stream_name: str) -> None:
    await refuse(redis, stream_name, posts(150))
    ids = [letter.id for letter in await everything(redis, stream_name, limit=100)]
    assert sum(await asyncio.gather(*(drop(redis, stream_name, ids[:120]) for _ in range(3)))) == 120
    assert [letter.id for letter in await everything(redis, stream_name)] == ids[120:]
    assert await consistent(redis, stream_name)


async def test_what_is_done_with_all_ends_with_the_letters_of_its_beginning(redis: Redis, stream_name: str) -> None:
    """Or a post that is refused each time would be replayed for ever."""
    await refuse(redis, stream_name, posts(5))
    until, after, seen = await newest_id(redis, stream_name), FIRST_ID, 0
    while True:
        page = await read_oldest(redis, stream_name, Filter(), after_id=after, until_id=until, limit=2)
        await replay(redis, stream_name, page.letters)
        for letter in page.letters:
            again = DeadLetter("", letter.raw_fields, letter.reason, "no")
            await bury(redis, stream_name, [again], GROUP)
        seen += len(page.letters)
        assert seen <= 5
        if page.next_id is None:
            break
        after = page.next_id
    assert seen == 5
    assert (await count(redis, stream_name)).total == 5


async def test_room_is_what_the_workers_have_left_of_the_limit(redis: Redis, stream_name: str) -> None:
    assert await DeadLetters(redis, [stream_name]).room(GROUP, 3) == 3
    for _ in range(4):
        await redis.xadd(stream_name, {"a": 1})
    assert await DeadLetters(redis, [stream_name]).room(GROUP, 10) == 6
    assert await DeadLetters(redis, [stream_name]).room(GROUP, 3) == 0


async def test_a_full_redis_keeps_the_letters_and_lets_them_be_dropped(tmp_path: Path, stream_name: str) -> None:
    with running_redis(tmp_path) as url:
        async with open_redis(url) as redis:
            await ensure_group(redis, stream_name, GROUP)
            await refuse(redis, stream_name, posts(3))
            letters = await everything(redis, stream_name)
            await redis.config_set("maxmemory", 1)
            with pytest.raises(Transient, match="refuses for now"):
                await replay(redis, stream_name, letters)
            assert await everything(redis, stream_name) == letters
            assert await drop(redis, stream_name, [letter.id for letter in letters]) == 3
            assert (await count(redis, stream_name)).total == 0


async def test_everything_about_a_redis_that_is_away_is_transient(stream_name: str) -> None:
    async with open_redis("redis://127.0.0.1:1/0") as redis:
        letter: Any = Letter("1-0", "r", "e", 1, "", "", posts(1)[0])
        for call in (
            read_page(redis, stream_name, Filter(), limit=1),
            find(redis, stream_name, ["1-0"]),
            count(redis, stream_name),
            replay(redis, stream_name, [letter]),
            drop(redis, stream_name, ["1-0"]),
        ):
            with pytest.raises(Transient):
                await call
