"""The answers about counts: two windows, emotions over time, sources. Shares are percentages (0 to 100)."""

from datetime import datetime

from pydantic import BaseModel, Field

from services.api.schemas.general import Counts, Percentage, Period


class WindowCounts(Counts):
    """Posts ingested from `since` to before `until`."""

    total: int
    since: datetime
    until: datetime


class Change(BaseModel):
    """From the window before to the current one; null where there is nothing to compare with."""

    total_percent: float | None = Field(examples=[12.5], description="Growth of the total; null: from no posts at all")
    positive_points: float | None = Field(
        examples=[-1.2], description="Percentage points of the share; null: one of the windows has no posts"
    )
    neutral_points: float | None
    negative_points: float | None


class Totals(BaseModel):
    """The last `minutes` and as many before them."""

    minutes: int = Field(examples=[60])
    source: str | None
    current: WindowCounts
    previous: WindowCounts
    change: Change


class EmotionBucket(BaseModel):
    timestamp: datetime = Field(description="Where the bucket starts")
    counts: list[int] = Field(description="Posts of each emotion, in the order of `emotions`", examples=[[12, 3, 1]])
    total: int = Field(description="All posts of the bucket; those without an emotion are only here")


class EmotionAggregate(BaseModel):
    """One entry for every bucket, empty ones included. `start_date` is rounded down to the start of its bucket."""

    period: Period
    start_date: datetime
    end_date: datetime
    emotions: list[str] = Field(
        description="Most frequent first, ten at most; where there are more, `other` is the last",
        examples=[["joy", "anger", "other"]],
    )
    data: list[EmotionBucket]


class SourceCounts(Counts):
    source: str = Field(examples=["reddit"])
    total: int
    share: Percentage = Field(description="Of all posts of the window")


class OtherSources(Counts):
    """The sources beyond the list, in sum."""

    sources: int = Field(ge=1, description="How many they are")
    total: int
    share: Percentage


class SourceList(BaseModel):
    """Where the posts of the last `minutes` come from, most posts first."""

    minutes: int = Field(examples=[60])
    total: int
    sources: list[SourceCounts] = Field(description="Fifty at most")
    others: OtherSources | None = Field(description="null: the list has them all")
