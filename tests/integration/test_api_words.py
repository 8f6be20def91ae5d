"""`/api/words/rising` on a real database."""

import random
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from services.api.queries import words as bounds
from services.api.queries.words import read_samples
from services.common.moments import MINUTE
from services.common.settings import Settings
from tests.integration.test_api_server import Api, relayed, running_api
from tests.rows import count_again, create_day

PLAIN = "river mountain kettle window garden pencil"


async def store(
    database: asyncpg.Connection, count: int, age: timedelta, spread: timedelta, **columns: str | list[str]
) -> None:
    """Posts over `spread` until `age` ago; each column one value for all, or one for each."""
    now = datetime.now(UTC)
    for moment in (now - age, now - age - spread):
        await create_day(database, moment)
    values = {"source": "s", "author": "", "content": PLAIN, "label": "neutral"} | columns
    lists = [value if isinstance(value, list) else [value] * count for value in values.values()]
    times = [now - age - spread * number / count for number in range(count)]
    await database.execute(
        """
        WITH rows AS (
            SELECT next_id_at(at) AS id, gen_random_uuid()::text AS post_id, at, source, author, content, label
              FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[])
                AS r (at, source, author, content, label)
        ), posts AS (
            INSERT INTO social_media_posts (id, post_id, source, content, author, created_at, ingested_at)
            SELECT id, post_id, source, content, author, at, at FROM rows
        )
        INSERT INTO sentiment_analysis (post_row_id, post_id, model_name, sentiment_label, confidence_score)
        SELECT id, post_id, 'model', label, 0.9 FROM rows
        """,
        times,
        *lists,
    )


async def planted(database: asyncpg.Connection) -> None:
    """In the last hour a word and a hashtag that were not there before, and one that one author repeats."""
    now, before = (MINUTE, 50 * MINUTE), (62 * MINUTE, 50 * MINUTE)
    await store(database, 200, *before)
    await store(database, 150, *now)
    authors = [f"a{number}" for number in range(40)]
    await store(database, 40, *now, content=f"{PLAIN} Strike #Rail", author=authors, label="negative", source="news")
    await store(database, 40, *now, content=f"{PLAIN} winmoney #winmoney", author="spammer")
    await count_again(database)


async def test_words_and_hashtags_that_rise(api: Api, database: asyncpg.Connection) -> None:
    await planted(database)
    answer = await api.get("/api/words/rising")
    assert {word["word"]: word["kind"] for word in answer["words"]} == {"strike": "word", "#rail": "hashtag"}
    word = next(word for word in answer["words"] if word["kind"] == "word")
    assert word.pop("score") > 2
    assert word == {
        "word": "strike",
        "kind": "word",
        "posts": 40,
        "share_percent": 17.39,
        "previous_share_percent": 0,
        "is_new": True,
        "sentiment": {"positive": 0, "negative": 40, "neutral": 0},
    }
    assert answer["sampled"] == {"current": 230, "previous": 200, "share": 1, "previous_share": 1}

    async def words(**params: str | int) -> list[str]:
        return [word["word"] for word in (await api.get("/api/words/rising", **params))["words"]]

    assert await words(kind="words") == ["strike"]
    assert await words(kind="hashtags") == ["#rail"]
    assert len(await words(limit=1)) == 1
    assert await words(sentiment="positive") == []
    assert await words(source="s") == []
    assert await words(source="nobody") == []
    assert await words(minutes=10_080) == []  # there is nothing before to compare with


async def test_a_sample_is_bounded_and_tells_its_share(
    database: asyncpg.Connection, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 4,000 posts a few hundred are read, evenly over the window, whichever source and sentiment is asked for."""
    monkeypatch.setattr(bounds, "SAMPLE_POSTS", 400)
    monkeypatch.setattr(bounds, "READ_POSTS", 800)
    chance = random.Random(1)
    labels = chance.choices(("positive", "negative"), (3, 1), k=4_000)
    sources = [f"s{number % 2}" for number in range(4_000)]
    numbers = [f"word{number}" for number in range(4_000)]
    spread = timedelta(minutes=59)
    await store(database, 4_000, MINUTE / 2, spread, source=sources, label=labels, content=numbers)
    await count_again(database)
    for source, sentiment in ((None, None), ("s1", None), (None, "negative"), ("s0", "positive")):
        current, previous = await read_samples(pool, 60, source, sentiment)
        matching = [
            number
            for number, (own, label) in enumerate(zip(sources, labels, strict=True))
            if source in (None, own) and sentiment in (None, label)
        ]
        assert 100 < len(current.posts) <= 400
        assert current.share == pytest.approx(len(current.posts) / len(matching))
        read = [int(post.content.removeprefix("word")) for post in current.posts]
        assert set(read) <= set(matching)
        assert len(set(read)) == len(read)
        for quarter in range(4):
            of_quarter = sum(1 for number in read if number // 1_000 == quarter)
            assert 0.15 < of_quarter / len(read) < 0.35
        assert (len(previous.posts), previous.share) == (0, 1.0)


@pytest.mark.parametrize(
    "params", [{"minutes": "4"}, {"limit": "101"}, {"kind": "emoji"}, {"sentiment": "mixed"}, {"source": "\x00"}]
)
async def test_what_is_not_usable_is_refused(api: Api, params: dict[str, str]) -> None:
    answer = await api.http.get("/api/words/rising", params=params)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f"{next(iter(params))}: ")


async def test_they_are_kept_for_when_the_database_is_away(
    settings: Settings, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await planted(database)
    async with relayed(settings.database_url) as relay:
        await relay.open()
        async with running_api(settings.model_copy(update={"database_url": relay.url})) as api:
            fresh = await api.get("/api/words/rising")
            await relay.cut()
            assert await api.get("/api/words/rising", limit=100) == fresh
            answer = await api.http.get("/api/words/rising", params={"minutes": 5})
            assert answer.status_code == 503
