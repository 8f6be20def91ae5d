"""The ids of posts that pass the filters, newest first, for a bounded amount of work."""

from dataclasses import dataclass

from asyncpg.pool import PoolConnectionProxy

from services.api.queries.candidates import Range, candidates
from services.api.queries.statements import statement_for
from services.api.schemas import PostFilters

# Posts that one request looks at where no index finds the matching ones: about 15 ms. Beyond it the page ends early
# and its cursor goes on from there, so that nothing is missed and no request takes long.
EXAMINED_POSTS = 20_000
# The first look is short, since most filters let many posts pass; the next ones follow what it has found.
FIRST_LOOK_POSTS = 500
LOOK_MARGIN = 1.5
# Statements of one request; beyond them the page ends early, too.
MAX_LOOKS = 40


@dataclass(frozen=True)
class Found:
    """`resume_before`: where the search has to go on, if it was ended by its bounds; None: there are no more."""

    ids: list[int]
    resume_before: int | None


async def find(held: PoolConnectionProxy, filters: PostFilters, before_id: int | None, wanted: int) -> Found:
    """Up to `wanted` ids below `before_id`. Fewer and no `resume_before`: these are all."""
    ids: list[int] = []
    budget, looks = EXAMINED_POSTS, 0
    for span in await candidates(held, filters, before_id):
        beyond: int | None = span.beyond
        look = FIRST_LOOK_POSTS
        while beyond is not None:
            if budget <= 0 or looks >= MAX_LOOKS:
                return Found(ids, beyond)
            looks += 1
            statement = statement_for(filters, Range(span.first, beyond, span.indexed))
            if statement.is_exact:
                ids += await held.fetchval(statement.all_match(), *statement.arguments, wanted - len(ids))
                beyond = None
            else:
                posts = min(look, budget)
                row = await held.fetchrow(statement.some_match(), *statement.arguments, posts)
                assert row is not None  # an aggregate without GROUP BY is always one row
                ids += row["ids"]
                budget -= row["examined"]
                beyond = row["last"] if row["examined"] == posts else None
                missing_per_match = (wanted - len(ids)) / (len(row["ids"]) + 1)
                look = max(FIRST_LOOK_POSTS, int(LOOK_MARGIN * posts * missing_per_match))
            if len(ids) >= wanted:
                return Found(ids[:wanted], None)
    return Found(ids, None)
