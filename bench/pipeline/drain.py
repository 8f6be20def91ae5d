"""A stream that is full is emptied: how fast, and what each process and store spent on it."""

import time
from dataclasses import dataclass
from typing import Any

import asyncpg
import psutil

from bench.undertone import Undertone
from bench.usage import cpu_of, growth


@dataclass(frozen=True)
class Stores:
    """Bytes so far: what is stored and what travelled, as each server counts it itself."""

    counts: dict[str, float]

    @classmethod
    async def read(cls, undertone: Undertone) -> "Stores":
        info = await undertone.redis.info()
        connection = await asyncpg.connect(undertone.database_url)
        try:
            row = await connection.fetchrow(
                "SELECT pg_database_size(current_database()) AS size, pg_current_wal_lsn() - '0/0'::pg_lsn AS wal"
            )
        finally:
            await connection.close()
        assert row is not None
        return cls(
            {
                "Redis memory": float(info["used_memory"]),
                "Redis append-only file": float(info["aof_current_size"]),
                "Redis received": float(info["total_net_input_bytes"]),
                "Redis sent": float(info["total_net_output_bytes"]),
                "PostgreSQL database": float(row["size"]),
                "PostgreSQL write-ahead log": float(row["wal"]),
                "loopback, the whole machine": float(psutil.net_io_counters(pernic=True)["lo"].bytes_sent),
            }
        )


async def drain(undertone: Undertone, count: int, prefix: str) -> dict[str, Any]:
    """Fills the stream with `count` posts while the worker stands still, then lets it work.

    `posts_per_s`: until the last post is stored, announced and acknowledged. Raises AssertionError where a post is
    missing from the database.
    """
    rows_before = await rows(undertone)
    empty = await Stores.read(undertone)
    with undertone.worker_held():
        undertone.feed.ask(do="fill", count=count, prefix=prefix)
        full = await Stores.read(undertone)
        browser, dropped = undertone.browser.ask(do="count"), undertone.dropped()
        before = cpu_of(undertone.pids())
        began = time.monotonic()
    ended = await undertone.drained()
    seen = await undertone.frames_arrived(browser["posts"] + count, dropped)
    after = cpu_of(undertone.pids())
    done = await Stores.read(undertone)
    stored = await rows(undertone) - rows_before
    assert stored == count, f"{count} posts went in, {stored} are stored:\n{undertone.system.output[-2_000:]}"
    undertone.browser.ask(do="arrivals")
    travelled = growth(full.counts, done.counts, per=count)
    return {
        "count": count,
        "seconds": ended - began,
        "posts_per_s": count / (ended - began),
        "last_frame_s": seen["last_at"] - began,
        "frames_received": seen["posts"] - browser["posts"],
        "frames_dropped": seen["dropped"],
        "cpu_ms_per_post": growth(before, after, per=count / 1_000),
        "bytes_per_post": {
            "in the stream (Redis memory)": (full.counts["Redis memory"] - empty.counts["Redis memory"]) / count,
            "Redis append-only file": (done.counts["Redis append-only file"] - empty.counts["Redis append-only file"])
            / count,
            **{name: travelled[name] for name in travelled if name not in ("Redis memory", "Redis append-only file")},
            "WebSocket frame": (seen["bytes"] - browser["bytes"]) / max(1, seen["posts"] - browser["posts"]),
        },
    }


async def rows(undertone: Undertone) -> int:
    (row,) = await undertone.system.query(
        "SELECT least((SELECT count(*) FROM social_media_posts), (SELECT count(*) FROM sentiment_analysis)) AS n"
    )
    return int(row["n"])


async def warm_up(undertone: Undertone, count: int) -> float:
    """Posts a second of a first, smaller run; what it measures decides how long the others get."""
    return float((await drain(undertone, count, "warm"))["posts_per_s"])
