"""The statement that finds posts in a range of ids: the index that serves the filters, and what else is checked."""

from dataclasses import dataclass, field

from services.api.queries.candidates import Range
from services.api.schemas.general import PostFilters

# An index of trigrams needs three letters or digits in a row.
MIN_INDEXED_CHARS = 3
# Confidences are stored in single precision: its digits end here.
CONFIDENCE_DIGITS = 6
SHOWN_AS_SAME = 0.5 * 10**-CONFIDENCE_DIGITS


@dataclass
class Statement:
    """Rows of `table`, newest first. `found_by`: what an index finds; `checked`: what each row is asked then."""

    table: str
    key: str
    span: Range
    by_words: bool = False
    found_by: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    arguments: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.arguments += [self.span.first, self.span.beyond]
        self.found_by.append(self.in_range(self.key))

    @property
    def is_exact(self) -> bool:
        """Whether an index gives few rows but those that match."""
        return self.by_words or not self.checked

    def bind(self, argument: object) -> str:
        self.arguments.append(argument)
        return f"${len(self.arguments)}"

    def in_range(self, key: str) -> str:
        return f"{key} >= $1 AND {key} < $2"

    def has(self, table: str, key: str, own_key: str, conditions: list[str]) -> str:
        """A condition on the row of another table. Not EXISTS: that may be answered by reading the whole table."""
        where = " AND ".join([f"{key} = {own_key}", self.in_range(key), *conditions])
        return f"coalesce((SELECT true FROM {table} WHERE {where} LIMIT 1), false)"  # nosec B608 # constants with $n

    def all_match(self) -> str:
        """The ids of the last argument's number of posts, as an array."""
        order = f"ORDER BY id DESC LIMIT ${len(self.arguments) + 1}"
        found = f"SELECT {self.key} AS id FROM {self.table} WHERE {' AND '.join(self.found_by)}"  # nosec B608 # constants with $n
        if not self.by_words:
            return f"SELECT coalesce(array_agg(id), '{{}}') FROM ({found} {order}) AS found"  # nosec B608 # constants with $n
        # Apart, so that the planner does not see the limit: it guesses how many posts have a word, mostly wrongly, and
        # would go through all of them in the hope of an early end.
        return f"""
            WITH found AS MATERIALIZED ({found})
            SELECT coalesce(array_agg(id), '{{}}')
              FROM (SELECT id FROM found WHERE {" AND ".join(self.checked) or "true"} {order}) AS matching"""  # nosec B608 # constants with $n

    def some_match(self) -> str:
        """Looks at the last argument's number of posts: ids of those that match, the last one of all, their number."""
        return f"""
            SELECT coalesce(array_agg(id ORDER BY id DESC) FILTER (WHERE matches), '{{}}') AS ids,
                   min(id) AS last, count(*) AS examined
              FROM (SELECT {self.key} AS id, {" AND ".join(self.checked)} AS matches FROM {self.table}
                     WHERE {" AND ".join(self.found_by)}
                     ORDER BY {self.key} DESC LIMIT ${len(self.arguments) + 1}) AS looked_at"""  # nosec B608 # constants with $n


def statement_for(filters: PostFilters, span: Range, *, by_words: bool) -> Statement:
    """By words where they are few; otherwise emotions come first, of which there are more than sources.

    Sentiments are so few that an index would not pay for its keep.
    """
    if _about_analyses(filters) and not by_words:
        return _of_analyses(filters, span)
    return _of_posts(filters, span, by_words)


def frequency_of_words(filters: PostFilters, span: Range) -> Statement:
    """The newest posts, each asked for the words alone."""
    made = Statement("social_media_posts AS p", "p.id", span)
    made.checked.append(_on_words(filters, made))
    return made


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


def _about_analyses(filters: PostFilters) -> bool:
    return bool(filters.emotion or filters.sentiment or has_confidences(filters))


def has_confidences(filters: PostFilters) -> bool:
    return filters.min_confidence is not None or filters.max_confidence is not None


def _of_posts(filters: PostFilters, span: Range, by_words: bool) -> Statement:
    made = Statement("social_media_posts AS p", "p.id", span, by_words)
    if filters.source:
        made.found_by.append(f"p.source = {made.bind(filters.source)}")
    (made.found_by if by_words else made.checked).extend(_on_post(filters, made))
    if _about_analyses(filters):
        conditions = ["a.is_current"]
        conditions += [_on_emotion(filters.emotion, made)] if filters.emotion else []
        conditions += _on_analysis(filters, made)
        made.checked.append(made.has("sentiment_analysis a", "a.post_row_id", "found.id", conditions))
    return made


def _of_analyses(filters: PostFilters, span: Range) -> Statement:
    made = Statement("sentiment_analysis AS a", "a.post_row_id", span)
    made.found_by.append("a.is_current")
    if filters.emotion:
        made.found_by.append(_on_emotion(filters.emotion, made))
    made.checked.extend(_on_analysis(filters, made))
    post = _on_post(filters, made)
    if filters.source:
        post.append(f"p.source = {made.bind(filters.source)}")
    if post:
        made.checked.append(made.has("social_media_posts p", "p.id", "a.post_row_id", post))
    return made


def _on_emotion(emotion: str, made: Statement) -> str:
    return f"lower(a.emotion) = lower({made.bind(emotion)})"


def _on_analysis(filters: PostFilters, made: Statement) -> list[str]:
    """But for the emotion, which has an index. Confidences are compared as they are shown, rounded."""
    conditions = []
    if filters.sentiment:
        conditions.append(f"a.sentiment_label = {made.bind(filters.sentiment)}")
    if filters.min_confidence is not None:
        conditions.append(f"a.confidence_score >= {made.bind(filters.min_confidence - SHOWN_AS_SAME)}::float8")
    if filters.max_confidence is not None:
        conditions.append(f"a.confidence_score <= {made.bind(filters.max_confidence + SHOWN_AS_SAME)}::float8")
    return conditions


def _on_words(filters: PostFilters, made: Statement) -> str:
    return f"p.content ILIKE {made.bind(contains_pattern(filters.search or ''))}"


def _on_post(filters: PostFilters, made: Statement) -> list[str]:
    conditions = []
    if filters.search:
        conditions.append(_on_words(filters, made))
    if filters.start_date:
        conditions.append(f"p.created_at >= {made.bind(filters.start_date)}")
    if filters.end_date:
        conditions.append(f"p.created_at < {made.bind(filters.end_date)}")
    return conditions
