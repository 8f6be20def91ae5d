"""The REST answers. Field names are those of the contract; times are UTC, shares are percentages (0 to 100)."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from services.api.web.problems import Problem

SentimentLabel = Literal["negative", "neutral", "positive"]
ConnectionState = Literal["connected", "disconnected"]
Period = Literal["minute", "ten_minute", "hour", "day"]
Percentage = Annotated[float, Field(ge=0, le=100)]


# The name that routes know it by.
ErrorBody = Problem


class Services(BaseModel):
    """`connected`: a real query, a real ping with a live subscription, a real inference succeeded recently."""

    database: ConnectionState
    redis: ConnectionState
    triton: ConnectionState


class Stats(BaseModel):
    """Exact counts, a few seconds old at most; null while the database does not answer."""

    total_posts: int | None
    total_analyses: int | None
    recent_posts_1h: int | None = Field(description="Posts ingested in the last hour")


class Health(BaseModel):
    """`degraded`: what is stored can be read, but something is not fresh. `unhealthy`: the database is away."""

    status: Literal["healthy", "degraded", "unhealthy"]
    timestamp: datetime
    services: Services
    stats: Stats
    problems: list[str] = Field(description="A sentence for each thing that is wrong", examples=[[]])


class PostSentiment(BaseModel):
    """The current analysis of a post."""

    label: str = Field(examples=["positive"])
    confidence: float = Field(ge=0, le=1)
    emotion: str | None = Field(examples=["joy"])
    emotion_confidence: float | None = Field(
        default=None, ge=0, le=1, examples=[0.83], description="null where there is no emotion"
    )
    model_name: str = Field(examples=["distilbert-base-uncased-finetuned-sst-2-english"])
    model_version: int = Field(ge=0, examples=[1], description="0: analysed before versions were recorded")


class Post(BaseModel):
    post_id: str
    source: str = Field(examples=["reddit"])
    content: str
    author: str
    created_at: datetime = Field(description="When it was written")
    ingested_at: datetime = Field(description="When it was stored here: the order of the list")
    sentiment: PostSentiment | None = Field(description="null until the post is analysed")


class DeletedPost(BaseModel):
    """It is nowhere any more, and stays so when it is sent again."""

    post_id: str
    was_stored: bool = Field(description="false: it was deleted before, is still on its way, or never came")


class PostFilters(BaseModel):
    """The filters as they were understood; null: not filtered."""

    source: str | None
    sentiment: SentimentLabel | None
    emotion: str | None
    search: str | None
    start_date: datetime | None
    end_date: datetime | None
    min_confidence: float | None
    max_confidence: float | None


class PostPage(BaseModel):
    """Where no index finds what the filters ask for, a request looks at a bounded number of posts: its page may then be
    short, even empty. Only a `next_cursor` of null means that there are no more.
    """

    posts: list[Post]
    total: int = Field(description="Posts that match the filters, whatever the page; a few seconds old at most")
    total_is_exact: bool = Field(
        description="false: at least so many. With `search`, dates or confidences, matches are counted up to 1,000"
    )
    limit: int
    offset: int
    filters: PostFilters
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last one")


class Bucket(BaseModel):
    timestamp: datetime = Field(description="Where the bucket starts")
    positive_count: int
    negative_count: int
    neutral_count: int
    total_count: int
    positive_percentage: Percentage
    negative_percentage: Percentage
    neutral_percentage: Percentage
    average_confidence: float = Field(ge=0, le=1, description="0 where there are no posts")


class Summary(BaseModel):
    total_posts: int
    positive_total: int
    negative_total: int
    neutral_total: int


class Aggregate(BaseModel):
    """One entry for every bucket, empty ones included. `start_date` is rounded down to the start of its bucket."""

    period: Period
    start_date: datetime
    end_date: datetime
    data: list[Bucket]
    summary: Summary


class Counts(BaseModel):
    positive: int
    negative: int
    neutral: int


class Percentages(BaseModel):
    positive: Percentage
    negative: Percentage
    neutral: Percentage


class Distribution(BaseModel):
    timeframe_hours: int
    source: str | None
    distribution: Counts
    total: int
    percentages: Percentages
    top_emotions: dict[str, int] = Field(
        description="Emotion to number of posts, most frequent first", examples=[{"joy": 41, "anger": 17}]
    )
    cached: bool = Field(description="Whether an earlier request had computed it")
    cached_at: datetime
