"""`undertone dead …` as a process: what it says, what it does, with which status it ends."""

import asyncio
import json
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import asyncpg
import pytest
from redis.asyncio import Redis

from services.common.dead_letters import DeadLetter, bury
from services.common.dead_letters.reading import count
from services.common.messages import encode_post
from services.common.settings import Settings
from services.common.streams import ensure_group, group_state, open_redis
from tests.conftest import ROOT
from tests.embedded import PASSWORD
from tests.posts import make_posts
from tests.processes import service
from tests.redis_reads import entries
from tests.waiting import eventually

GROUP = "sentiment_workers"
HOSTILE = "\x1b]0;owned\x07\u202e"


class Ended(NamedTuple):
    status: int
    out: str
    err: str


class Cli:
    """`python -m services.cli` on the test's own stream."""

    def __init__(self, redis_url: str, stream: str, folder: Path) -> None:
        self.stream = stream
        self.folder = folder
        self.environment = {"REDIS_URL": redis_url, "REDIS_STREAM_NAME": stream}

    async def start(self, *arguments: str, **options: Any) -> asyncio.subprocess.Process:
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.fspath(ROOT), "COLUMNS": "120"} | self.environment
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "services.cli", "dead", *arguments),
            cwd=self.folder,
            env=environment,
            stdin=options.pop("stdin", asyncio.subprocess.DEVNULL),
            stdout=options.pop("stdout", asyncio.subprocess.PIPE),
            stderr=options.pop("stderr", asyncio.subprocess.PIPE),
        )

    async def __call__(self, *arguments: str) -> Ended:
        process = await self.start(*arguments)
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        assert b"Traceback" not in err, err.decode()
        return Ended(process.returncode, out.decode(), err.decode())


@pytest.fixture
async def redis(redis_url: str, stream_name: str) -> AsyncIterator[Redis]:
    async with open_redis(redis_url) as client:
        await ensure_group(client, stream_name, GROUP)
        yield client


@pytest.fixture
def cli(redis_url: str, stream_name: str, tmp_path: Path) -> Cli:
    return Cli(redis_url, stream_name, tmp_path)


async def refuse(redis: Redis, stream: str, number: int, reason: str = "rejected_by_model", **change: str) -> None:
    letters = []
    for post in make_posts(number):
        fields = {name.encode(): value.encode() for name, value in (encode_post(post) | change).items()}
        letters.append(DeadLetter("", fields, reason, f"no {HOSTILE}"))
    await bury(redis, stream, letters, GROUP)


async def ids(cli: Cli) -> list[str]:
    return [letter["id"] for letter in json.loads((await cli("list", "--json", "--limit", "1000")).out)["letters"]]


async def total(redis: Redis, stream: str) -> int:
    return (await count(redis, stream)).total


async def test_without_letters_it_says_so(cli: Cli) -> None:
    assert await cli("list") == Ended(0, "There are no dead letters.\n", "")
    assert await cli("drop", "--all") == Ended(0, "There are no dead letters.\n", "")
    assert await cli("replay", "--reason", "x") == Ended(0, "No dead letter is like that.\n", "")


async def test_the_list_is_a_table_with_the_numbers_of_each_reason(cli: Cli, redis: Redis) -> None:
    await refuse(redis, cli.stream, 3)
    await refuse(redis, cli.stream, 30, "too_long")
    ended = await cli("list", "--limit", "2")
    lines = ended.out.splitlines()
    assert (ended.status, ended.err) == (0, "")
    assert lines[0].split() == ["ID", "BURIED", "(UTC)", "REASON", "SOURCE", "POST", "TEXT"]
    assert lines[-2] == "2 of 33 letters; more with --limit"
    assert lines[-1] == "by reason: too_long 30, rejected_by_model 3"
    assert all("too_long" in line and len(line) <= 120 for line in lines[1:3])
    assert (await cli("list", "--reason", "rejected_by_model")).out.count("rejected_by_model ") == 3 + 1


async def test_for_programs_everything_is_json(cli: Cli, redis: Redis) -> None:
    await refuse(redis, cli.stream, 250)
    answer = json.loads((await cli("list", "--json", "--limit", "240")).out)
    assert (len(answer["letters"]), answer["total"], answer["has_more"]) == (240, 250, True)
    assert answer["by_reason"] == {"rejected_by_model": 250}
    shown = json.loads((await cli("show", "--json", answer["letters"][0]["id"])).out)
    assert shown == answer["letters"][0]
    assert set(shown["fields"]) == {"post_id", "source", "content", "author", "created_at"}
    outcome = json.loads((await cli("drop", "--all", "--yes", "--json")).out)
    assert (outcome["dropped"], outcome["gone"], outcome["skipped"]) == (250, 0, 0)


async def test_nothing_in_a_letter_reaches_the_terminal_as_a_command(cli: Cli, redis: Redis) -> None:
    await refuse(redis, cli.stream, 1, f"r{HOSTILE}", content=f"a{HOSTILE}\nb\x7f", author=HOSTILE, source=HOSTILE)
    (letter,) = await ids(cli)
    for command in (("list",), ("show", letter), ("list", "--json"), ("show", "--json", letter)):
        out = (await cli(*command)).out
        assert not set("\x1b\x07\u202e\x7f") & set(out), command
        assert "owned" in out


async def test_one_letter_is_published_again_unasked(cli: Cli, redis: Redis) -> None:
    await refuse(redis, cli.stream, 2)
    newest, oldest = await ids(cli)
    assert await cli("replay", newest) == Ended(0, "replayed 1 letter\n", "")
    assert await ids(cli) == [oldest]
    assert [fields[b"post_id"].decode() for fields in await entries(redis, cli.stream)] == [make_posts(2)[1].post_id]
    again = await cli("replay", newest)
    assert (again.status, again.out) == (1, "replayed 0 letters\n1 letter not there (any more)\n")
    assert await redis.xlen(cli.stream) == 1


async def test_of_many_only_what_can_be_is_published_and_the_rest_is_named(cli: Cli, redis: Redis) -> None:
    await refuse(redis, cli.stream, 230)
    await refuse(redis, cli.stream, 12, "empty_field", content="")
    ended = await cli("replay", "--all", "--yes")
    assert ended.status == 1
    assert ended.out.startswith("replayed 230 letters\nskipped 12 letters, which stay:\n")
    assert "it would be refused again: content is empty" in ended.out
    assert ended.out.endswith("  and 2 more\n")
    assert await redis.xlen(cli.stream) == 230
    assert await total(redis, cli.stream) == 12


async def test_a_limit_takes_the_oldest(cli: Cli, redis: Redis) -> None:
    await refuse(redis, cli.stream, 5)
    before = await ids(cli)
    assert (await cli("drop", "--reason", "rejected_by_model", "--limit", "2", "--yes")).status == 0
    assert await ids(cli) == before[:3]


async def test_more_than_one_is_not_touched_without_a_yes(cli: Cli, redis: Redis) -> None:
    await refuse(redis, cli.stream, 2)
    for command in ("replay", "drop"):
        ended = await cli(command, "--all")
        assert ended == Ended(2, "", f"error: {command.capitalize()} 2 letters? Nobody is there to answer: say --yes\n")
    assert await total(redis, cli.stream) == 2


@pytest.mark.parametrize(
    ("answer", "status", "left"), [(b"n\n", 1, 2), (b"\n", 1, 2), (b"y\n", 0, 0), (b"\x03", 130, 2)]
)
async def test_a_person_is_asked_and_may_change_their_mind(
    cli: Cli, redis: Redis, answer: bytes, status: int, left: int
) -> None:
    await refuse(redis, cli.stream, 2)
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.fspath(ROOT)} | cli.environment
    # A session of its own with this terminal: Ctrl-C is a key of it.
    child = "import os,sys,pty,fcntl,termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); " + (
        "os.execv(sys.executable, [sys.executable, '-m', 'services.cli', 'dead', 'drop', '--all'])"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", child), cwd=cli.folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    said = b""

    async def asked() -> bool:
        nonlocal said
        with suppress(BlockingIOError, OSError):
            said += os.read(ours, 65_536)
        return b"Drop 2 letters? [y/N]" in said

    try:
        await eventually(asked, "it asks")
        os.write(ours, answer)
        assert await asyncio.wait_for(process.wait(), 30) == status
    finally:
        os.close(ours)
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    assert await total(redis, cli.stream) == left


async def test_it_waits_for_the_workers_as_the_ingester_does(cli: Cli, redis: Redis) -> None:
    cli.environment["MAX_STREAM_LAG"] = "150"
    await refuse(redis, cli.stream, 220)
    process = await cli.start("replay", "--all", "--yes")
    assert process.stderr is not None
    told = await asyncio.wait_for(process.stderr.readline(), 30)
    assert b"waiting: 150 posts (MAX_STREAM_LAG)" in told
    assert await redis.xlen(cli.stream) == 100

    async def done() -> bool:
        await redis.xreadgroup(GROUP, "worker", {cli.stream: ">"}, count=500, noack=True)
        return process.returncode is not None

    await eventually(done, "it goes on when there is room")
    assert await process.wait() == 0
    assert await redis.xlen(cli.stream) == 220


async def test_interrupted_it_says_how_far_it_came(cli: Cli, redis: Redis) -> None:
    cli.environment["MAX_STREAM_LAG"] = "100"
    await refuse(redis, cli.stream, 150)
    process = await cli.start("replay", "--all", "--yes")
    assert process.stderr is not None
    await asyncio.wait_for(process.stderr.readline(), 30)
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 130
    assert err == b"stopped; 100 letters done, the others are still there\n"
    assert await total(redis, cli.stream) == 50


async def test_the_redis_of_make_run_is_found_without_a_word(cli: Cli, redis: Redis, redis_url: str) -> None:
    await refuse(redis, cli.stream, 1)
    (cli.folder / ".local").mkdir()
    (cli.folder / ".local" / "secrets.json").write_text(json.dumps({"postgres": "x", "redis": PASSWORD}))
    port = urlsplit(redis_url).port
    cli.environment = {"REDIS_STREAM_NAME": cli.stream, "LOCAL_REDIS_PORT": str(port)}
    assert "1 of 1 letter" in (await cli("list")).out
    cli.environment["LOCAL_REDIS_PORT"] = "1"
    ended = await cli("list")
    assert (ended.status, ended.out) == (2, "")
    assert "is `make run` running?" in ended.err
    (cli.folder / ".local" / "secrets.json").write_text("{")
    assert "secrets.json is damaged" in (await cli("list")).err


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"REDIS_URL": "redis://127.0.0.1:1/0"}, "not reachable"),
        ({"REDIS_URL": ""}, "there is no .local/secrets.json"),
        ({"REDIS_URL": "http://x"}, "REDIS_URL: "),
    ],
)
async def test_what_is_wrong_with_the_server_is_one_sentence(cli: Cli, environment: dict[str, str], told: str) -> None:
    cli.environment |= environment | {"REDIS_PORT": "1"}
    ended = await cli("list")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("error: ")
    assert told in ended.err
    assert PASSWORD not in ended.err


async def test_a_wrong_password_and_a_wrong_key_are_sentences(cli: Cli, redis: Redis, redis_url: str) -> None:
    await redis.set(f"{cli.stream}:dead", "no stream")
    assert (await cli("list")).status == 2
    cli.environment["REDIS_URL"] = redis_url.replace(PASSWORD, "wrong")
    ended = await cli("list")
    assert (ended.status, "check REDIS_URL" in ended.err) == (2, True)


async def test_a_reader_that_has_seen_enough_gets_no_complaint(cli: Cli, redis: Redis) -> None:
    await refuse(redis, cli.stream, 400)
    ours, theirs = os.pipe()
    process = await cli.start("list", "--json", "--limit", "400", stdout=theirs)
    os.close(theirs)
    os.read(ours, 10)
    os.close(ours)
    _, err = await asyncio.wait_for(process.communicate(), 30)
    assert err == b""


async def test_replayed_posts_are_stored_and_one_that_was_stored_meanwhile_changes_nothing(
    triton_settings: Settings, tmp_path: Path
) -> None:
    stream, group = triton_settings.redis_stream_name, triton_settings.redis_consumer_group
    async with open_redis(triton_settings.redis_dsn) as redis, service("worker", triton_settings, tmp_path) as worker:
        await refuse(redis, stream, 3)
        record: dict[Any, Any] = dict(encode_post(make_posts(1)[0]))
        await redis.xadd(stream, record)

        async def nothing_is_open() -> bool:
            state = await group_state(redis, stream, group)
            return state.consumers > 0 and state.lag == 0 and state.pending == 0

        await eventually(nothing_is_open, "the one is stored", 60)
        cli = Cli(triton_settings.redis_dsn, stream, tmp_path)
        assert (await cli("replay", "--all", "--yes")).out == "replayed 3 letters\n"
        await eventually(nothing_is_open, "all are stored", 60)
        assert await worker.stop() == 0
        assert await total(redis, stream) == 0
    connection = await asyncpg.connect(triton_settings.database_dsn)
    try:
        assert await connection.fetchval("SELECT count(*) FROM social_media_posts") == 3
        assert await connection.fetchval("SELECT count(*) FROM sentiment_analysis") == 3
    finally:
        await connection.close()
