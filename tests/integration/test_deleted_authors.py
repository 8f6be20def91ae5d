"""Of a deleted author nothing is left that was written until then, and nothing of it comes back."""

import asyncio
import random
import signal
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from msgspec.structs import replace

from services.api.deleted_letters import DeletedLetters
from services.common import deletions
from services.common.database import open_pool
from services.common.dead_letters import DeadLetter, DeadLetters
from services.common.deletions import delete_some, note_authors, of_deleted_authors
from services.common.messages import AuthorDeletion, Post, Published, ResultsMessage, decode_message, encode_post
from services.common.migrations.grants import API, READ, WORKER
from services.common.moments import DAY
from services.common.settings import Settings
from services.common.streams import RESULTS_CHANNEL, dead_letter_stream, ensure_group, open_redis
from services.ingester.publisher import Publisher
from services.worker.store import store
from services.worker.upkeep.closing import close_buckets
from services.worker.upkeep.retention import forget_deletions
from tests.integration.database_roles import as_role, deploy
from tests.integration.test_failover import MODELLESS
from tests.integration.test_store import analysed, varied
from tests.integration.test_worker import nothing_is_open
from tests.jetstream_server import POSTS, account, commit, jetstream
from tests.processes import service
from tests.redis_reads import entries
from tests.rows import assert_rollups_are_a_recount, make_older
from tests.waiting import eventually

START = datetime(2026, 5, 1, tzinfo=UTC)
# What they wrote by then is meant.
UNTIL = START + timedelta(seconds=50)
MOLE = "did:plc:mole"


def written(author: str, seconds: int, *, source: str = "bluesky", shown: str | None = None) -> Post:
    """A post of that second. `shown`: the author that is stored, if it is another one, as of masked posts."""
    post_id = f"at://{author}/app.bsky.feed.post/{seconds}" if author.startswith("did:") else f"{author}-{seconds}"
    return Post(
        post_id=f"{post_id}",
        source=source,
        content=f"what {seconds}",
        author=author if shown is None else shown,
        created_at=START + timedelta(seconds=seconds),
    )


def gone(author: str, source: str = "bluesky") -> AuthorDeletion:
    return AuthorDeletion(source=source, author=author, until=UNTIL)


async def stored_ids(database: asyncpg.Connection) -> list[str]:
    rows = await database.fetch(
        "SELECT p.post_id, a.post_id AS analysed FROM social_media_posts p"
        " FULL JOIN sentiment_analysis a ON a.post_row_id = p.id ORDER BY p.post_id"
    )
    assert all(row["post_id"] == row["analysed"] for row in rows)
    return [row["post_id"] for row in rows]


def ids(posts: Sequence[Post]) -> list[str]:
    return sorted(post.post_id for post in posts)


async def delete_all(pool: asyncpg.Pool) -> list[str]:
    deleted: list[str] = []
    while (some := await delete_some(pool)) is not None:
        assert len(some) <= deletions.POSTS_AT_ONCE
        deleted += some
    return sorted(deleted)


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletions, "POSTS_AT_ONCE", 3)
    monkeypatch.setattr(deletions, "ROWS_AT_ONCE", 7)


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize(
    ("author", "source", "shown"),
    [(MOLE, "bluesky", None), (MOLE, "bluesky", ""), ("mole", "forum", None)],
    ids=["by id", "by id, masked", "by name"],
)
async def test_all_that_an_author_wrote_by_then_is_deleted_and_counted_nowhere_and_nothing_else(
    database: asyncpg.Connection, pool: asyncpg.Pool, author: str, source: str, shown: str | None
) -> None:
    """Some steps find none, some are full, and the last one is full as well."""
    meant = [written(author, second, source=source, shown=shown) for second in range(1, 51)]
    later = [written(author, second, source=source, shown=shown) for second in range(51, 56)]
    # Neighbours in the order of ids, and the same name elsewhere.
    others = [written(f"{author}{more}", second, source=source) for more in ("0", "a", "!") for second in range(1, 15)]
    elsewhere = written(author, 2, source="elsewhere")
    others += [written(author[:-1], 1, source=source), replace(elsewhere, post_id=f"{elsewhere.post_id}-elsewhere")]
    everything = [*meant, *later, *others]
    random.Random(4).shuffle(everything)
    for start in range(0, len(everything), 40):
        await store(pool, varied(everything[start : start + 40], start), START)
        await make_older(database, timedelta(minutes=70))
        await close_buckets(database, lag=timedelta(minutes=1))
    await note_authors(pool, [gone(author, source)])
    assert await delete_all(pool) == ids(meant)
    assert await stored_ids(database) == ids([*later, *others])
    await assert_rollups_are_a_recount(database)
    # Noted once more, as after a redelivery, it changes nothing; nor does any of them come back.
    await note_authors(pool, [gone(author, source), gone(author, source)])
    assert await delete_all(pool) == []
    assert await store(pool, analysed(meant), START) == []
    await assert_rollups_are_a_recount(database)


@pytest.mark.usefixtures("small_steps")
async def test_a_later_moment_counts_whichever_is_noted_first(database: asyncpg.Connection, pool: asyncpg.Pool) -> None:
    posts = [written(MOLE, second) for second in range(40, 60)]
    await store(pool, analysed(posts), START)
    later = AuthorDeletion(source="bluesky", author=MOLE, until=UNTIL + timedelta(seconds=5))
    for noted in ([later], [gone(MOLE)], [gone(MOLE), later]):
        await note_authors(pool, noted)
        await delete_all(pool)
        assert await stored_ids(database) == ids(posts[16:])


async def test_who_is_storing_while_an_author_is_noted_finds_it_afterwards(
    database: asyncpg.Connection, database_url: str, pool: asyncpg.Pool
) -> None:
    """The search for what is stored comes too early for a transaction that is open, and ends."""
    meant, later = written(MOLE, 1, shown=""), written(MOLE, 51)
    async with open_pool(database_url, max_size=1) as writers, writers.acquire() as writer:
        transaction = writer.transaction()
        await transaction.start()
        await store(writer, analysed([meant, later]), START)  # type: ignore[arg-type] # it has what a pool is asked for
        await note_authors(pool, [gone(MOLE)])
        assert await delete_all(pool) == []
        await transaction.commit()
    late = await of_deleted_authors(pool, [meant, later, written(MOLE, 1, source="elsewhere"), written("mole", 1)])
    assert late == [meant.post_id]


async def test_one_step_at_a_time_whoever_asks(database: asyncpg.Connection, database_url: str) -> None:
    """Two workers never delete the same author's posts at once, and both may help where there are several."""
    posts = [written(f"did:plc:u{number % 4}", number) for number in range(1, 49)]
    async with open_pool(database_url, max_size=4) as many:
        await store(many, analysed(posts), START)
        await note_authors(many, [gone(f"did:plc:u{number}") for number in range(4)])
        found = await asyncio.gather(*(delete_all(many) for _ in range(4)))
        # Whoever came while others were at work on all has ended; what they have left is left to them.
        found.append(await delete_all(many))
    assert sorted(post_id for each in found for post_id in each) == ids(posts)
    assert await stored_ids(database) == []
    await assert_rollups_are_a_recount(database)


async def test_a_deleted_author_is_forgotten_after_a_while_and_not_while_anything_is_left(
    database: asyncpg.Connection, pool: asyncpg.Pool
) -> None:
    await note_authors(pool, [gone(MOLE)])
    await database.execute("UPDATE deleted_authors SET deleted_at = deleted_at - interval '31 days'")
    await forget_deletions(database, 30)
    assert await of_deleted_authors(pool, [written(MOLE, 1)]) != []
    await delete_all(pool)
    await forget_deletions(database, 32)
    assert await of_deleted_authors(pool, [written(MOLE, 1)]) != []
    await forget_deletions(database, 30)
    assert await of_deleted_authors(pool, [written(MOLE, 1)]) == []


async def test_workers_may_delete_authors_and_nobody_else(empty_database_url: str) -> None:
    await deploy(empty_database_url)
    async with open_pool(as_role(empty_database_url, WORKER), max_size=1) as worker:
        await store(worker, analysed([written(MOLE, 1), written(MOLE, 51)]), START)
        await note_authors(worker, [gone(MOLE)])
        assert await delete_all(worker) == [written(MOLE, 1).post_id]
        assert len(await of_deleted_authors(worker, [written(MOLE, 2)])) == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await worker.execute("DELETE FROM deleted_authors")
    async with open_pool(as_role(empty_database_url, API), max_size=1) as api:
        assert len(await of_deleted_authors(api, [written(MOLE, 2)])) == 1
    for role in (API, READ):
        connection = await asyncpg.connect(as_role(empty_database_url, role))
        await connection.execute("SET default_transaction_read_only = off")
        for statement in ("SELECT delete_posts_of_authors(1, 1)", "UPDATE deleted_authors SET is_open = true"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        await connection.close()


async def test_dead_letters_of_a_deleted_author_go_and_those_of_later_posts_stay(
    settings: Settings, pool: asyncpg.Pool
) -> None:
    meant, masked, later = written(MOLE, 1), written(MOLE, 2, shown=""), written(MOLE, 51)
    other = written("mole\x00", 1)
    async with open_redis(settings.redis_dsn) as redis:
        await ensure_group(redis, settings.redis_stream_name, settings.redis_consumer_group)
        dead = DeadLetters(redis, settings.streams)
        fields = [
            {k.encode(): v.encode() for k, v in encode_post(post).items()} for post in (meant, masked, later, other)
        ]
        # No post, and refused after the moment that is meant.
        fields.append({**fields[0], b"post_id": b"at://did:plc:mole/x", b"created_at": b"never"})
        refused = [DeadLetter("", each, "rejected_by_model", "no") for each in fields]
        await dead.bury(refused, settings.redis_consumer_group)
        letters = DeletedLetters(pool, dead)
        assert await letters.run_once() == 0
        await note_authors(pool, [gone(MOLE)])
        assert await letters.run_once() == 2
        await note_authors(pool, [AuthorDeletion(source="bluesky", author=MOLE, until=datetime.now(UTC) + DAY)])
        letters._resting_until = 0.0
        assert await letters.run_once() == 2
        assert (await dead.count()).total == 1


async def test_an_entry_of_the_stream_deletes_an_author_whatever_comes_first_and_whoever_is_killed(
    settings: Settings, database: asyncpg.Connection, tmp_path: Path
) -> None:
    authors = [*(f"did:plc:u{number}" for number in range(9)), "ann", "ben"]
    doomed = authors[::2]
    posts = {
        author: [written(author, second, shown="" if author in authors[:4] else None) for second in range(30, 70)]
        for author in authors
    }
    left = [post for author in authors for post in posts[author] if author not in doomed or post.created_at > UNTIL]
    everything = [post for author in authors for post in posts[author]]
    # Every fourth comes only when all that was to be found is deleted.
    early = [post for place, post in enumerate(everything) if place % 4]
    events: list[Published] = [*early, *early[::3], *(gone(author) for author in [*doomed, *doomed])]
    random.Random(2).shuffle(events)
    stream, group = settings.redis_stream_name, settings.redis_consumer_group
    small = settings.model_copy(update={"worker_batch_size": 16})
    async with open_redis(settings.redis_dsn) as redis:
        await ensure_group(redis, stream, group)
        publisher = Publisher(redis, [stream], group, 10_000)
        await publisher.publish(events)
        await redis.xadd(stream, {"type": "delete", "source": "bluesky", "author": "did:plc:u1"})

        async def all_done() -> bool:
            return await nothing_is_open(redis, settings) and not await database.fetchval(
                "SELECT EXISTS (SELECT FROM deleted_authors WHERE is_open)"
            )

        async with service("worker", small, tmp_path, module=MODELLESS) as first:

            async def has_begun() -> bool:
                return bool(await database.fetchval("SELECT EXISTS (SELECT FROM deleted_authors)"))

            await eventually(has_begun, "the first worker notes an author")
            await first.stop(signal.SIGKILL)
        async with service("worker", small, tmp_path, module=MODELLESS) as second:
            await eventually(all_done, "everything is acknowledged and deleted")
            await publisher.publish(everything)
            await eventually(all_done, "all of it again, and the rest")
            assert await second.stop() == 0, second.output
        (letter,) = await entries(redis, dead_letter_stream(stream))
        assert (letter[b"reason"], letter[b"author"]) == (b"missing_field", b"did:plc:u1")
    assert await stored_ids(database) == ids(left)
    await assert_rollups_are_a_recount(database)


async def test_an_account_that_is_closed_at_the_source_is_gone_here_and_comes_again_with_new_posts_only(
    settings: Settings, database: asyncpg.Connection, tmp_path: Path
) -> None:
    """From Jetstream to the database and to whoever listens, with authors masked."""
    masked = settings.model_copy(update={"rule_mask": "authors"})
    away, halted, active, toad = (f"did:plc:{name}" for name in ("away", "halted", "active", "toad"))
    told: set[str] = set()
    async with (
        jetstream() as server,
        service("ingester", masked, tmp_path, "--source", "bluesky", "--jetstream", server.url) as ingester,
        service("worker", masked, tmp_path, module=MODELLESS) as worker,
        open_redis(settings.redis_dsn) as redis,
        redis.pubsub() as listener,
    ):
        await listener.subscribe(RESULTS_CHANNEL)

        async def connected() -> bool:
            return server.connections > 0

        async def are_there(expected: Sequence[str], gone: Sequence[str] = ()) -> bool:
            while message := await listener.get_message(timeout=0.01):
                if message["type"] == "message":
                    said = decode_message(message["data"])
                    assert isinstance(said, ResultsMessage)
                    told.update(said.deleted)
            return await stored_ids(database) == sorted(expected) and told == set(gone)

        def ids_of(did: str, *rkeys: str) -> list[str]:
            return [f"at://{did}/{POSTS}/{rkey}" for rkey in rkeys]

        await eventually(connected, "connected")
        stays = [post_id for did in (away, halted, active) for post_id in ids_of(did, "a", "b")]
        goes = [*ids_of(MOLE, "a", "b"), *ids_of(toad, "a", "b")]
        server.add(*(commit(rkey, did=did) for did in (away, halted, active, MOLE, toad) for rkey in "ab"))
        await eventually(lambda: are_there([*stays, *goes]), "all are stored")
        server.add(account(away, "deactivated"), account(halted, "suspended"), account(active))
        server.add(account(MOLE, "deleted"), account(toad, "takendown"), account(toad), commit("c", did=toad))
        await eventually(lambda: are_there([*stays, *ids_of(toad, "c")], goes), "both are gone, and one is back")
        # The events come once more.
        server.cut()
        server.add(commit("d", did=toad))
        await eventually(lambda: are_there([*stays, *ids_of(toad, "c", "d")], goes), "nothing is undone")
        assert await ingester.stop() == 0
        assert await worker.stop() == 0
    await assert_rollups_are_a_recount(database)
