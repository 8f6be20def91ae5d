"""As many rules as there may be, and as many posts as one turn reads: `-s` shows how long each part takes."""

from dataclasses import replace
from time import perf_counter, process_time

import asyncpg
import pytest

from services.api.alerting import keyword_watch
from services.api.alerting.keyword_watch import MAX_POSTS_PER_TURN, KeywordWatch
from services.api.alerting.rule import Rule
from services.api.alerting.watch import AlertWatch
from services.api.queries.alert_rules import changing, insert_rule
from services.api.schemas.alerts import MAX_RULES
from services.common.database import open_pool
from services.common.streams import open_redis
from tests.rows import count_again

# In the minutes before the one that runs, five sources, some words of the posts being those of rules.
_POSTS = """
    WITH made AS (
        SELECT n, next_id_at(moment) AS id, moment, 'source' || n % 5 AS source,
               'The train to town was late again, and the word' || n % 200 || ' of the day is #tag' || n % 300
               || ' for everybody who waits and waits ' || n AS content
          FROM generate_series(1, $1::int) AS n,
               LATERAL (SELECT date_trunc('minute', now()) - interval '1 second' * (1 + n % 240) AS moment) AS m
    ), posts AS (
        INSERT INTO social_media_posts (id, post_id, source, content, author, created_at, ingested_at)
        SELECT id, 'p' || n, source, content, 'me', moment, moment FROM made
    )
    INSERT INTO sentiment_analysis
           (id, post_row_id, post_id, model_name, model_version, sentiment_label, confidence_score, emotion)
    SELECT id, id, 'p' || n, 'm', 1, (ARRAY['negative', 'positive', 'neutral'])[n % 3 + 1], 0.9,
           (ARRAY['joy', 'anger', 'fear', 'sadness', 'love', 'surprise', 'disgust'])[n % 7 + 1]
      FROM made
"""


def keyword_rules() -> list[Rule]:
    words = [f"word{number}" for number in range(40)] + [f"#tag{number}" for number in range(40)]
    phrases = [f"late again and the word{number}" for number in range(20)]
    return [
        Rule(0.5, 5, 10, id=1, name=keyword, keyword=keyword, source="source1" if number % 4 == 0 else None)
        for number, keyword in enumerate(words + phrases)
    ]


def rollup_rules() -> list[Rule]:
    """Windows of every length, each kind, with a source and without."""
    kinds: list[Rule] = [
        Rule(0.5, 5, 10),
        Rule(0.5, 5, 10, kind="emotion_ratio", sentiment=None, emotion="anger"),
        Rule(1e6, 5, 10, kind="volume", sentiment=None),
    ]
    return [
        replace(
            kinds[number % 3],
            id=1,
            name=f"rule {number}",
            window_minutes=1 + number * 14,
            source=f"source{number % 5}" if number % 2 else None,
        )
        for number in range(MAX_RULES)
    ]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("rules", [keyword_rules(), rollup_rules()], ids=["keywords", "roll-ups"])
async def test_all_rules_in_one_turn(
    database_url: str, redis_url: str, rules: list[Rule], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything is counted by one turn and evaluated by the next statement, however busy the machine of a test is."""
    monkeypatch.setattr(keyword_watch, "MAX_TURN_S", 60.0)
    monkeypatch.setattr("services.api.queries.connection.READ_TIMEOUT_S", 60.0)
    async with open_pool(database_url, max_size=3) as pool, open_redis(redis_url) as redis:
        async with pool.acquire() as held:
            await held.execute(_POSTS, MAX_POSTS_PER_TURN)
            await count_again(held)
            await held.execute("ANALYZE")
        async with changing(pool) as held:
            await held.execute("UPDATE alert_keyword_progress SET next_id = 0")
            for rule in rules:
                await insert_rule(held, rule)
        watch = AlertWatch(pool, redis, Rule(0.5, 5, 10))
        began, began_cpu = perf_counter(), process_time()
        read = await KeywordWatch(pool).run_once()
        counted, counted_cpu = perf_counter(), process_time()
        await watch.evaluate_added()
        evaluated = perf_counter()
        print(
            f"\n{len(rules)} rules: {read:,} posts looked through in {1e3 * (counted - began):.0f} ms"
            f" ({1e3 * (counted_cpu - began_cpu):.0f} ms of them this process's CPU),"
            f" all evaluated in {1e3 * (evaluated - counted):.0f} ms"
        )
        if rules[0].keyword:
            assert read == MAX_POSTS_PER_TURN
            await assert_counts_are_right(pool)
        assert await pool.fetchval("SELECT count(*) FROM alert_rule_states") == MAX_RULES


async def assert_counts_are_right(pool: asyncpg.Pool) -> None:
    """As PostgreSQL counts the words of these posts."""
    rows = await pool.fetch(
        """
        SELECT r.keyword, coalesce((SELECT sum(posts) FROM alert_keyword_minutes WHERE rule_id = r.id), 0) AS counted,
               (SELECT count(*) FROM social_media_posts p
                 WHERE replace(p.content, ',', '') ~* (r.keyword || '( |$)') AND p.source = coalesce(r.source, p.source)
               ) AS expected
          FROM (SELECT * FROM alert_rules WHERE id % 7 = 0) AS r
        """
    )
    assert rows
    assert [row["counted"] for row in rows] == [row["expected"] for row in rows]
    assert sum(row["expected"] for row in rows) > 0
