"""What `/api/posts/journey` answers. Times are UTC; null is what is not known."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from services.api.schemas.general import Post

StepName = Literal[
    "written", "queued", "read", "tokenized", "inferred_sentiment", "inferred_emotion", "stored", "pushed"
]
Milliseconds = Annotated[float, Field(ge=0)]


class JourneyStep(BaseModel):
    """`at` is when it was done, `took_ms` what it took by itself: what is missing up to the step before was waiting.

    `queue_ms` and `compute_ms` are means of single requests, as Triton reports them for those that it answered while
    this batch was there, or another one up to half a second before: a batch may be several requests.
    """

    name: StepName
    at: datetime | None
    took_ms: Milliseconds | None = None
    detail: str | None = Field(default=None, examples=["undertone-starter-sentiment, version 1, in 2 requests"])
    queue_ms: Milliseconds | None = None
    compute_ms: Milliseconds | None = None


class JourneyBatch(BaseModel):
    """Those that it was analysed with."""

    posts: int = Field(ge=1, description="Tokenized and inferred together, itself included")
    worker: str = Field(examples=["worker-a1b2c3-4711-9f8e7d"])


class Journey(BaseModel):
    """The steps are always these, in this order. Both models work at the same time."""

    post: Post
    steps: list[JourneyStep]
    batch: JourneyBatch | None = Field(description="null: stored before journeys were recorded, or too long ago")
    total_ms: Milliseconds | None = Field(description="From queued to pushed")
