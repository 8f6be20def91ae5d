"""The ids of posts that pass the filters, newest first, for a bounded amount of work."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from asyncpg.pool import PoolConnectionProxy

from services.api.queries.candidates import Range, candidates
from services.api.queries.statements import frequency_of_words, statement_for, trigrams_can_find
from services.api.schemas.general import PostFilters

# Posts that one request looks at where no index finds the matching ones: about 10 ms. Beyond it the page ends early
# and its cursor goes on from there, so that nothing is missed and no request takes long.
EXAMINED_POSTS = 20_000
# The first look is short, since most filters let many posts pass; the next ones follow what it has found.
FIRST_LOOK_POSTS = 500
LOOK_MARGIN = 1.5
# Statements of one request; beyond them the page ends early, too.
MAX_LOOKS = 40
# Days are taken together, ever more of them: a page is usually full after the newest, and years behind it must not mean
# hundreds of statements. More at once would take too long to plan.
GROWTH = 4
MAX_DAYS_AT_ONCE = 32
# How long the index of words is asked, day after day, before the page ends early. What a word costs there nobody can
# tell before: so many days are taken together as would be done in that time, by those before them.
PATIENCE_S = 0.025
# When the page is full, and what goes on is only counting.
COUNTING_PATIENCE_S = 0.01
# Whether words are frequent is seen in the newest posts. Where a page is full after a few of them, going through them
# is quicker than fetching and sorting every post of a day that has the words.
SAMPLE_POSTS = 2_000
FREQUENT = 0.025


@dataclass(frozen=True)
class Found:
    """`resume_before`: where the search has to go on, if it was ended by its bounds; None: there are no more."""

    ids: list[int]
    resume_before: int | None


async def find(
    held: PoolConnectionProxy, filters: PostFilters, before_id: int | None, needed: int, counted: int = 0
) -> Found:
    """`needed` ids below `before_id`, or as many as the bounds allow, and up to `counted` while it is no great effort.

    Fewer and no `resume_before`: these are all.
    """
    search = _Search(held, filters, needed, max(needed, counted))
    ranges: Sequence[Range] = await candidates(held, filters, before_id)
    while ranges and not search.has_all:
        if search.has_done_enough:
            return Found(search.ids, ranges[0].beyond)
        ranges = await search.step(ranges)
    return Found(search.ids[: search.wanted], None)


class _Search:
    """What was found so far, and what may still be done."""

    def __init__(self, held: PoolConnectionProxy, filters: PostFilters, needed: int, wanted: int) -> None:
        self.ids: list[int] = []
        self.wanted = wanted
        self._needed = needed
        self._held = held
        self._filters = filters
        self._begun = monotonic()
        self._posts_left = EXAMINED_POSTS
        self._looks_left = MAX_LOOKS
        self._look = FIRST_LOOK_POSTS
        self._days = 1
        self._few_have_words: bool | None = None

    @property
    def has_all(self) -> bool:
        return len(self.ids) >= self.wanted

    @property
    def has_done_enough(self) -> bool:
        out_of_patience = self._few_have_words is True and self._patience_s() <= 0
        return out_of_patience or self._posts_left <= 0 or self._looks_left <= 0

    def _patience_s(self) -> float:
        """What is left of it."""
        allowed_s = PATIENCE_S if len(self.ids) < self._needed else COUNTING_PATIENCE_S
        return self._begun + allowed_s - monotonic()

    async def step(self, ranges: Sequence[Range]) -> Sequence[Range]:
        """Looks into the newest of the ranges, or several; what remains of them."""
        self._looks_left -= 1
        by_words = await self._is_for_index_of_words(ranges[0])
        if statement_for(self._filters, ranges[0], by_words=by_words).is_exact:
            return await self._ask_index(ranges, by_words)
        return await self._look_at_posts(ranges)

    async def _ask_index(self, ranges: Sequence[Range], by_words: bool) -> Sequence[Range]:
        span, days = _together(ranges, self._days)
        begun = monotonic()
        statement = statement_for(self._filters, span, by_words=by_words)
        self.ids += await self._held.fetchval(statement.all_match(), *statement.arguments, self.wanted - len(self.ids))
        self._days = min(GROWTH * self._days, MAX_DAYS_AT_ONCE)
        if by_words:
            in_time = self._patience_s() * days / (monotonic() - begun)
            self._days = max(1, min(self._days, int(in_time)))
        return ranges[days:]

    async def _look_at_posts(self, ranges: Sequence[Range]) -> Sequence[Range]:
        span, days = _together(ranges, self._days)
        posts = min(self._look, self._posts_left)
        statement = statement_for(self._filters, span, by_words=False)
        row = await self._held.fetchrow(statement.some_match(), *statement.arguments, posts)
        assert row is not None  # an aggregate without GROUP BY is always one row
        self.ids += row["ids"]
        self._posts_left -= row["examined"]
        if row["examined"] < posts:
            self._look = FIRST_LOOK_POSTS
            self._days = min(GROWTH * self._days, MAX_DAYS_AT_ONCE)
            return ranges[days:]
        missing_per_match = (self.wanted - len(self.ids)) / (len(row["ids"]) + 1)
        self._look = max(FIRST_LOOK_POSTS, int(LOOK_MARGIN * posts * missing_per_match))
        return [Range(span.first, row["last"], span.indexed), *ranges[days:]]

    async def _is_for_index_of_words(self, span: Range) -> bool:
        if not (self._filters.search and span.indexed and trigrams_can_find(self._filters.search)):
            return False
        if self._few_have_words is None:
            statement = frequency_of_words(self._filters, span)
            row = await self._held.fetchrow(statement.some_match(), *statement.arguments, SAMPLE_POSTS)
            assert row is not None
            self._few_have_words = len(row["ids"]) < FREQUENT * SAMPLE_POSTS
        return self._few_have_words


def _together(ranges: Sequence[Range], at_most: int) -> tuple[Range, int]:
    """The first of the ranges and those that continue it, as one, and how many they are."""
    span, taken = ranges[0], 1
    for each in ranges[1:at_most]:
        if each.beyond != span.first or each.indexed != span.indexed:
            break
        span, taken = Range(each.first, span.beyond, span.indexed), taken + 1
    return span, taken
