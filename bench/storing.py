"""What PostgreSQL stores a second, and what a post costs it: `python -m bench.storing [--writers 1 2 4]`.

The workers' own statement in full batches, from processes that do nothing else: straight to the server, and through
PgBouncer in transaction mode where that is installed. The server has the settings of `make run`, each commit on disk.
"""

import argparse
import asyncio
import multiprocessing
import resource
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path

import asyncpg

from bench import posts
from bench.report import table
from bench.servers import scratch_folder
from bench.usage import cpu_s
from services.common.database import open_pool
from services.common.messages import Analysis, Post
from services.common.migrations.apply import migrate
from services.worker.store import store
from tests.embedded import running_postgres
from tests.integration.pgbouncer import PROGRAM, running_pgbouncer

BATCH = 1_024
LABELS, EMOTIONS = ("negative", "neutral", "positive"), ("joy", "anger", "fear", "sadness", "neutral")
START_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Way:
    """To the server: through PgBouncer or not, with prepared statements or without."""

    name: str
    dsn: str
    shares_sessions: bool


@dataclass(frozen=True)
class Run:
    posts_per_s: float
    server_cpu_us: float
    writer_cpu_us: float
    log_bytes: float


def write(way: Way, texts: Sequence[str], name: str, start: Barrier) -> None:
    """One process: prepares its posts, waits for the others, and stores them."""
    asyncio.run(_write(way, texts, name, start))


async def _write(way: Way, texts: Sequence[str], name: str, start: Barrier) -> None:
    now = datetime.now(UTC)
    analysed = [
        (
            Post(post_id=f"{name}-{number}", source="twitter", content=text, author=f"user{number}", created_at=now),
            _analysis(number),
        )
        for number, text in enumerate(texts)
    ]
    async with open_pool(way.dsn, max_size=1, shares_sessions=way.shares_sessions) as pool:
        # The first one connects and plans.
        await store(pool, analysed[:BATCH], now)
        await asyncio.to_thread(start.wait, START_TIMEOUT_S)
        # Meanwhile it is counted what there is.
        await asyncio.to_thread(start.wait, START_TIMEOUT_S)
        for first in range(BATCH, len(analysed), BATCH):
            await store(pool, analysed[first : first + BATCH], datetime.now(UTC))


def _analysis(number: int) -> Analysis:
    return Analysis(
        model_name="sentiment",
        sentiment_label=LABELS[number % len(LABELS)],
        confidence=0.9,
        emotion=EMOTIONS[number % len(EMOTIONS)],
        emotion_confidence=0.8,
        model_version=1,
        emotion_model_name="emotion",
        emotion_model_version=1,
    )


def run(server: int, dsn: str, way: Way, writers: int, texts: Sequence[str]) -> Run:
    """So many writers store the texts together. `server`: PostgreSQL's process id; `dsn`: straight to it."""
    batches = len(texts) // BATCH // writers - 1
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(writers + 1)
    processes = [
        spawn.Process(target=write, args=(way, texts[: (1 + batches) * BATCH], f"{way.name}-{writers}-{number}", start))
        for number in range(writers)
    ]
    for process in processes:
        process.start()
    start.wait(START_TIMEOUT_S)
    stored, log = asyncio.run(_counts(dsn))
    own_cpu = sum(cpu_s(process.pid or 0) for process in processes)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    server_cpu = cpu_s(server)
    start.wait(START_TIMEOUT_S)
    began = time.perf_counter()
    for process in processes:
        process.join()
        if process.exitcode != 0:
            raise RuntimeError(f"a writer ended with {process.exitcode}")
    took = time.perf_counter() - began
    server_cpu = cpu_s(server) - server_cpu
    last = resource.getrusage(resource.RUSAGE_CHILDREN)
    own_cpu = last.ru_utime + last.ru_stime - ended.ru_utime - ended.ru_stime - own_cpu
    stored_after, log_after = asyncio.run(_counts(dsn))
    count = stored_after - stored
    if count != writers * batches * BATCH:
        raise RuntimeError(f"{count:,} posts are stored, and {writers * batches * BATCH:,} should be")
    return Run(count / took, server_cpu / count * 1e6, own_cpu / count * 1e6, (log_after - log) / count)


async def _counts(dsn: str) -> tuple[int, int]:
    """Posts that are stored, and bytes of the write-ahead log."""
    connection = await asyncpg.connect(dsn)
    try:
        return (
            await connection.fetchval("SELECT count(*) FROM social_media_posts"),
            await connection.fetchval("SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint"),
        )
    finally:
        await connection.close()


def measure(folder: Path, writers: Sequence[int], texts: Sequence[str]) -> list[list[object]]:
    """A row for each way and number of writers."""
    rows: list[list[object]] = []
    with ExitStack() as stack:
        dsn = stack.enter_context(running_postgres(folder))
        server = int((folder / "postgres" / "postmaster.pid").read_text().split()[0])
        asyncio.run(migrate(dsn))
        ways = [Way("straight to it", dsn, False), Way("nothing prepared", dsn, True)]
        if PROGRAM is not None:
            ways.append(Way("PgBouncer", stack.enter_context(running_pgbouncer(dsn)), True))
        else:
            print("PgBouncer is not installed: nothing is measured through it")
        for count in writers:
            for way in ways:
                found = run(server, dsn, way, count, texts)
                print(f"{count} writers, {way.name}: {found.posts_per_s:,.0f} posts/s", flush=True)
                rows.append([way.name, count, *astuple(found)])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.storing", description="What PostgreSQL stores a second.")
    parser.add_argument("--writers", type=int, nargs="+", default=[1, 2, 4], metavar="N", help="default: 1 2 4")
    parser.add_argument("--posts", type=int, default=200_000, metavar="N", help="of each run; default: %(default)s")
    options = parser.parse_args()
    with scratch_folder("storing") as folder:
        rows = measure(folder, options.writers, posts.texts(None, options.posts))
    columns = ["posts/s", "server's CPU, us a post", "writers' CPU, us a post", "write-ahead log, bytes a post"]
    print(table(["", "writers", *columns], rows))


if __name__ == "__main__":
    main()
