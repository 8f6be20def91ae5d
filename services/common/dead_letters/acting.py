"""What a person decides about letters: publish them again, or throw them away. Each letter once, whoever asks twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.common.cluster import Client
from services.common.dead_letters.reading import Letter
from services.common.dead_letters.scripts import drop_script, keys, replay_script
from services.common.streams import redis_errors

# Redis does nothing else meanwhile; of letters of an ordinary size these take some milliseconds.
LETTERS_PER_CALL = 100


@dataclass(frozen=True)
class Replayed:
    """Letters that are in the stream again; those left where they are, with the reason; those that were gone."""

    replayed: int
    skipped: Sequence[tuple[Letter, str]]
    gone: int


async def replay(redis: Client, stream: str, letters: Sequence[Letter]) -> Replayed:
    """Publishes the posts of the letters and removes these, in one step: replayed twice, a post is published once.

    Transient if Redis is away or full: some may be published, and their letters are gone then.
    """
    skipped = [(letter, letter.obstacle) for letter in letters if letter.obstacle]
    whole = [letter for letter in letters if not letter.obstacle]
    replayed = 0
    for start in range(0, len(whole), LETTERS_PER_CALL):
        arguments: list[Any] = []
        for letter in whole[start : start + LETTERS_PER_CALL]:
            fields = [part for item in letter.raw_fields.items() for part in item]
            arguments += [letter.id, len(fields), *fields]
        with redis_errors():
            replayed += int(await replay_script(redis)(keys=keys(stream), args=arguments))
    return Replayed(replayed, skipped, len(whole) - replayed)


async def drop(redis: Client, stream: str, ids: Sequence[str]) -> int:
    """Removes the letters for good; how many there were. Transient if Redis is away: some may be gone."""
    dropped = 0
    for start in range(0, len(ids), LETTERS_PER_CALL):
        with redis_errors():
            dropped += int(
                await drop_script(redis)(keys=keys(stream), args=list(ids[start : start + LETTERS_PER_CALL]))
            )
    return dropped
