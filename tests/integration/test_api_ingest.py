"""Posts sent to a running API: in the stream, each with its answer, whatever comes twice or too much."""

import asyncio
import json
import random
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from redis.asyncio import Redis

from services.api.web import protocols
from services.common.messages import Post, decode_post, encode_post
from services.common.settings import Settings
from services.common.streams import ensure_groups, open_redis, total_state
from tests.chaos.proxy import Proxy
from tests.conftest import ROOT
from tests.integration.test_api_server import Api, running_api
from tests.posts import make_posts
from tests.processes import service
from tests.redis_reads import entries, read_group, watched_lag
from tests.rows import assert_rollups_are_a_recount
from tests.waiting import eventually

PATH = "/api/posts"
NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[Redis]:
    async with open_redis(settings.redis_dsn) as client:
        yield client


def as_json(posts: Sequence[Post]) -> list[dict[str, str]]:
    return [encode_post(post) for post in posts]


def as_lines(posts: Sequence[Post]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in as_json(posts))


async def posts_in(redis: Redis, settings: Settings) -> list[Post]:
    return [decode_post(fields) for stream in settings.streams for fields in await entries(redis, stream)]


def by_id(posts: Sequence[Post]) -> list[Post]:
    return sorted(posts, key=lambda post: post.post_id)


async def connect_to(api: Api) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = api.host.split(":")
    return await asyncio.open_connection(host, int(port))


async def counted(api: Api, name: str, label: str) -> float:
    """The counter's value for the label."""
    text = (await api.http.get("/metrics")).text
    (value,) = re.findall(rf'^{name}_total{{\w+="{label}"}} (\S+)$', text, re.MULTILINE)
    return float(value)


@pytest.mark.parametrize("shards", [1, 3])
async def test_one_many_and_a_stream_of_them_are_in_the_stream_as_they_were_sent(
    settings: Settings, redis: Redis, shards: int
) -> None:
    sharded = settings.model_copy(update={"stream_shards": shards})
    posts = make_posts(1_203)
    one, many, lines = as_json(posts[:1])[0], as_json(posts[1:603]), as_lines(posts[603:])
    async with running_api(sharded) as api:
        answers = [
            await api.http.post(PATH, json=one),
            await api.http.post(PATH, json=many),
            await api.http.post(PATH, content=lines, headers=NDJSON),
        ]
        assert [answer.status_code for answer in answers] == [202] * 3
        assert [answer.json()["accepted"] for answer in answers] == [1, 602, 600]
        told = [result["post_id"] for answer in answers for result in answer.json()["results"]]
        assert told == [post.post_id for post in posts]
        assert await counted(api, "undertone_ingest_posts", "accepted") == 1_203
    assert by_id(await posts_in(redis, sharded)) == by_id(posts)


async def test_a_bad_item_is_told_and_the_others_are_published(settings: Settings, redis: Redis) -> None:
    posts = make_posts(3)
    sent = as_json(posts)
    sent[1]["content"] = "x" * 40_001
    async with running_api(settings) as api:
        for answer in (
            await api.http.post(PATH, json=sent),
            await api.http.post(PATH, content="\n\n".join(map(json.dumps, sent)), headers=NDJSON),
        ):
            assert answer.status_code == 202
            result = answer.json()["results"][1]
            assert (result["reason"], result["field"]) == ("too_long", "content")
            assert (answer.json()["accepted"], answer.json()["rejected"]) == (2, 1)
        alone = await api.http.post(PATH, json=sent[1])
        assert alone.status_code == 422
        (error,) = alone.json()["errors"]
        assert (error["reason"], error["field"]) == ("too_long", "content")
    assert await posts_in(redis, settings) == [posts[0], posts[2]] * 2


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"[]", {"Content-Type": "text/plain"}, 415),
        (b"[]", {"Content-Type": "application/json", "Content-Encoding": "gzip"}, 415),
        (b"[{]", {"Content-Type": "application/json"}, 422),
        (b"", {"Content-Type": "application/json"}, 422),
        (b" " * 2_001, {"Content-Type": "application/json"}, 413),
        (b" " * 4_001, NDJSON, 413),
        (b"[{},{},{},{}]", {"Content-Type": "application/json"}, 413),
        (b"{}\n{}\n{}\n{}", NDJSON, 413),
    ],
)
async def test_what_is_no_such_body_or_too_much_is_a_problem(
    settings: Settings, redis: Redis, content: bytes, headers: dict[str, str], status: int
) -> None:
    limits = {"api_ingest_max_body_bytes": 2_000, "api_ingest_max_stream_bytes": 4_000, "api_ingest_max_posts": 3}
    async with running_api(settings.model_copy(update=limits)) as api:
        answer = await api.http.post(PATH, content=content, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert await posts_in(redis, settings) == []


async def test_a_stream_is_published_as_it_comes(settings: Settings, redis: Redis) -> None:
    posts, seen = make_posts(20), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield as_lines(posts[:10])
        await asyncio.wait_for(seen.wait(), 30)
        yield as_lines(posts[10:])

    async with running_api(settings) as api:
        sending = asyncio.create_task(api.http.post(PATH, content=slowly(), headers=NDJSON))

        async def first_half() -> bool:
            return int(await redis.xlen(settings.redis_stream_name)) == 10

        await eventually(first_half, "its first half is there while the second is not")
        seen.set()
        assert (await sending).json()["accepted"] == 20
    assert await posts_in(redis, settings) == posts


async def test_a_client_that_is_cut_off_has_published_whole_lines_and_no_half_ones(
    settings: Settings, redis: Redis
) -> None:
    posts, seen = make_posts(3), asyncio.Event()

    async def half() -> AsyncIterator[bytes]:
        yield as_lines(posts)[:-20]
        await asyncio.wait_for(seen.wait(), 30)
        raise ConnectionResetError

    async with running_api(settings) as api:
        sending = asyncio.create_task(api.http.post(PATH, content=half(), headers={**NDJSON, "Idempotency-Key": "k"}))

        async def some() -> bool:
            return int(await redis.xlen(settings.redis_stream_name)) == 2

        await eventually(some, "the whole lines are there")
        seen.set()
        with pytest.raises(ConnectionResetError):
            await sending

        async def again() -> bool:
            headers = {**NDJSON, "Idempotency-Key": "k"}
            return (await api.http.post(PATH, content=as_lines(posts), headers=headers)).status_code == 202

        await eventually(again, "its key is free again, and all of it is accepted")
    assert {post.post_id for post in await posts_in(redis, settings)} == {post.post_id for post in posts}


async def test_a_stream_may_take_longer_than_other_requests(
    settings: Settings, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocols, "REQUEST_TIMEOUT_S", 0.3)
    posts, go_on = make_posts(2), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield as_lines(posts[:1])
        await asyncio.wait_for(go_on.wait(), 30)
        yield as_lines(posts[1:])

    async with running_api(settings) as api:
        sending = asyncio.create_task(api.http.post(PATH, content=slowly(), headers=NDJSON))

        async def begun() -> bool:
            return int(await redis.xlen(settings.redis_stream_name)) == 1

        await eventually(begun, "the stream has begun")
        # It begins after that, and is sent away.
        reader, writer = await connect_to(api)
        writer.write(b"POST /api/dead-letters/drop HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
        with suppress(ConnectionError):
            async with asyncio.timeout(30):
                await reader.read()
        writer.close()
        go_on.set()
        assert (await sending).json()["accepted"] == 2


async def test_a_stream_that_does_not_end_in_time_is_told_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.api.ingest.body.UPLOAD_TIMEOUT_S", 0.3)
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: 99\r\n\r\n"
    async with running_api(settings) as api:
        reader, writer = await connect_to(api)
        writer.write(head.encode())
        assert b" 408 " in await reader.readline()
        writer.close()
        await writer.wait_closed()


async def test_where_the_workers_are_behind_it_is_told_to_come_again_and_nothing_is_dropped(
    settings: Settings, redis: Redis
) -> None:
    limited = settings.model_copy(update={"max_stream_lag": 100})
    posts, group = make_posts(250), settings.redis_consumer_group
    await ensure_groups(redis, limited.streams, group)
    async with running_api(limited) as api:
        assert (await api.http.post(PATH, json=as_json(posts[:80]))).status_code == 202
        for body in ({"json": as_json(posts[80:110])}, {"content": as_lines(posts[80:110]), "headers": NDJSON}):
            refused = await api.http.post(PATH, **body)
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) > 0
            assert "nothing of it was published" in refused.json()["detail"]
        assert await counted(api, "undertone_ingest_requests_refused", "behind") == 2
        assert await posts_in(redis, limited) == posts[:80]

        async def reader() -> None:
            read = 0
            while read < len(posts):
                stream = limited.redis_stream_name
                read += len(await read_group(redis, stream, group, "r", 40, noack=True, block=1_000))

        async def accepted() -> bool:
            return (await api.http.post(PATH, json=as_json(posts[80:160]))).status_code == 202

        async def rest_accepted() -> bool:
            return (await api.http.post(PATH, json=as_json(posts[160:]))).status_code == 202

        reading = asyncio.create_task(reader())
        await eventually(accepted, "there is room again")
        await eventually(rest_accepted, "there is room again")
        await reading
        assert await posts_in(redis, limited) == posts


async def test_of_more_than_may_ever_wait_an_array_is_refused_and_of_a_stream_so_many_are_taken(
    settings: Settings, redis: Redis
) -> None:
    posts = make_posts(50)
    async with running_api(settings.model_copy(update={"max_stream_lag": 10})) as api:
        assert (await api.http.post(PATH, json=as_json(posts))).status_code == 413
        assert await posts_in(redis, settings) == []
        refused = await api.http.post(PATH, content=as_lines(posts), headers=NDJSON)
        assert (refused.status_code, "first 10" in refused.json()["detail"]) == (503, True)
    assert await posts_in(redis, settings) == posts[:10]


async def test_of_many_at_once_none_takes_the_room_of_another(settings: Settings, redis: Redis) -> None:
    limited = settings.model_copy(update={"max_stream_lag": 1_000})
    async with running_api(limited) as api:
        bodies = [as_json(make_posts(400, seed=seed)) for seed in range(8)]
        answers = await asyncio.gather(*(api.http.post(PATH, json=body) for body in bodies))
        assert sorted(answer.status_code for answer in answers) == [202] * 2 + [503] * 6
    assert await redis.xlen(settings.redis_stream_name) == 800


async def test_beyond_so_many_requests_at_once_the_answer_is_429(settings: Settings) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield as_lines(make_posts(1))
        begun.set()
        await asyncio.wait_for(go_on.wait(), 30)

    async with running_api(settings.model_copy(update={"api_ingests_at_once": 1})) as api:
        sending = asyncio.create_task(api.http.post(PATH, content=slowly(), headers=NDJSON))
        await asyncio.wait_for(begun.wait(), 30)

        async def refused() -> bool:
            return (await api.http.post(PATH, json=[])).status_code == 429

        await eventually(refused, "a second request is refused")
        assert await counted(api, "undertone_ingest_requests_refused", "full") >= 1
        go_on.set()
        assert (await sending).status_code == 202
        assert (await api.http.post(PATH, json=[])).status_code == 202


async def test_without_replicas_that_must_have_it_a_post_is_not_accepted(settings: Settings) -> None:
    async with running_api(settings.model_copy(update={"redis_min_replicas": 1})) as api:
        answer = await api.http.post(PATH, json=as_json(make_posts(1)))
        assert answer.status_code == 503
        assert "retry-after" in answer.headers


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_key_with_the_same_body_has_the_same_answer_and_publishes_nothing_again(
    settings: Settings, redis: Redis, is_stream: bool
) -> None:
    posts = make_posts(700)
    body: dict[str, Any] = {"content": json.dumps([*as_json(posts), {"no": "post"}])}
    headers = {"Content-Type": "application/json", "Idempotency-Key": '"one"'}
    if is_stream:
        body, headers = {"content": as_lines(posts) + b"{}"}, {**NDJSON, "Idempotency-Key": '"one"'}
    async with running_api(settings) as api:
        answers = [await api.http.post(PATH, **body, headers=headers) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [202] * 3
        assert answers[0].content == answers[1].content == answers[2].content
        assert answers[0].json()["accepted"] == 700
        # As the draft writes it, or without the quotes.
        bare = await api.http.post(PATH, **body, headers={**headers, "Idempotency-Key": "one"})
        assert bare.content == answers[0].content
        other = await api.http.post(PATH, json=as_json(make_posts(2, seed=1)), headers={"Idempotency-Key": "one"})
        assert (other.status_code, other.json()["type"]) == (422, "/problems/invalid-request")
        assert "Idempotency-Key" in other.json()["detail"]
        assert await counted(api, "undertone_ingest_requests_refused", "reused") == 1
        assert (await api.http.post(PATH, **body, headers={**headers, "Idempotency-Key": "two"})).status_code == 202
    assert await posts_in(redis, settings) == posts * 2


async def test_a_second_request_with_a_key_that_is_at_work_is_told_so(settings: Settings, redis: Redis) -> None:
    posts, go_on = make_posts(2), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield as_lines(posts[:1])
        await asyncio.wait_for(go_on.wait(), 30)
        yield as_lines(posts[1:])

    headers = {**NDJSON, "Idempotency-Key": "k"}
    async with running_api(settings) as api:
        sending = asyncio.create_task(api.http.post(PATH, content=slowly(), headers=headers))

        async def begun() -> bool:
            return int(await redis.xlen(settings.redis_stream_name)) == 1

        await eventually(begun, "the first one is at work")
        conflict = await api.http.post(PATH, content=as_lines(posts), headers=headers)
        assert (conflict.status_code, "retry-after" in conflict.headers) == (409, True)
        go_on.set()
        first = await sending
        assert (await api.http.post(PATH, content=as_lines(posts), headers=headers)).content == first.content
    assert await posts_in(redis, settings) == posts


async def test_a_key_of_a_request_that_failed_is_free_again(settings: Settings, redis: Redis) -> None:
    posts, headers = make_posts(20), {"Idempotency-Key": "k"}
    async with running_api(settings.model_copy(update={"max_stream_lag": 10})) as api:
        assert (await api.http.post(PATH, json=as_json(posts[:10]))).status_code == 202
        assert (await api.http.post(PATH, json=as_json(posts[10:]), headers=headers)).status_code == 503
        await redis.xtrim(settings.redis_stream_name, maxlen=0, approximate=False)

        async def accepted() -> bool:
            return (await api.http.post(PATH, json=as_json(posts[10:]), headers=headers)).status_code == 202

        await eventually(accepted, "there is room again")
    assert await posts_in(redis, settings) == posts[10:]


async def test_of_too_many_keys_the_oldest_are_forgotten_and_all_after_a_day(
    settings: Settings, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.api.ingest.repeats.MAX_KEYS", 3)
    kept, since = (f"{settings.redis_stream_name}:idempotency{end}" for end in ("", ":since"))
    (post,) = as_json(make_posts(1))
    async with running_api(settings) as api:
        for key in "abcde":
            answer = await api.http.post(PATH, json=post, headers={"Idempotency-Key": key})
            assert answer.status_code == 202
        assert (await redis.hlen(kept), await redis.zcard(since)) == (3, 3)
        for name in await redis.hkeys(kept):
            await redis.zincrby(since, -90_000, name)
        other = as_json(make_posts(1, seed=1))[0]
        assert (await api.http.post(PATH, json=other, headers={"Idempotency-Key": "e"})).status_code == 202
        assert (await redis.hlen(kept), await redis.zcard(since)) == (1, 1)
    assert await redis.xlen(settings.redis_stream_name) == 6


@pytest.mark.parametrize(("document", "heading"), [("docs/api.md", "Sending posts"), ("README.md", "Send it posts")])
async def test_the_examples_in_the_documentation_work_as_they_stand(
    settings: Settings, redis: Redis, document: str, heading: str
) -> None:
    (section,) = re.findall(rf"^## {heading}$(.*?)^## ", (ROOT / document).read_text(), re.M | re.DOTALL)
    # What follows them is of something else.
    (shell, *_), (python,) = (
        re.findall(rf"^```{name}$\n(.*?)^```$", section, re.M | re.S) for name in ("sh", "python")
    )
    assert max(len(list(filter(None, script.splitlines()))) for script in (shell, python)) <= 3
    async with running_api(settings) as api:
        for command, script in ((["bash", "-ec"], shell), ([sys.executable, "-c"], python)):
            assert "localhost:8000" in script
            process = await asyncio.create_subprocess_exec(
                *command,
                script.replace("localhost:8000", api.host),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={"PATH": "/usr/bin:/bin", "UNDERTONE_KEY": "none-needed"},
            )
            output, errors = await process.communicate()
            assert (process.returncode, errors.decode()) == (0, ""), output
            answer = json.loads(output.replace(b"'", b'"'))
            assert (answer["accepted"], answer["rejected"]) == (1, 0)
    assert len(await posts_in(redis, settings)) == 2


@asynccontextmanager
async def connected_to(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def send_blindly(port: int, posts: Sequence[Post], at_once: int, chance: random.Random) -> int:
    """Sends every post until it hears that it was accepted, whatever it hears before; how often it tried again.

    Often its patience ends at once, while the API goes on with what it was sent.
    """
    retries = 0
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        for number, start in enumerate(range(0, len(posts), at_once)):
            batch = posts[start : start + at_once]
            body = {"content": as_lines(batch), "headers": NDJSON} if number % 2 else {"json": as_json(batch)}
            while True:
                try:
                    answer = await http.post(PATH, **body, timeout=chance.choice((0.05, 0.2, 30)))
                    if answer.status_code == 202 and answer.json()["rejected"] == 0:
                        break
                    assert answer.status_code in (202, 400, 429, 503), answer.text
                except httpx.TransportError:
                    pass
                retries += 1
                await asyncio.sleep(chance.random() / 10)
    return retries


async def blind_retries(
    settings: Settings, folder: Path, *, clients: int, posts_each: int, at_once: int, cuts: int
) -> None:
    """Clients behind a network that breaks, and a database that has each post once in the end."""
    chance = random.Random(3)
    of_clients = [make_posts(posts_each, seed=seed) for seed in range(clients)]
    wanted = {post.post_id: post.content for posts in of_clients for post in posts}
    limited = settings.model_copy(update={"max_stream_lag": 4 * at_once, "api_ingests_at_once": clients // 2})
    async with (
        running_api(limited) as api,
        service("worker", limited, folder, module="tests.integration.modelless_worker"),
        Proxy.before(int(api.host.partition(":")[2])) as proxy,
        connected_to(limited.database_dsn) as database,
        open_redis(limited.redis_dsn) as redis,
        watched_lag(redis, limited) as lags,
    ):
        sending = [asyncio.create_task(send_blindly(proxy.port, posts, at_once, chance)) for posts in of_clients]
        for _ in range(cuts):
            fault = chance.choice((proxy.cut, proxy.without_answers, proxy.stalled))
            with fault():
                await asyncio.sleep(chance.random() / 5)
            await asyncio.sleep(chance.random() / 5)
        retries = sum(await asyncio.gather(*sending))
        published = await counted(api, "undertone_ingest_posts", "accepted")
        behind = await counted(api, "undertone_ingest_requests_refused", "behind")

        async def stored() -> bool:
            return bool(await database.fetchval("SELECT count(*) FROM social_media_posts") == len(wanted))

        await eventually(stored, "all posts are stored", 120)

        async def all_done() -> bool:
            state = await total_state(redis, limited.streams, limited.redis_consumer_group)
            return (state.lag, state.pending) == (0, 0)

        await eventually(all_done, "what came twice is done, too", 60)
        rows = await database.fetch("SELECT post_id, content FROM social_media_posts")
        assert (len(rows), {row["post_id"]: row["content"] for row in rows}) == (len(wanted), wanted)
        await assert_rollups_are_a_recount(database)
    print(f"{len(rows):,} posts, {retries:,} retries, {published:,.0f} published, {behind:,.0f} refused", end="; ")
    print(f"{max(lags):,} of {limited.max_stream_lag:,} unread at most, {len(lags):,} looks")
    # Some were sent again that were there already, and some had to wait.
    assert retries > 0
    assert published > len(wanted)
    assert max(lags) <= limited.max_stream_lag


async def test_of_clients_that_retry_blindly_each_post_is_stored_once(settings: Settings, tmp_path: Path) -> None:
    await blind_retries(settings, tmp_path, clients=4, posts_each=500, at_once=50, cuts=8)


@pytest.mark.long
async def test_so_it_is_of_ten_of_them(settings: Settings, tmp_path: Path) -> None:
    await blind_retries(settings, tmp_path, clients=10, posts_each=1_000, at_once=100, cuts=20)


@pytest.mark.largest
@pytest.mark.timeout(400)
async def test_so_it_is_of_a_hundred_thousand_posts(settings: Settings, tmp_path: Path) -> None:
    await blind_retries(settings, tmp_path, clients=10, posts_each=10_000, at_once=500, cuts=60)
