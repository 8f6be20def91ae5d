"""Letters of posts that were deleted, or all of whose author's were: nobody replays or reads them any more."""

from collections.abc import Sequence
from time import monotonic

import asyncpg

from services.api.queries.connection import connection
from services.common.dead_letters import DeadLetters
from services.common.dead_letters.choosing import by_filter
from services.common.dead_letters.filters import FIRST_ID, Filter
from services.common.dead_letters.reading import Letter
from services.common.deletions import Written, of_deleted_authors
from services.common.errors import MalformedPost
from services.common.logging import get_logger
from services.common.messages import decode_post

log = get_logger(__name__)

# A hundred thousand letters take seconds, and where posts are deleted all the time there is always something new.
REST_FACTOR = 20.0


class DeletedLetters:
    """Looks through all letters whenever there is a new one, or a new deletion.

    A post may be deleted first and refused afterwards, so both ways have to be found; letters have no index by post.
    """

    def __init__(self, pool: asyncpg.Pool, dead: DeadLetters) -> None:
        self._pool = pool
        self._dead = dead
        self._seen: object = None
        self._resting_until = float("-inf")
        # Where a round goes on that was ended by its time limit.
        self._after_id = FIRST_ID

    async def run_once(self) -> int:
        """How many letters it dropped. Transient if the database or Redis is away; safe to repeat."""
        if monotonic() < self._resting_until:
            return 0
        async with connection(self._pool) as held:
            newest_deletion = await held.fetchval(
                "SELECT greatest((SELECT max(deleted_at) FROM deleted_posts),"
                " (SELECT max(deleted_at) FROM deleted_authors))"
            )
        newest_id = await self._dead.newest_id()
        present = (newest_deletion, newest_id)
        if newest_deletion is None or present == self._seen:
            return 0
        began = monotonic()
        dropped = 0
        async for portion in by_filter(self._dead, Filter(), after_id=self._after_id, until_id=newest_id):
            dropped += await self._drop(portion.letters)
            self._after_id = portion.next_id or FIRST_ID
        self._seen = present
        self._resting_until = began + REST_FACTOR * (monotonic() - began)
        if dropped:
            log.info("dropped dead letters of posts that were deleted", letters=dropped)
        return dropped

    async def _drop(self, letters: Sequence[Letter]) -> int:
        ids = {letter.post_id for letter in letters if letter.post_id and "\x00" not in letter.post_id}
        async with connection(self._pool) as held:
            rows = await held.fetch("SELECT post_id FROM deleted_posts WHERE post_id = ANY ($1::text[])", list(ids))
            of_authors = await of_deleted_authors(
                held, [_written(letter) for letter in letters if letter.post_id in ids]
            )
        deleted = {row["post_id"] for row in rows} | set(of_authors)
        return await self._dead.drop([letter.id for letter in letters if letter.post_id in deleted])


def _written(letter: Letter) -> Written:
    """What is no post counts as written when it was refused."""
    source, author = (text.replace("\x00", "") for text in (letter.source, letter.fields.get("author", "")))
    try:
        created_at = decode_post(letter.raw_fields).created_at
    except MalformedPost:
        created_at = letter.buried_at
    return Written(letter.post_id, source, author, created_at)
