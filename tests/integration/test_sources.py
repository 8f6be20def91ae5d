"""Live sources through the ingester's process: what was written is stored, each post once, whatever is cut or ends."""

import asyncio
import random
import signal
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from services.common.database import open_pool
from services.common.messages import Analysis, Deletion, Post, decode_entry, decode_post
from services.common.settings import Settings
from services.common.source_states import SourceState, SourceStore
from services.common.streams import dead_letter_stream, open_redis
from services.worker.store import store
from tests.jetstream_server import POSTS, JetstreamServer, account, commit, identity, jetstream
from tests.ports import free_port
from tests.processes import service
from tests.redis_reads import entries, read_group
from tests.waiting import eventually

PER_S = 1_000
TICK_S = 0.05
CUTS = 20
MAX_CONNECTED_S = 0.6
# 50 MB: more than a socket holds at both ends.
MOST_UNREAD = 25_000
LANGUAGES = ("en", "de", "ja")
ANALYSIS = Analysis(
    model_name="none", sentiment_label="neutral", confidence=0.5, emotion="neutral", emotion_confidence=0.5
)


def event(number: int) -> dict[str, object]:
    """Of ten events eight are posts, a third of them English."""
    if number % 10 == 0:
        return identity(f"did:plc:u{number}")
    if number % 10 == 1:
        return account(f"did:plc:u{number}")
    return commit(f"p{number}", did=f"did:plc:u{number % 97}", langs=[LANGUAGES[number % 3]])


def wanted(count: int) -> set[str]:
    return {
        f"at://did:plc:u{number % 97}/{POSTS}/p{number}"
        for number in range(count)
        if number % 10 > 1 and LANGUAGES[number % 3] == "en"
    }


async def feed(server: JetstreamServer, is_over: Callable[[], bool], per_s: int = PER_S) -> int:
    """So many events a second; how many there were."""
    clock = asyncio.get_running_loop().time
    began, sent = clock(), 0
    while not is_over():
        due = int((clock() - began) * per_s)
        server.add(*(event(number) for number in range(sent, due)))
        sent = due
        await asyncio.sleep(TICK_S)
    return sent


async def posts_in(settings: Settings) -> list[Post]:
    async with open_redis(settings.redis_dsn) as redis:
        return [decode_post(fields) for fields in await entries(redis, settings.redis_stream_name)]


async def until_published(settings: Settings, ids: set[str]) -> list[Post]:
    async def all_there() -> bool:
        return ids <= {post.post_id for post in await posts_in(settings)}

    await eventually(all_there, "every wanted post is in the stream", 60)
    return await posts_in(settings)


async def stored_ids(settings: Settings, posts: Sequence[Post]) -> list[str]:
    """As the workers would store what is in the stream."""
    async with open_pool(settings.database_dsn, max_size=1) as pool:
        for start in range(0, len(posts), 256):
            await store(pool, [(post, ANALYSIS) for post in posts[start : start + 256]], datetime.now(UTC))
        return [row["post_id"] for row in await pool.fetch("SELECT post_id FROM social_media_posts")]


async def states(settings: Settings) -> dict[str, SourceState]:
    async with open_redis(settings.redis_dsn) as redis:
        found = await SourceStore(redis, settings.redis_stream_name).read_states()
        return {state.name: state for state in found}


async def until_current(settings: Settings, source: str = "bluesky") -> SourceState:
    asked_s = time.time()

    async def current() -> list[SourceState]:
        state = (await states(settings)).get(source)
        is_current = state and state.updated_s > asked_s and state.connected and (state.behind_s or 0) < 1
        return [state] if state and is_current else []

    (state,) = await eventually(current, f"{source} is connected and less than a second behind")
    return state


async def test_cut_off_at_random_moments_every_wanted_post_is_stored_once(settings: Settings, tmp_path: Path) -> None:
    chance = random.Random(10)
    async with (
        jetstream() as server,
        service(
            "ingester", settings, tmp_path, "--source", "bluesky", "--jetstream", server.url, "--language", "en"
        ) as ingester,
    ):
        await eventually(lambda: is_true(server.connections > 0), "connected")

        async def cut() -> None:
            cuts = 0
            while cuts < CUTS:
                await asyncio.sleep(chance.uniform(0.0, MAX_CONNECTED_S))
                cuts += server.cut()

        cutting = asyncio.create_task(cut())
        count = await feed(server, cutting.done)
        await cutting
        ids = wanted(count)
        posts = await until_published(settings, ids)
        server.add(identity())
        state = await until_current(settings)
        assert await ingester.stop() == 0
        assert ingester.errors == []
    assert {post.post_id for post in posts} == ids
    assert len(server.requests) == CUTS + 1
    assert state.errors == CUTS
    assert Counter(await stored_ids(settings, posts)) == Counter(ids)


async def is_true(value: bool) -> bool:
    return value


async def test_killed_it_goes_on_where_it_was_and_nothing_is_missing(settings: Settings, tmp_path: Path) -> None:
    arguments = ("--source", "bluesky", "--language", "en", "--jetstream")
    async with jetstream() as server:
        enough = asyncio.Event()
        feeding = asyncio.create_task(feed(server, enough.is_set, 500))
        for _ in range(3):
            async with service("ingester", settings, tmp_path, *arguments, server.url) as ingester:
                begun = len(await posts_in(settings))

                async def more(so_many: int = begun) -> bool:
                    return len(await posts_in(settings)) > so_many + 50

                await eventually(more, "posts come")
                assert await ingester.stop(signal.SIGKILL) != 0
        enough.set()
        count = await feeding
        async with service("ingester", settings, tmp_path, *arguments, server.url):
            posts = await until_published(settings, {max(wanted(count), key=number_of)})
    ids = sorted({post.post_id for post in posts}, key=number_of)
    first, last = number_of(ids[0]), number_of(ids[-1])
    assert ids == sorted((each for each in wanted(count) if first <= number_of(each) <= last), key=number_of)
    assert last == max(map(number_of, wanted(count)))
    assert Counter(await stored_ids(settings, posts)) == Counter(ids)


def number_of(post_id: str) -> int:
    return int(post_id.rpartition("/p")[2])


async def test_several_sources_at_once_and_one_that_fails_disturbs_no_other(settings: Settings, tmp_path: Path) -> None:
    with_metrics = settings.model_copy(update={"ingester_metrics_port": free_port()})
    nobody = f"ws://127.0.0.1:{free_port()}"
    arguments = ("--source", "bluesky", "--jetstream", nobody, "--source", "simulate", "--rate", "simulate=6000")
    async with service("ingester", with_metrics, tmp_path, *arguments) as ingester:

        async def both() -> bool:
            found = await states(settings)
            return bool(found) and found["bluesky"].errors > 1 and found["simulate"].posts > 100

        await eventually(both, "posts come, and the other source fails")
        found = await states(settings)
        assert found["simulate"].connected
        assert found["simulate"].errors == 0
        assert not found["bluesky"].connected
        assert nobody in found["bluesky"].last_error

        async def exposed() -> dict[str, float]:
            values = await asyncio.to_thread(metrics, with_metrics.ingester_metrics_port)
            return values if values.get("undertone_source_connected{simulate}") else {}

        values = await eventually(exposed, "metrics say so")
        assert values["undertone_source_connected{bluesky}"] == 0
        assert values["undertone_source_errors_total{bluesky}"] > 1
        assert values["undertone_source_last_post_timestamp_seconds{simulate}"] > 0
        assert await ingester.stop() == 0
    assert ingester.errors == []


def metrics(port: int, label: str = "source") -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return {
            f"{sample.name}{{{sample.labels.get(label, '')}}}": sample.value
            for family in families
            for sample in family.samples
            if label in sample.labels or not sample.labels
        }


async def test_a_source_that_cannot_go_on_is_told_at_the_end_and_the_others_come_to_theirs(
    settings: Settings, tmp_path: Path
) -> None:
    """A server that refuses our options, beside a file."""
    file = tmp_path / "posts.jsonl"
    file.write_text('{"post_id": "p", "source": "x", "text": "good day", "created_at": "2026-01-01"}\n')
    async with jetstream() as server:
        arguments = ("--source", "bluesky", "--account", "did:mole", "--jetstream", server.url)
        async with service(
            "ingester", settings, tmp_path, *arguments, "--source", "replay", "--file", str(file)
        ) as ingester:
            assert await asyncio.wait_for(ingester.process.wait(), 30) == 2
    assert "invalid did" in ingester.output
    assert "Traceback" not in ingester.output
    assert [post.post_id for post in await posts_in(settings)] == ["p"]


async def test_above_its_rate_posts_of_a_live_source_are_skipped_and_counted(
    settings: Settings, tmp_path: Path
) -> None:
    async with jetstream() as server:
        arguments = ("--source", "bluesky", "--jetstream", server.url, "--rate", "600")
        async with service("ingester", settings, tmp_path, *arguments) as ingester:
            await eventually(lambda: is_true(server.connections > 0), "connected")
            server.add(*(commit(f"p{n}") for n in range(1_000)))

            async def skipped() -> bool:
                found = (await states(settings)).get("bluesky")
                return found is not None and found.posts + found.skipped.get("rate", 0) == 1_000

            await eventually(skipped, "each is published or counted")
            assert await ingester.stop() == 0
    assert 0 < len(await posts_in(settings)) < 100


async def test_while_the_workers_are_behind_it_waits_and_then_goes_on_with_all_of_it(
    settings: Settings, tmp_path: Path
) -> None:
    limited = settings.model_copy(update={"max_stream_lag": 100})
    stream, group = settings.redis_stream_name, settings.redis_consumer_group
    async with (
        jetstream(slow_after_s=0.2) as server,
        open_redis(settings.redis_dsn) as redis,
        service("ingester", limited, tmp_path, "--source", "bluesky", "--jetstream", server.url) as ingester,
    ):
        await eventually(lambda: is_true(server.connections > 0), "connected")
        count = 0
        # How much the kernel holds for whoever does not read is not the same each time.
        while server.slow_cut == 0:
            assert count < MOST_UNREAD
            server.add(*(commit(f"p{n}", text="good day " * 200) for n in range(count, count + 50)))
            count += 50
            await asyncio.sleep(0.01)
        ids = {f"at://did:plc:mole/{POSTS}/p{n}" for n in range(count)}
        await eventually(lambda: is_true("the workers are behind" in ingester.output), "it says that it waits")

        async def all_read() -> bool:
            while await read_group(redis, stream, group, "reader", 1_000, noack=True):
                pass
            return ids <= {decode_post(fields).post_id for fields in await entries(redis, stream)}

        await eventually(all_read, "everything has come", 60)
        assert await ingester.stop() == 0


async def test_a_source_that_is_switched_off_gives_nothing_until_it_is_switched_on_also_after_a_restart(
    settings: Settings, tmp_path: Path
) -> None:
    """Another source of the same ingester goes on. What came meanwhile is not missing."""
    async with jetstream() as server, open_redis(settings.redis_dsn) as redis:
        store = SourceStore(redis, settings.redis_stream_name)
        arguments = ("--source", "bluesky", "--jetstream", server.url, "--source", "simulate", "--rate", "simulate=600")

        async def is_off() -> bool:
            found = (await states(settings)).get("bluesky")
            return found is not None and not found.on and not found.connected and server.connections == 0

        async with service("ingester", settings, tmp_path, *arguments) as ingester:
            await eventually(lambda: is_true(server.connections > 0), "connected")
            server.add(commit("a"))
            await until_published(settings, {f"at://did:plc:mole/{POSTS}/a"})
            await store.switch("bluesky", on=False)
            await eventually(is_off, "it obeys")
            server.add(commit("b"))
            before = (await states(settings))["simulate"].posts

            async def others_go_on() -> bool:
                return (await states(settings))["simulate"].posts > before

            await eventually(others_go_on, "the other source has posts")
            assert await ingester.stop() == 0
        connections = len(server.requests)
        await redis.delete(f"{settings.redis_stream_name}:sources")
        async with service("ingester", settings, tmp_path, *arguments) as ingester:
            await eventually(is_off, "the next ingester obeys as well")
            assert len(server.requests) == connections
            assert f"at://did:plc:mole/{POSTS}/b" not in {post.post_id for post in await posts_in(settings)}
            await store.switch("bluesky", on=True)
            await until_published(settings, {f"at://did:plc:mole/{POSTS}/b"})
            assert await ingester.stop() == 0
            assert ingester.errors == []


async def test_a_simulated_source_that_is_switched_on_again_gives_posts_of_other_ids(
    settings: Settings, tmp_path: Path
) -> None:
    async with (
        open_redis(settings.redis_dsn) as redis,
        service("ingester", settings, tmp_path, "--rate", "6000", "--name", "eu") as ingester,
    ):
        store = SourceStore(redis, settings.redis_stream_name, "eu")

        async def is_on_with(least: int) -> bool:
            found = (await states(settings)).get("eu/simulate")
            return found is not None and found.on and found.connected and found.posts >= least

        async def is_off() -> bool:
            return not (await states(settings))["eu/simulate"].on

        await eventually(lambda: is_on_with(10), "posts come")
        await store.switch("simulate", on=False)
        await eventually(is_off, "it obeys")
        count = (await states(settings))["eu/simulate"].posts
        await store.switch("simulate", on=True)
        await eventually(lambda: is_on_with(count + 10), "posts come again")
        assert await ingester.stop() == 0
    ids = [post.post_id for post in await posts_in(settings)]
    assert len(set(ids)) == len(ids) > count


async def test_two_ingesters_whose_sources_have_the_same_name_say_so(settings: Settings, tmp_path: Path) -> None:
    async with (
        service("ingester", settings, tmp_path, "--rate", "60") as one,
        service("ingester", settings, tmp_path, "--rate", "60", "--name", "two") as named,
    ):
        told = "another ingester has a source of the same name"
        await eventually(lambda: is_true("publishing" in named.output), "both run")
        assert told not in one.output
        async with service("ingester", settings, tmp_path, "--rate", "60") as three:
            await eventually(lambda: is_true(told in one.output and told in three.output), "both say so")
            assert await three.stop() == 0
        assert told not in named.output
        assert await one.stop() == 0
        assert await named.stop() == 0


async def test_deletions_are_passed_on_behind_their_posts_and_what_is_no_event_is_buried(
    settings: Settings, tmp_path: Path
) -> None:
    with_metrics = settings.model_copy(update={"ingester_metrics_port": free_port()})
    async with (
        jetstream() as server,
        service("ingester", with_metrics, tmp_path, "--source", "bluesky", "--jetstream", server.url) as ingester,
    ):
        await eventually(lambda: is_true(server.connections > 0), "connected")
        await server.say("{not json")
        server.add(commit("a"), commit("a", operation="delete"))

        async def counted() -> bool:
            values = await asyncio.to_thread(metrics, with_metrics.ingester_metrics_port)
            return values.get("undertone_source_deletes_total{bluesky}") == 1

        await eventually(counted, "the deletion is counted")
        assert await ingester.stop() == 0
    async with open_redis(settings.redis_dsn) as redis:
        (letter,) = await entries(redis, dead_letter_stream(settings.redis_stream_name))
        assert letter[b"reason"] == b"invalid_json"
        published, deletion = map(decode_entry, await entries(redis, settings.redis_stream_name))
    assert isinstance(published, Post)
    assert deletion == Deletion(post_id=published.post_id)


async def test_rules_keep_posts_out_of_the_stream_and_mask_others_and_both_are_counted(
    settings: Settings, tmp_path: Path
) -> None:
    ruled = settings.model_copy(
        update={"ingester_metrics_port": free_port(), "rule_min_chars": 5, "rule_mask": "emails,authors"}
    )
    async with (
        jetstream() as server,
        service("ingester", ruled, tmp_path, "--source", "bluesky", "--jetstream", server.url) as ingester,
    ):
        await eventually(lambda: is_true(server.connections > 0), "connected")
        server.add(commit("a", text="four"), commit("b", text="mail jo@example.org"), commit("c", text="a last one"))
        await until_published(settings, {f"at://did:plc:mole/{POSTS}/{rkey}" for rkey in "bc"})
        values = await asyncio.to_thread(metrics, ruled.ingester_metrics_port, "reason")
        assert values["undertone_ingester_posts_rejected_total{too_short}"] == 1
        assert values["undertone_ingester_posts_masked_total{}"] == 2
        assert await ingester.stop() == 0
    assert [(post.content, post.author) for post in await posts_in(settings)] == [
        ("mail [email]", ""),
        ("a last one", ""),
    ]


async def test_a_command_line_that_makes_no_sense_is_told_in_a_sentence(settings: Settings, tmp_path: Path) -> None:
    async with service("ingester", settings, tmp_path, "--source", "bluesky", "--language", "english") as ingester:
        assert await asyncio.wait_for(ingester.process.wait(), 30) == 2
    assert "code as en" in ingester.output
    assert "Traceback" not in ingester.output
