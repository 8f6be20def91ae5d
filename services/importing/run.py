"""`undertone import`: block after block, published and noted, so that whoever is stopped goes on with the next one."""

import asyncio
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from services.archives.columns import Columns
from services.archives.inputs import STANDARD_INPUT, Input, local, standard_input
from services.archives.reading import Block, blocks, check
from services.cli.progress import Progress
from services.cli.server import find_redis
from services.common.errors import ConfigurationError, Transient
from services.common.messages import Post
from services.common.publisher import Publisher
from services.common.rules import Reason, Rules, make_rules
from services.common.settings import Settings
from services.common.streams import ensure_groups, open_client
from services.importing.position import Position, Positions
from services.importing.rejects import Rejects
from services.ingester.sources.base import MAX_BATCH_POSTS

DONE, NOT_ALL = 0, 1
ROOM_POLL_S = 0.05


def run(settings: Settings, options: Namespace) -> int:
    """DONE, or NOT_ALL where records were refused; UndertoneError says what could not be done."""
    columns = Columns(options.columns, options.source, whole=True)
    inputs = [_input(path, options.format) for path in options.paths]
    # What is piped can be read only once.
    faults = [fault for file in inputs if file.url != STANDARD_INPUT and (fault := check(file, columns))]
    if faults:
        raise ConfigurationError("\n".join(faults))
    server = find_redis(settings)

    async def import_all() -> int:
        async with open_client(server.dsn, cluster=settings.redis_cluster) as redis:
            streams, group = settings.streams, settings.redis_consumer_group
            publisher = Publisher(redis, streams, group, settings.max_stream_lag, settings.redis_min_replicas)
            positions = Positions(redis, streams[0], columns, MAX_BATCH_POSTS)
            work = Import(publisher, positions, columns, settings.max_stream_lag, make_rules(settings))
            try:
                await ensure_groups(redis, streams, group)
                statuses = [await work.of(file, _rejects_of(file, options.rejects), options.again) for file in inputs]
            except Transient as error:
                raise Transient(f"{error}; {server.advice}; the same command goes on where it was") from error
        return max(statuses)

    return asyncio.run(import_all())


def _input(path: str, suffixes: str) -> Input:
    if path != STANDARD_INPUT:
        return local(Path(path))
    if not suffixes:
        raise ConfigurationError("what is standard input? Say it with --format, as jsonl, csv.gz or tsv.zst")
    return standard_input(suffixes)


def _rejects_of(file: Input, folder: str) -> Path:
    beside = Path() if file.url == STANDARD_INPUT else Path(file.url).parent
    name = "standard-input" if file.url == STANDARD_INPUT else Path(file.url).name
    return (Path(folder) if folder else beside) / f"{name}.rejects.jsonl"


class Import:
    def __init__(
        self, publisher: Publisher, positions: Positions, columns: Columns, max_lag: int, rules: Rules
    ) -> None:
        self._publisher = publisher
        self._positions = positions
        self._columns = columns
        self._max_lag = max_lag
        self._rules = rules

    async def of(self, file: Input, rejects_path: Path, again: bool) -> int:
        """Imports what is not imported yet; its exit status."""
        is_piped = file.url == STANDARD_INPUT
        position = Position() if again or is_piped else await self._positions.load(file)
        if position.is_done:
            print(f"{file.name} was imported before, as it is now; --again imports it once more")
            return DONE
        before, progress = position.published, Progress(f"importing {file.name}", file.size, unit="bytes")
        finished, began, read_bytes = frozenset(range(position.blocks)), time.monotonic(), 0
        try:
            with (
                Rejects(rejects_path, position.rejects_bytes) as rejects,
                closing(blocks(file, 0, self._columns, rows=MAX_BATCH_POSTS, finished=finished)) as found,
            ):
                for block in found:
                    read_bytes += block.bytes
                    if not block.is_finished:
                        verdicts = [self._rules.judge(record.post) for record in block.records]
                        await self._publish([each for each in verdicts if isinstance(each, Post)], progress)
                        kept_out = Counter(each for each in verdicts if not isinstance(each, Post))
                        _count(position, block, kept_out, rejects.write(block.refusals))
                        if not is_piped:
                            await self._positions.save(file, position)
                    speed = (position.published - before) / max(time.monotonic() - began, 1e-3)
                    progress.show(read_bytes, f"{position.published:,} posts, {speed:,.0f}/s")
        except (KeyboardInterrupt, asyncio.CancelledError):
            progress.say(f"stopped after {position.published:,} posts{_goes_on(is_piped)}")
            raise
        finally:
            progress.clear()
        print(_sentence(file, position, before, rejects_path))
        return NOT_ALL if position.refused else DONE

    async def _publish(self, posts: Sequence[Post], progress: Progress) -> None:
        # A block may be larger than what may wait at all.
        for start in range(0, len(posts), self._max_lag):
            some = posts[start : start + self._max_lag]
            await self._wait_for_room(len(some), progress)
            await self._publisher.publish(some)

    async def _wait_for_room(self, count: int, progress: Progress) -> None:
        told = False
        while not await self._publisher.has_room(count):
            if not told:
                progress.say(f"waiting: {self._max_lag:,} posts (MAX_STREAM_LAG) are before the workers; Ctrl-C stops")
                told = True
            await asyncio.sleep(ROOM_POLL_S)


def _count(position: Position, block: Block, kept_out: Counter[Reason], rejects_bytes: int) -> None:
    reasons = Counter(refusal.reason for refusal in block.refusals)
    position.blocks += 1
    position.published += len(block.records) - kept_out.total()
    position.kept_out = dict(Counter(position.kept_out) + Counter[str](kept_out))
    position.refused = dict(Counter(position.refused) + reasons)
    position.rejects_bytes = rejects_bytes
    position.is_done = block.is_last


def _goes_on(is_piped: bool) -> str:
    return "; pipe it again: what is there already is stored once" if is_piped else "; the same command goes on there"


def _sentence(file: Input, position: Position, before: int, rejects: Path) -> str:
    parts = [f"{file.name}: {position.published:,} posts are published"]
    if before:
        parts.append(f"{before:,} of them had been before")
    if position.kept_out:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in Counter(position.kept_out).most_common())
        parts.append(f"{sum(position.kept_out.values()):,} were kept out by rules ({reasons})")
    if position.refused:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in Counter(position.refused).most_common())
        parts.append(f"{sum(position.refused.values()):,} records were refused, see {rejects} ({reasons})")
    return "; ".join(parts)
