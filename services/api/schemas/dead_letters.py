"""Dead letters in requests and answers."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from services.api.dependencies import Moment
from services.common.dead_letters.filters import FIRST_ID, Filter, place

MAX_LETTERS_PER_CALL = 1_000
# Two numbers of 20 digits, and that of a shard.
MAX_ID_CHARS = 44


def _letter_id(text: str) -> str:
    place(text)
    return text


def _cursor(text: str) -> str:
    after, _, until = text.partition("~")
    try:
        place(after), place(until)
    except ValueError:
        raise ValueError("is not one of ours; take next_cursor from the answer before") from None
    return text


LetterId = Annotated[str, Field(max_length=MAX_ID_CHARS, examples=["1767225600000-0"]), AfterValidator(_letter_id)]
Word = Annotated[str, Field(min_length=1, max_length=255)]


class LetterChoice(BaseModel):
    """Which letters: `ids`, or filters, or `all`. Filters take the letters that fit all of them, oldest first."""

    model_config = ConfigDict(extra="forbid", strict=True)

    ids: Annotated[list[LetterId], Field(min_length=1, max_length=MAX_LETTERS_PER_CALL)] | None = None
    reason: Word | None = Field(None, examples=["rejected_by_model"])
    source: Word | None = Field(None, examples=["reddit"])
    post_id: Word | None = None
    since: Annotated[Moment, Field(strict=False)] | None = Field(None, description="Buried at or after this time")
    before: Annotated[Moment, Field(strict=False)] | None = Field(None, description="Buried before this time")
    all: bool = Field(False, description="true: every letter")
    limit: int = Field(MAX_LETTERS_PER_CALL, ge=1, le=MAX_LETTERS_PER_CALL, description="Letters at most; not for ids")
    cursor: Annotated[str, Field(max_length=100), AfterValidator(_cursor)] | None = Field(
        None, description="`next_cursor` of the answer before: goes on from there, with letters of that time only"
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if sum((self.ids is not None, not self.filter.is_empty, self.all)) != 1:
            raise ValueError("say which letters: ids, or filters as reason, or all: true")
        if self.ids is not None and self.cursor is not None:
            raise ValueError("cursor goes with filters or all, not with ids")
        return self

    @property
    def filter(self) -> Filter:
        return Filter(self.reason, self.source, self.post_id, self.since, self.before)

    def bounds(self, newest_id: str) -> tuple[str, str]:
        """(after, until): where to begin, exclusively, and where to end."""
        if self.cursor is None:
            return FIRST_ID, newest_id
        after, _, until = self.cursor.partition("~")
        return after, until


class LetterSummary(BaseModel):
    id: str = Field(examples=["1767225600000-0"])
    buried_at: datetime
    reason: str = Field(examples=["too_long"])
    error: str = Field(examples=["content has 41,000 characters, more than 40,000"])
    deliveries: int = Field(description="How often a worker was given it")
    post_id: str
    source: str
    content: str = Field(description="Its beginning, up to 500 characters; of a file's line that is no post, the line")
    obstacle: str | None = Field(description="Why it cannot be replayed; null: it can")


class LetterPage(BaseModel):
    """A filter looks at a bounded number of letters: a page may then be short, even empty, and still have a next."""

    letters: list[LetterSummary]
    total: int = Field(description="All dead letters, whatever the filters")
    by_reason: dict[str, int] = Field(
        description="How many of each reason, most frequent first; of all letters", examples=[{"too_long": 2}]
    )
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last one")


class WholeLetter(LetterSummary):
    content: str
    stream_id: str = Field(description="The entry that was refused; empty: it was never in the stream")
    cut: str | None = Field(description="What of it was too long to be kept whole; null: nothing")
    fields: dict[str, str] = Field(description="What was refused; bytes that are no UTF-8 stand as \\xff")


class SkippedLetter(BaseModel):
    id: str
    obstacle: str


class Replayed(BaseModel):
    replayed: int = Field(description="Posts that were published again; their letters are gone")
    skipped: list[SkippedLetter] = Field(description="Letters that cannot be published; they stay")
    gone: int = Field(description="Letters that were not there (any more)")
    next_cursor: str | None = Field(description="More remain: the same request with this `cursor`; null: that was all")


class Dropped(BaseModel):
    dropped: int
    gone: int = Field(description="Letters that were not there (any more)")
    next_cursor: str | None = Field(description="More remain: the same request with this `cursor`; null: that was all")
