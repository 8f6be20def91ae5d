"""Burying: once, and in one step with the acknowledgement."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from prometheus_client import Counter

from services.common.cluster import Client
from services.common.dead_letters.letter import DeadLetter, digest, record
from services.common.dead_letters.scripts import bury_script, keys
from services.common.logging import get_logger
from services.common.streams import redis_errors

log: structlog.typing.FilteringBoundLogger = get_logger(__name__)

# Dead letters beyond this many lose the oldest: by then a person has been asked for help 100,000 times.
MAX_DEAD_LETTERS = 100_000
# Redis does nothing else while it buries: 50 letters are 10 MB at most, some milliseconds.
LETTERS_PER_CALL = 50

REMOVED = Counter("undertone_dead_letters_removed_total", "The oldest dead letters, lost because there were too many")


@dataclass(frozen=True)
class Burial:
    """Letters that were `added`; those already `known`; those whose entries were `not_pending` any more (somebody has
    buried them, or the group is lost and will give them again); the oldest that were `removed` to make room.
    """

    added: int = 0
    known: int = 0
    not_pending: int = 0
    removed: int = 0


async def bury(
    redis: Client, stream: str, letters: Sequence[DeadLetter], group: str, *, limit: int = MAX_DEAD_LETTERS
) -> Burial:
    """Adds the letters to `<stream>:dead` and acknowledges their entries. The second time it changes nothing.

    Transient if Redis is away or full: some of the letters are buried then, and may be given again.
    """
    burial = Burial()
    for start in range(0, len(letters), LETTERS_PER_CALL):
        some = await _bury(redis, stream, letters[start : start + LETTERS_PER_CALL], group, limit)
        burial = Burial(
            burial.added + some.added,
            burial.known + some.known,
            burial.not_pending + some.not_pending,
            burial.removed + some.removed,
        )
    return burial


async def _bury(redis: Client, stream: str, letters: Sequence[DeadLetter], group: str, limit: int) -> Burial:
    arguments: list[Any] = [group, limit]
    for letter in letters:
        fields = [part for item in record(letter).items() for part in item]
        arguments += [letter.stream_id, digest(letter), letter.reason, len(fields), *fields]
    with redis_errors():
        burial = Burial(*await bury_script(redis)(keys=keys(stream), args=arguments))
    if burial.removed:
        REMOVED.inc(burial.removed)
        log.error("too many dead letters; the oldest are gone", removed=burial.removed, limit=limit)
    return burial
