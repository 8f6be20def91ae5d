"""What a program sends as a post, and hears of it."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from services.common.messages import MAX_AUTHOR_CHARS, MAX_CONTENT_CHARS, MAX_POST_ID_CHARS, MAX_SOURCE_CHARS

Status = Literal["accepted", "duplicate", "rejected"]
EXAMPLE: JsonDict = {
    "post_id": "blog-17",
    "source": "blog",
    "content": "What a day!",
    "author": "ada",
    "created_at": "2026-01-31T12:00:00Z",
}


class SentPost(BaseModel):
    """For the document: the route reads it itself. `platform` may stand for `source`, `text` for `content`; other
    fields are ignored.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    post_id: Annotated[str, Field(max_length=MAX_POST_ID_CHARS)] | int | None = Field(
        default=None,
        description="Of posts with one id the first is stored; without, it is derived from the other fields",
    )
    source: str = Field(min_length=1, max_length=MAX_SOURCE_CHARS)
    content: str = Field(min_length=1, max_length=MAX_CONTENT_CHARS)
    author: str | None = Field(default=None, max_length=MAX_AUTHOR_CHARS)
    created_at: datetime = Field(description="ISO 8601; UTC by default")


class ItemResult(BaseModel):
    """What became of one item."""

    model_config = ConfigDict(json_schema_mode_override="validation")

    index: int = Field(ge=0, description="Its place among the items of the request; blank lines are none", examples=[0])
    status: Status = Field(
        description="`accepted`: it is in the stream, and will be stored unless a post with its id is; `duplicate`: an "
        "item before has its id, and that one counts; `rejected`: it is no post, or a rule "
        "(RULE_…) keeps it out"
    )
    post_id: str | None = Field(default=None, examples=["blog-17"], description="Absent where it is not known")
    reason: str | None = Field(default=None, examples=["too_long"], description="Of what was rejected, for programs")
    field: str | None = Field(default=None, examples=["content"], description="The one that is wrong, if it is one")
    message: str | None = Field(default=None, examples=["content has 40,001 characters, more than 40,000"])


class Ingested(BaseModel):
    """What became of the items, and of each."""

    accepted: int = Field(ge=0, examples=[1])
    duplicates: int = Field(ge=0, examples=[0])
    rejected: int = Field(ge=0, examples=[0])
    results: list[ItemResult] = Field(description="One for each item, in their order")


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """An ItemResult: there may be ten thousand in an answer."""

    index: int
    status: Status
    post_id: str | None = None
    reason: str | None = None
    field: str | None = None
    message: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """An Ingested."""

    accepted: int
    duplicates: int
    rejected: int
    results: list[Result]
