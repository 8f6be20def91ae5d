"""How long the API's answers take, by the number of posts that are stored.

`python -m bench.queries --posts 10000,1000000,10000000 --json FILE`: for each number an embedded PostgreSQL is filled
with generated posts of the last 30 days, and the API, a process of its own whose caches are switched off, is asked for
everything in turns over HTTP. The rule of alerts and the live counts are called as functions.
"""

import argparse
import asyncio
import contextlib
import http.client
import itertools
import json
import os
import platform
import random
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import asyncpg

from bench.fill import fill, show, vocabulary
from services.api.queries.alerts import read_window
from services.api.queries.totals import count_windows
from services.common.database import PLANNING, open_pool
from services.common.logging import configure_logging
from services.common.migrations.apply import migrate
from services.worker.upkeep.closing import close_buckets
from tests.conftest import environment_of, make_settings, with_database
from tests.embedded import open_folder, running_postgres, running_redis
from tests.ports import free_port

DAYS = 30
Request = Callable[[random.Random], str]


def requests(cursors: dict[str, str]) -> dict[str, Request]:
    """What is asked, by its name; each time with other parameters where there are any."""
    words = vocabulary()
    now = datetime.now(UTC)

    def posts(**params: object) -> str:
        return f"/api/posts?{urlencode(params)}"

    def aggregate(**params: object) -> str:
        return f"/api/sentiment/aggregate?{urlencode(params)}"

    def emotions(**params: object) -> str:
        return f"/api/emotions/aggregate?{urlencode(params)}"

    def ago(days: float) -> str:
        return (now - timedelta(days=days)).isoformat()

    return {
        "aggregate minute": lambda _: aggregate(period="minute"),
        "aggregate hour": lambda _: aggregate(period="hour"),
        "aggregate day": lambda _: aggregate(period="day"),
        "aggregate hour, 30 days": lambda _: aggregate(period="hour", start_date=ago(DAYS)),
        "aggregate minute, 33 hours": lambda _: aggregate(period="minute", start_date=ago(1.38)),
        "aggregate hour, one source": lambda _: aggregate(period="hour", source="reddit"),
        "aggregate, cut end": lambda c: aggregate(period="hour", start_date=ago(3), end_date=ago(c.uniform(1, 2))),
        "distribution 24 h": lambda _: "/api/sentiment/distribution?hours=24",
        "distribution 168 h": lambda _: "/api/sentiment/distribution?hours=168",
        "distribution, one source": lambda c: f"/api/sentiment/distribution?hours={c.randint(1, 168)}&source=twitter",
        "aggregate ten minutes, 13 days": lambda _: aggregate(period="ten_minute", start_date=ago(13.5)),
        "totals, 60 minutes": lambda _: "/api/sentiment/totals?minutes=60",
        "totals, 7 days": lambda _: "/api/sentiment/totals?minutes=10080",
        "emotions hour": lambda _: emotions(period="hour"),
        "emotions minute, 33 hours": lambda _: emotions(period="minute", start_date=ago(1.38)),
        "sources, 60 minutes": lambda _: "/api/sources",
        "sources, 7 days": lambda _: "/api/sources?minutes=10080",
        "words, 60 minutes": lambda _: "/api/words/rising",
        "words, 7 days": lambda _: "/api/words/rising?minutes=10080",
        "words, one source and sentiment": lambda _: "/api/words/rising?minutes=1440&source=bluesky&sentiment=neutral",
        "posts": lambda _: posts(),
        "posts, next page": lambda _: posts(cursor=cursors["near"]),
        "posts, deep page": lambda _: posts(cursor=cursors["deep"]),
        "posts, offset 10,000": lambda _: posts(offset=10_000),
        "posts, frequent source": lambda _: posts(source="twitter"),
        "posts, rare source": lambda _: posts(source="forum"),
        "posts, absent source": lambda _: posts(source="nobody"),
        "posts, sentiment": lambda _: posts(sentiment="negative"),
        "posts, frequent emotion": lambda _: posts(emotion="joy"),
        "posts, rare emotion": lambda _: posts(emotion="disgust"),
        "posts, all three": lambda _: posts(source="bluesky", sentiment="neutral", emotion="surprise"),
        "posts, confidence": lambda _: posts(max_confidence=0.55),
        "posts, rare confidence": lambda _: posts(min_confidence=0.99999),
        "export of 1,000": lambda _: "/api/posts/export?format=json&limit=1000",
        "search, most frequent": lambda _: posts(search=words[0] if len(words[0]) > 2 else words[1]),
        "search, frequent": lambda c: posts(search=words[c.randint(20, 200)]),
        "search, uncommon": lambda c: posts(search=words[c.randint(2_000, 20_000)]),
        "search, rare": lambda _: posts(search="zanzibar"),
        "search, absent": lambda c: posts(search=f"q{c.choice('xzj')}absent{c.choice('xzj')}"),
        "search, two words": lambda c: posts(search=f"{words[c.randint(0, 30)]} {words[c.randint(0, 300)]}"),
        "search, two letters": lambda c: posts(search=c.choice(("qz", "jx", "zq"))),
        "search, emoji": lambda _: posts(search="\U0001f602"),
        "search and sentiment": lambda c: posts(search=words[c.randint(20, 2_000)], sentiment="positive"),
        "search and rare emotion": lambda c: posts(search=words[c.randint(0, 30)], emotion="disgust"),
        "written, one hour": lambda c: posts(start_date=ago(d := c.uniform(1, 29)), end_date=ago(d - 1 / 24)),
        "written, one week": lambda c: posts(start_date=ago(d := c.uniform(8, 29)), end_date=ago(d - 7)),
        "written, before": lambda c: posts(end_date=ago(c.uniform(1, 29))),
        "alerts": lambda _: "/api/alerts",
        "health": lambda _: "/api/health",
    }


@contextlib.contextmanager
def running_api(dsn: str, redis_url: str) -> Iterator[http.client.HTTPConnection]:
    """A connection to the API, whose caches are off."""
    port = free_port()
    settings = make_settings(dsn, redis_url, "bench", "127.0.0.1:1").model_copy(
        update={"api_port": port, "log_level": "ERROR"}
    )
    environment = environment_of(settings) | {"PYTHONPATH": str(Path.cwd())}
    process = subprocess.Popen([sys.executable, "-m", "bench.uncached_api"], env=environment)
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        yield http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    finally:
        process.terminate()
        process.wait()


def get(connection: http.client.HTTPConnection, path: str) -> tuple[float, dict[str, object]]:
    """Seconds that the answer took, and the answer."""
    begun = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    took_s = time.perf_counter() - begun
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {body[:300]!r}")
    return took_s, json.loads(body)


def _cursors(connection: http.client.HTTPConnection) -> dict[str, str]:
    _, first = get(connection, "/api/posts")
    _, deep = get(connection, f"/api/posts?{urlencode({'end_date': datetime.now(UTC) - timedelta(days=20)})}")
    return {"near": str(first["next_cursor"]), "deep": str(deep["next_cursor"])}


def measure_http(connection: http.client.HTTPConnection, rounds: int) -> dict[str, list[float]]:
    asked = requests(_cursors(connection))
    chance = random.Random(3)
    seconds: dict[str, list[float]] = {name: [] for name in asked}
    for turn in range(-3, rounds):  # the first three rounds are not counted: plans and pages are read then
        for name, request in asked.items():
            took_s, _ = get(connection, request(chance))
            if turn >= 0:
                seconds[name].append(took_s)
        show("measuring", max(turn + 1, 0), rounds)
    return seconds


async def measure_calls(dsn: str, rounds: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {}
    async with open_pool(dsn, max_size=2, server_settings=PLANNING) as pool:

        async def rule() -> None:
            async with pool.acquire() as held:
                await read_window(held, 5)

        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "(call) alert rule": rule,
            "(call) live counts": lambda: count_windows(pool),
        }
        for (name, call), _ in itertools.product(calls.items(), range(rounds + 3)):
            begun = time.perf_counter()
            await call()
            seconds.setdefault(name, []).append(time.perf_counter() - begun)
    return {name: values[3:] for name, values in seconds.items()}


def summary(seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {
        "p50_ms": round(1_000 * cuts[49], 2),
        "p95_ms": round(1_000 * cuts[94], 2),
        "p99_ms": round(1_000 * cuts[98], 2),
        "n": len(seconds),
    }


async def prepare(dsn: str, database: str, posts: int) -> str:
    """The DSN of a filled database; one that an earlier run has filled is only brought up to date."""
    own, unfinished = with_database(dsn, database), f"{database}_unfinished"
    admin = await asyncpg.connect(dsn)
    if not await admin.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database):
        await admin.execute(f"DROP DATABASE IF EXISTS {unfinished}")
        await admin.execute(f"CREATE DATABASE {unfinished}")
        await migrate(with_database(dsn, unfinished))
        connection = await asyncpg.connect(with_database(dsn, unfinished))
        await fill(connection, posts, DAYS)
        await connection.close()
        await admin.execute(f"ALTER DATABASE {unfinished} RENAME TO {database}")
    else:
        await migrate(own)
        connection = await asyncpg.connect(own)
        await close_buckets(connection)
        await connection.execute("VACUUM ANALYZE")
        await connection.close()
    await admin.close()
    return own


def measure(folder: Path, dsn: str, posts: int, rounds: int) -> dict[str, dict[str, float]]:
    sys.stderr.write(f"{posts:,} posts\n")
    begun = time.perf_counter()
    own = asyncio.run(prepare(dsn, f"undertone_test_{posts}", posts))
    sys.stderr.write(f"filled in {time.perf_counter() - begun:.0f} s\n")
    redis_folder = folder / f"redis-{posts}"
    redis_folder.mkdir()
    redis_folder.chmod(0o755)
    with running_redis(redis_folder) as redis_url, running_api(own, redis_url) as connection:
        seconds = measure_http(connection, rounds)
    return {name: summary(values) for name, values in (seconds | asyncio.run(measure_calls(own, rounds))).items()}


def cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def table(sizes: dict[int, dict[str, dict[str, float]]]) -> str:
    """p95 by the number of posts, and how the most compares with the fewest."""
    counts = sorted(sizes)
    lines = [f"{'p95 in ms':<28}" + "".join(f"{count:>12,}" for count in counts) + f"{'ratio':>8}"]
    for name in sizes[counts[0]]:
        values = [sizes[count][name]["p95_ms"] for count in counts]
        lines.append(f"{name:<28}" + "".join(f"{value:>12.1f}" for value in values) + f"{values[-1] / values[0]:>8.1f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.queries", description="Latencies by number of stored posts.")
    parser.add_argument("--posts", default="10000,1000000", help="numbers of posts, with commas between them")
    parser.add_argument("--requests", type=int, default=200, help="requests of each kind")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--keep", type=Path, help="folder for the filled databases, to measure them again another time")
    arguments = parser.parse_args()
    configure_logging("bench", "WARNING", "text")
    sizes: dict[int, dict[str, dict[str, float]]] = {}
    with open_folder() as folder, running_postgres(arguments.keep or folder) as dsn:
        for posts in map(int, arguments.posts.split(",")):
            sizes[posts] = measure(folder, dsn, posts, arguments.requests)
    print(table(sizes))
    if arguments.json:
        machine = {
            "cpu": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "system": platform.platform(),
        }
        arguments.json.write_text(json.dumps({"machine": machine, "days": DAYS, "sizes": sizes}, indent=2) + "\n")


if __name__ == "__main__":
    main()
