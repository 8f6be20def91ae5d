"""Posts by filter, newest first."""

from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from services.api.queries.connection import CURRENT_ANALYSES, connection
from services.api.schemas import Post, PostFilters, PostSentiment

# Confidences are stored in single precision: its digits end here.
CONFIDENCE_DIGITS = 6

_PAGE = """
    SELECT p.id, p.post_id, p.source, p.content, p.author, p.created_at,
           a.sentiment_label, a.confidence_score, a.emotion, a.model_name, a.model_version
      FROM social_media_posts p
      LEFT JOIN LATERAL (SELECT sentiment_label, confidence_score, emotion, model_name, model_version
                           FROM sentiment_analysis
                          WHERE post_id = p.post_id ORDER BY id DESC LIMIT 1) a ON true
"""


@dataclass
class _Where:
    """Conditions and their arguments, numbered as they are added."""

    conditions: list[str] = field(default_factory=list)
    arguments: list[object] = field(default_factory=list)

    def add(self, condition: str, argument: object) -> None:
        if argument is not None:
            self.conditions.append(condition.format(self.bind(argument)))

    def bind(self, argument: object) -> str:
        self.arguments.append(argument)
        return f"${len(self.arguments)}"

    def sql(self) -> str:
        return f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""


def _where(filters: PostFilters) -> _Where:
    where = _Where()
    where.add("p.source = {}", filters.source)
    where.add("a.sentiment_label = {}", filters.sentiment)
    where.add("lower(a.emotion) = lower({})", filters.emotion)
    where.add("p.content ILIKE {}", contains_pattern(filters.search) if filters.search else None)
    where.add("p.created_at >= {}", filters.start_date)
    where.add("p.created_at < {}", filters.end_date)
    return where


def contains_pattern(search: str) -> str:
    r"""The LIKE pattern that finds `search` literally: its %, _ and \ stand for themselves."""
    escaped = search.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"


async def read_posts(
    pool: asyncpg.Pool, filters: PostFilters, *, before_id: int | None, limit: int, offset: int
) -> tuple[list[Post], int | None]:
    """A page, newest first, and the id of its last post if more follow."""
    where = _where(filters)
    where.add("p.id < {}", before_id)
    # One row more than asked for tells whether there is a next page.
    paging = f" ORDER BY p.id DESC LIMIT {where.bind(limit + 1)} OFFSET {where.bind(offset)}"
    async with connection(pool) as held:
        rows = await held.fetch(_PAGE + where.sql() + paging, *where.arguments)
    last_id: int | None = rows[limit - 1]["id"] if len(rows) > limit else None
    return [_post(row) for row in rows[:limit]], last_id


async def count_posts(pool: asyncpg.Pool, filters: PostFilters) -> int:
    """Posts that match the filters; joins the analyses only where a filter asks for them."""
    tables = CURRENT_ANALYSES if filters.sentiment or filters.emotion else "social_media_posts p"
    where = _where(filters)
    async with connection(pool) as held:
        return int(await held.fetchval(f"SELECT count(*) FROM {tables}{where.sql()}", *where.arguments))


def _post(row: asyncpg.Record) -> Post:
    created_at: datetime = row["created_at"]
    sentiment = row["sentiment_label"] and PostSentiment(
        label=row["sentiment_label"],
        confidence=round(row["confidence_score"], CONFIDENCE_DIGITS),
        emotion=row["emotion"],
        model_name=row["model_name"],
        model_version=row["model_version"],
    )
    return Post(
        post_id=row["post_id"],
        source=row["source"],
        content=row["content"],
        author=row["author"],
        created_at=created_at,
        sentiment=sentiment,
    )
