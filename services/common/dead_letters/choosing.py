"""The letters that something is to be done with, in portions that a caller can hold."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from services.common.dead_letters.filters import FIRST_ID, Filter
from services.common.dead_letters.reading import STEP, Letter
from services.common.dead_letters.sharded import DeadLetters


@dataclass(frozen=True)
class Portion:
    """Up to STEP letters. `read`: how many were looked at for them. `next_id`: where the next begins; None: no more."""

    letters: Sequence[Letter]
    read: int
    next_id: str | None = None


async def by_id(dead: DeadLetters, ids: Sequence[str]) -> AsyncIterator[Portion]:
    """Those of the ids that are there. Transient if Redis is away, as of both."""
    different = list(dict.fromkeys(ids))
    for start in range(0, len(different), STEP):
        found = await dead.find(different[start : start + STEP])
        yield Portion([letter for letter in found if letter is not None], len(found))


async def by_filter(
    dead: DeadLetters, wanted: Filter, *, until_id: str, after_id: str = FIRST_ID, limit: int | None = None
) -> AsyncIterator[Portion]:
    """The oldest `limit` that the filter takes. `until_id` ends it: a post that is refused each time would come again
    and again.
    """
    place: str | None = after_id
    left = limit
    while place is not None and left != 0:
        at_once = STEP if left is None else min(STEP, left)
        page = await dead.oldest(wanted, after_id=place, until_id=until_id, limit=at_once)
        yield Portion(page.letters, page.read, page.next_id)
        place = page.next_id
        left = None if left is None else left - len(page.letters)
