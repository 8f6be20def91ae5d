"""The answer about words."""

from typing import Literal

from pydantic import BaseModel, Field

from services.api.schemas.general import Counts, Percentage, SentimentLabel


class Sample(BaseModel):
    """How many posts were looked at: all of them, or an even sample of the window."""

    current: int = Field(examples=[1_874])
    previous: int = Field(examples=[1_790])
    share: float = Field(ge=0, le=1, examples=[0.25], description="Of the posts of the current window; 1: all of them")
    previous_share: float = Field(ge=0, le=1, description="Of the posts of the window before")


class RisingWord(BaseModel):
    word: str = Field(examples=["election"], description="Folded to lower case; a hashtag with its #")
    kind: Literal["word", "hashtag"]
    posts: int = Field(description="Posts of the sample that have it; of one author's posts one counts")
    share_percent: Percentage = Field(description="Of the sample of the current window")
    previous_share_percent: Percentage
    score: float = Field(examples=[6.3], description="How surely it is more frequent than before: a z-score, 2 or more")
    is_new: bool = Field(description="No post of the sample before had it")
    sentiment: Counts = Field(description="These `posts` by sentiment")


class RisingWords(BaseModel):
    """Words that are more frequent in the last `minutes` than in as many before them, the surest first."""

    minutes: int = Field(examples=[60])
    source: str | None
    sentiment: SentimentLabel | None
    sampled: Sample
    words: list[RisingWord]
