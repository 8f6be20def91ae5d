"""The whole REST API, as its own OpenAPI document describes it, on a real database with rows: schemathesis asks."""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.common.database import open_pool
from services.common.dead_letters.burial import bury
from services.common.dead_letters.letter import DeadLetter
from services.common.messages import Analysis, Post
from services.common.migrations.apply import migrate
from services.common.settings import Settings
from services.common.streams import ensure_group, open_redis
from services.worker.store import store
from tests import hostile
from tests.conftest import ROOT, environment_of, make_settings
from tests.embedded import running_postgres, running_redis
from tests.integration.triton_server import running_triton
from tests.ports import free_port

# What does not fit: there is no log-in, no required header, and no resource that a client makes.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
)
# Of each operation, where the time does not decide.
QUICK_EXAMPLES = 25
# A request that takes longer is a finding. The machine may be busy with more than us.
MAX_RESPONSE_S = 20
# Requests that drop letters would soon have none left.
REFILL_S = 2.0
START_TIMEOUT_S = 60.0
GRACE_S = 120.0
_REQUESTS = re.compile(r'^undertone_http_requests_total\{.*status="(\d+)"\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """`requests` by status, `report`: schemathesis' own words; `error`: the last lines of whatever failed."""

    statuses: dict[int, int]
    report: str
    error: str

    @property
    def requests(self) -> int:
        return sum(self.statuses.values())


def fuzz(seconds: float | None, folder: Path, seed: int | None, tell: Callable[[int], None]) -> Outcome:
    """No request has an answer that the document does not promise; none is an error of the server.

    `seconds` None: some examples of each operation, the same ones each time for a `seed`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name, running_api(Path(name)) as api:
        command = command_for(api.url, seconds, seed)
        environment = os.environ | {"SCHEMATHESIS_HOOKS": "tests.fuzz.serializers", "PYTHONPATH": os.fspath(ROOT)}
        log = folder / "log"
        with (
            log.open("wb") as output,
            subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, env=environment) as asking,
        ):
            deadline = None if seconds is None else time.monotonic() + seconds + GRACE_S
            while asking.poll() is None:
                if deadline is not None and time.monotonic() > deadline:
                    asking.kill()
                tell(sum(api.statuses().values()))
                api.fill_letters()
                time.sleep(REFILL_S)
        statuses = api.statuses()
        report = log.read_text(errors="replace")
        error = "" if asking.returncode == 0 else report[-6_000:]
        if any(status >= 500 and status != 503 for status in statuses) or "Traceback" in api.output:
            error += f"\nthe API says:\n{api.output[-6_000:]}"
        return Outcome(statuses, report, error)


def command_for(url: str, seconds: float | None, seed: int | None) -> list[str]:
    options: dict[str, object] = {
        "checks": ",".join(CHECKS),
        "max-response-time": MAX_RESPONSE_S,
        "request-timeout": 2 * MAX_RESPONSE_S,
        "max-failures": 20,
    }
    if seconds is None:
        options |= {"max-examples": QUICK_EXAMPLES}
    else:
        options |= {"max-time": max(1, round(seconds)), "generation-database": "none"}
    options |= {} if seed is None else {"seed": seed}
    flags = ["--no-color", "--continue-on-failure", *(["--generation-deterministic"] if seconds is None else [])]
    program = os.fspath(Path(sys.executable).with_name("schemathesis"))
    return [program, "run", f"{url}/api/openapi.json", *flags, *(f"--{key}={value}" for key, value in options.items())]


@dataclass
class Api:
    url: str
    settings: Settings
    log: Path

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def statuses(self) -> dict[int, int]:
        """Answers so far, by status, as the API itself counts them; empty while it does not answer."""
        try:
            with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
                text = answer.read().decode()
        except OSError:
            return {}
        found: dict[int, int] = {}
        for status, count in _REQUESTS.findall(text):
            found[int(status)] = found.get(int(status), 0) + int(float(count))
        return found

    def fill_letters(self) -> None:
        asyncio.run(fill_letters(self.settings))


@contextmanager
def running_api(folder: Path) -> Iterator[Api]:
    """An API as a process of its own, with posts, alerts, dead letters and both models."""
    (folder / "triton").mkdir()
    with (
        running_postgres(folder) as database_url,
        running_redis(folder, appendfsync="no") as redis_url,
        running_triton(folder / "triton", ROOT / "model_repository") as triton,
    ):
        settings = make_settings(database_url, redis_url, "social_posts_stream", f"127.0.0.1:{triton.grpc_port}")
        settings = settings.model_copy(update={"api_port": free_port(), "frontend_dist": folder})
        asyncio.run(fill(settings))
        api = Api(f"http://127.0.0.1:{settings.api_port}", settings, folder / "api.log")
        environment = environment_of(settings) | {"PYTHONPATH": os.fspath(ROOT)}
        with (
            api.log.open("wb") as output,
            subprocess.Popen(
                [sys.executable, "-m", "services.api"], cwd=ROOT, env=environment, stdout=output, stderr=output
            ) as process,
        ):
            try:
                wait_until_up(api, process)
                yield api
            finally:
                process.terminate()


def wait_until_up(api: Api, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not api.statuses():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the API did not start:\n{api.output}")
        try:
            urllib.request.urlopen(f"{api.url}/api/health", timeout=10).close()
        except OSError:
            time.sleep(0.1)


async def fill(settings: Settings) -> None:
    """Posts of every difficult text and time, alerts, dead letters."""
    await migrate(settings.database_dsn)
    times = [datetime.fromisoformat(written) for written in hostile.EXTREME_TIMES]
    posts = [
        Post(post_id=name, source=("twitter", "reddit")[number % 2], content=text, author=name, created_at=moment)
        for number, (name, text) in enumerate(hostile.TEXTS.items())
        for moment in [times[number % len(times)]]
    ]
    async with open_pool(settings.database_dsn, max_size=1) as pool:
        for number, post in enumerate(posts):
            await store(pool, [(post, analysis(number))], datetime.now(UTC))
        await pool.executemany(
            _ALERT, [(f"type_{number}", datetime.now(UTC), timedelta(number)) for number in range(5)]
        )
    await fill_letters(settings)


_ALERT = """
    INSERT INTO sentiment_alerts
           (alert_type, threshold_value, actual_value, window_start, window_end, post_count, triggered_at, details)
    VALUES ($1, 0.5, 0.7, $2::timestamptz - $3::interval, $2, 10, $2, '{"total": 10, "ratio": 0.7}'::jsonb)
"""


def analysis(number: int) -> Analysis:
    return Analysis(
        model_name="model",
        sentiment_label=("negative", "neutral", "positive")[number % 3],
        confidence=0.5 + number % 5 / 10,
        emotion=("joy", "anger", "fear")[number % 3],
        emotion_confidence=0.5,
        model_version=1,
    )


async def fill_letters(settings: Settings) -> None:
    """Some that can be replayed, some that cannot, one whose bytes are no text."""
    stream, group = settings.redis_stream_name, settings.redis_consumer_group
    good = {b"source": b"reddit", b"content": "schön 😀".encode(), b"created_at": b"2026-01-01T00:00:00Z"}
    letters = [DeadLetter("", good | {b"post_id": b"%d" % n}, "rejected_by_model", "no") for n in range(50)]
    letters += [
        DeadLetter("", good | {b"post_id": b"\xff\x00\xed\xa0\x80"}, "invalid_utf8", "post_id is not UTF-8"),
        DeadLetter("", good | {b"post_id": b"long", b"content": b"x" * 50_000}, "too_long", "too long"),
        DeadLetter("", {b"line": b'{"post_id": '}, "invalid_json", "any line 1: the line is no JSON object"),
    ]
    async with open_redis(settings.redis_dsn) as redis:
        await ensure_group(redis, stream, group)
        await bury(redis, stream, letters, group)
