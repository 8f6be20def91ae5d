"""The ids of posts that pass the filters, newest first, for a bounded amount of work."""

from dataclasses import dataclass, field

from asyncpg.pool import PoolConnectionProxy

from services.api.queries.candidates import Range, candidates
from services.api.schemas import PostFilters

# Posts that one request looks at where no index finds the matching ones: about 15 ms. Beyond it the page ends early
# and its cursor goes on from there, so that nothing is missed and no request takes long.
EXAMINED_POSTS = 20_000
# The first look is short, since most filters let many posts pass; each next one is so much longer.
FIRST_LOOK_POSTS = 500
LOOK_GROWTH = 6
# Statements of one request; beyond them the page ends early, too.
MAX_LOOKS = 40
# An index of trigrams needs three letters or digits in a row.
MIN_INDEXED_CHARS = 3


@dataclass(frozen=True)
class Found:
    """`resume_before`: where the search has to go on, if it was ended by its bounds; None: there are no more."""

    ids: list[int]
    resume_before: int | None


async def find(held: PoolConnectionProxy, filters: PostFilters, before_id: int | None, wanted: int) -> Found:
    """Up to `wanted` ids below `before_id`. Fewer and no `resume_before`: these are all."""
    ids: list[int] = []
    budget, looks, look = EXAMINED_POSTS, 0, FIRST_LOOK_POSTS
    for span in await candidates(held, filters, before_id):
        beyond: int | None = span.beyond
        while beyond is not None:
            if budget <= 0 or looks >= MAX_LOOKS:
                return Found(ids, beyond)
            looks += 1
            here = Range(span.first, beyond, span.indexed)
            statement = _statement(filters, here)
            if statement.exact:
                text, arguments = statement.limited(wanted - len(ids))
                ids += [row["id"] for row in await held.fetch(text, *arguments)]
                beyond = None
            else:
                posts = min(look, budget)
                text, arguments = statement.limited(posts)
                rows = await held.fetch(text, *arguments)
                ids += [row["id"] for row in rows if row["matches"]]
                budget -= len(rows)
                look *= LOOK_GROWTH
                beyond = rows[-1]["id"] if len(rows) == posts else None
            if len(ids) >= wanted:
                return Found(ids[:wanted], None)
    return Found(ids, None)


def trigrams_can_find(search: str) -> bool:
    """Whether the index of words helps; what is shorter, or made of signs, is looked for in the posts themselves."""
    run = 0
    for char in search:
        run = run + 1 if char.isalnum() else 0
        if run >= MIN_INDEXED_CHARS:
            return True
    return False


def contains_pattern(search: str) -> str:
    r"""The LIKE pattern that finds `search` literally: its %, _ and \ stand for themselves."""
    escaped = search.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"


@dataclass
class _Statement:
    """`exact`: every row matches, an index finds them. Otherwise each row says whether it does (`matches`)."""

    exact: bool
    table: str
    key: str
    found_by: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    arguments: list[object] = field(default_factory=list)

    def bind(self, argument: object) -> str:
        self.arguments.append(argument)
        return f"${len(self.arguments)}"

    def limited(self, rows: int) -> tuple[str, list[object]]:
        """The text and its arguments, for so many rows."""
        found_by = " AND ".join(self.found_by)
        checked = " AND ".join(self.checked) or "true"
        order = f"ORDER BY {self.key} DESC LIMIT ${len(self.arguments) + 1}"
        if self.exact:
            text = f"SELECT {self.key} AS id FROM {self.table} WHERE {found_by} AND {checked} {order}"
        else:
            text = f"SELECT {self.key} AS id, {checked} AS matches FROM {self.table} WHERE {found_by} {order}"
        return text, [*self.arguments, rows]


def _statement(filters: PostFilters, span: Range) -> _Statement:
    """The index that serves the filters best, and what is checked of each post that it gives.

    Words first: few posts have them. Then emotions, of which there are more than sources; sentiments are so few that
    an index would not pay for its keep.
    """
    by_words = bool(filters.search and span.indexed and trigrams_can_find(filters.search))
    if not by_words and (filters.emotion or filters.sentiment):
        return _of_analyses(filters, span)
    only_source = not (filters.search or filters.start_date or filters.end_date)
    made = _Statement(by_words or only_source, "social_media_posts AS p", "p.id")
    first, beyond = made.bind(span.first), made.bind(span.beyond)
    made.found_by += [f"p.id >= {first}", f"p.id < {beyond}"]
    if filters.source:
        made.found_by.append(f"p.source = {made.bind(filters.source)}")
    made.checked += _of_post(filters, made)
    if by_words and (filters.emotion or filters.sentiment):
        conditions = _of_analysis(filters, made, first, beyond)
        made.checked.append(
            f"EXISTS (SELECT FROM sentiment_analysis a WHERE a.post_row_id = p.id AND a.post_row_id >= {first}"
            f" AND a.post_row_id < {beyond} AND {' AND '.join(conditions)})"
        )
    return made


def _of_analyses(filters: PostFilters, span: Range) -> _Statement:
    made = _Statement(False, "sentiment_analysis AS a", "a.post_row_id")
    first, beyond = made.bind(span.first), made.bind(span.beyond)
    made.found_by += [f"a.post_row_id >= {first}", f"a.post_row_id < {beyond}"]
    conditions = _of_analysis(filters, made, first, beyond)
    if filters.emotion:
        made.found_by.append(conditions.pop(0))
    made.checked += conditions
    post = _of_post(filters, made)
    if filters.source:
        post.append(f"p.source = {made.bind(filters.source)}")
    if post:
        made.checked.append(
            f"EXISTS (SELECT FROM social_media_posts p WHERE p.id = a.post_row_id AND p.id >= {first}"
            f" AND p.id < {beyond} AND {' AND '.join(post)})"
        )
    return made


def _of_post(filters: PostFilters, made: _Statement) -> list[str]:
    conditions = []
    if filters.search:
        conditions.append(f"p.content ILIKE {made.bind(contains_pattern(filters.search))}")
    if filters.start_date:
        conditions.append(f"p.created_at >= {made.bind(filters.start_date)}")
    if filters.end_date:
        conditions.append(f"p.created_at < {made.bind(filters.end_date)}")
    return conditions


def _of_analysis(filters: PostFilters, made: _Statement, first: str, beyond: str) -> list[str]:
    conditions = []
    if filters.emotion:
        conditions.append(f"lower(a.emotion) = lower({made.bind(filters.emotion)})")
    if filters.sentiment:
        conditions.append(f"a.sentiment_label = {made.bind(filters.sentiment)}")
    newer = f"newer.post_row_id = a.post_row_id AND newer.post_row_id >= {first} AND newer.post_row_id < {beyond}"
    return [*conditions, f"NOT EXISTS (SELECT FROM sentiment_analysis newer WHERE {newer} AND newer.id > a.id)"]
