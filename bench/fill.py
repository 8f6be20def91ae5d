"""Fills a database with generated posts of the last days, as the worker would have stored them, only faster."""

import itertools
import random
import sys
from datetime import UTC, datetime

import asyncpg

from services.common.moments import DAY, floor
from services.worker.upkeep.closing import close_buckets
from services.worker.upkeep.search_index import index_words
from tests.rows import create_day

WORDS = 20_000
PHRASES = 200_000
# One post in so many has the word, the source or the emotion that only few have.
RARE_EVERY = 50_000

_STAGE = """
    CREATE TEMPORARY TABLE staged AS
    SELECT first_id_at(ingested_at) | (n & 1048575) AS id, *,
           CASE WHEN n % $4 = 1 THEN 'forum' ELSE (ARRAY['twitter', 'twitter', 'twitter', 'twitter', 'reddit', 'reddit',
               'reddit', 'mastodon', 'mastodon', 'bluesky'])[1 + floor(r1 * 10)::int] END AS source,
           CASE WHEN r2 < 0.4 THEN 'positive' WHEN r2 < 0.75 THEN 'negative' ELSE 'neutral' END AS label,
           CASE WHEN n % $4 = 2 THEN 'disgust' WHEN r3 < 0.3 THEN 'neutral' WHEN r3 < 0.55 THEN 'joy'
                WHEN r3 < 0.7 THEN 'sadness' WHEN r3 < 0.85 THEN 'anger' WHEN r3 < 0.95 THEN 'fear'
                ELSE 'surprise' END AS emotion,
           0.5 + r4 / 2 AS confidence
      FROM (SELECT n, $1::timestamptz + (n - $3::bigint) * ($2::timestamptz - $1) / $5::bigint AS ingested_at,
                   random() AS r1, random() AS r2, random() AS r3, random() AS r4, random() AS r5,
                   floor(random() * $6)::int AS one, floor(random() * $6)::int AS other
              FROM generate_series($3::bigint, $3::bigint + $5::bigint - 1) AS n) AS numbers
"""
_STORE = (
    "INSERT INTO social_media_post_keys (post_id, id) SELECT 'bench-' || n, id FROM staged",
    """
    INSERT INTO social_media_posts (id, post_id, source, content, author, created_at, ingested_at)
    SELECT id, 'bench-' || n, source, a.words || CASE WHEN n % $1 = 3 THEN ' zanzibar ' ELSE ' ' END || b.words,
           'user' || n % 100000, ingested_at - r5 * interval '2 minutes', ingested_at
      FROM staged JOIN phrases a ON a.number = one JOIN phrases b ON b.number = other ORDER BY id
    """,
    """
    INSERT INTO sentiment_analysis (id, post_row_id, post_id, model_name, model_version, sentiment_label,
                                    confidence_score, emotion, emotion_confidence, emotion_model_name,
                                    emotion_model_version, analyzed_at)
    SELECT id, id, 'bench-' || n, 'undertone-starter-sentiment', 1, label, confidence, emotion, confidence,
           'undertone-starter-emotion', 1, ingested_at FROM staged ORDER BY id
    """,
    """
    INSERT INTO sentiment_minutes
           (minute, source, sentiment_label, writer, posts, confidence_sum, created_from, created_to)
    SELECT date_trunc('minute', ingested_at, 'UTC'), source, label, 0, count(*), sum(confidence),
           min(ingested_at - r5 * interval '2 minutes'), max(ingested_at - r5 * interval '2 minutes')
      FROM staged GROUP BY 1, 2, 3
    """,
    """
    INSERT INTO emotion_minutes (minute, source, sentiment_label, emotion, writer, posts)
    SELECT date_trunc('minute', ingested_at, 'UTC'), source, label, emotion, 0, count(*) FROM staged GROUP BY 1, 2, 3, 4
    """,
)


def vocabulary(seed: int = 1) -> list[str]:
    """Words of English-like letters and lengths; the first is the most frequent."""
    chance = random.Random(seed)
    letters = "etaoinshrdlcumwfgypbvkjxqz"
    weights = [12, 9, 8, 7.5, 7, 6.7, 6.3, 6.1, 6, 4.2, 4, 2.8, 2.7, 2.4, 2.3, 2.2, 2, 2, 1.9, 1.5, 1, 0.8, 0.2, 0.2]
    weights += [0.1, 0.1]
    words: dict[str, None] = {}
    while len(words) < WORDS:
        words["".join(chance.choices(letters, weights, k=max(2, round(chance.gauss(5.5, 2)))))] = None
    return list(words)


async def fill(database: asyncpg.Connection, posts: int, days: int) -> None:
    """`posts` posts, evenly over the last `days` days and today, with everything that upkeep makes."""
    words = vocabulary()
    chance = random.Random(2)
    weights = list(itertools.accumulate(1 / rank for rank in range(1, WORDS + 1)))
    await database.execute("CREATE TABLE phrases (number int PRIMARY KEY, words text NOT NULL)")
    await database.copy_records_to_table(
        "phrases",
        records=((n, " ".join(chance.choices(words, cum_weights=weights, k=8))) for n in range(PHRASES)),
    )
    await database.execute("ANALYZE phrases; SET synchronous_commit = off")
    now = datetime.now(UTC)
    start = now - days * DAY
    done = 0
    edge = start
    while edge < now:
        until = min(floor(edge, DAY) + DAY, now)
        count = round(posts * ((until - start) / (now - start))) - done
        await create_day(database, edge)
        await database.execute(_STAGE, edge, until, done, RARE_EVERY, count, PHRASES)
        await database.execute(_STORE[0])
        await database.execute(_STORE[1], RARE_EVERY)
        for statement in _STORE[2:]:
            await database.execute(statement)
        await database.execute("DROP TABLE staged")
        done += count
        edge = until
        show("storing", done, posts)
    await database.execute("DROP TABLE phrases")
    sys.stderr.write("closing hours and days, indexing words, vacuuming ...\n")
    await close_buckets(database)
    await index_words(database, busy_posts_per_s=float("inf"))
    await database.execute("VACUUM ANALYZE")


def show(what: str, done: int, total: int) -> None:
    """A bar on standard error."""
    filled = 40 * done // total
    end = "\n" if done == total else ""
    sys.stderr.write(f"\r{what:<10} [{'#' * filled}{'.' * (40 - filled)}] {done:,} of {total:,}{end}")
    sys.stderr.flush()
