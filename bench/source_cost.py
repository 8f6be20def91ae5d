"""What a live source costs the ingester, all of it, in CPU time: `python -m bench.source_cost [--events N]`.

A Jetstream server on loopback has all events at once; the ingester, a process of its own, puts the posts into Redis.
"""

import argparse
import asyncio
import time
from pathlib import Path

from bench import posts
from bench.report import table
from bench.servers import scratch_folder
from bench.usage import cpu_s, memory_mb
from services.common.settings import Settings
from services.common.source_states import SourceState, SourceStore
from services.common.streams import open_redis
from tests.conftest import make_settings
from tests.embedded import running_redis
from tests.jetstream_server import JetstreamServer, commit, jetstream
from tests.processes import service
from tests.waiting import eventually

# Every second post is in English.
LANGUAGES = ("en", "ja", "en", "pt")
TIMEOUT_S = 600.0


async def measure(settings: Settings, folder: Path, events: int, *filters: str) -> list[object]:
    """Published posts, CPU microseconds an event and a published post, events a second, megabytes at the end."""
    async with (
        jetstream() as server,
        open_redis(settings.redis_dsn) as redis,
        service("ingester", settings, folder, "--source", "bluesky", "--jetstream", server.url, *filters) as ingester,
    ):
        store = SourceStore(redis, settings.redis_stream_name)
        await eventually(lambda: _states(store, 0), "the ingester is connected")
        began_s, before_s = time.monotonic(), cpu_s(ingester.process.pid)
        fill(server, events)
        (state,) = await eventually(lambda: _states(store, events), "all events have come", TIMEOUT_S)
        used_us = (cpu_s(ingester.process.pid) - before_s) * 1e6
        took_s, memory = time.monotonic() - began_s, memory_mb(ingester.process.pid)
    return [state.posts, used_us / events, used_us / state.posts, events / took_s, memory]


def fill(server: JetstreamServer, events: int) -> None:
    texts = posts.texts(None, events)
    for number, text in enumerate(texts):
        did = f"did:plc:z72i7hdynmk6r22z{number % 9_973:08}"
        server.add(commit(f"3l3qo2{number:07}", did=did, text=text, langs=[LANGUAGES[number % len(LANGUAGES)]]))


async def _states(store: SourceStore, events: int) -> list[SourceState]:
    """The state of a connected source that has had so many events; else none."""
    states = await store.read_states()
    return [state for state in states if state.connected and state.posts + sum(state.skipped.values()) >= events]


async def run(events: int) -> str:
    rows: list[list[object]] = []
    for name, filters in (("all", ()), ("in English", ("--language", "en"))):
        with scratch_folder("sources") as folder, running_redis(folder) as redis_url:
            settings = make_settings("", redis_url, "posts", "127.0.0.1:1").model_copy(
                update={"max_stream_lag": 10 * events}
            )
            rows.append([name, *await measure(settings, folder, events, *filters)])
    return table(["posts", "published", "CPU us an event", "CPU us a post", "events/s", "MB"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.source_cost", description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=100_000, metavar="N", help="default: %(default)s")
    print(asyncio.run(run(parser.parse_args().events)))


if __name__ == "__main__":
    main()
