"""The sources that ingesters read, and the switch of each."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class IngesterSource(BaseModel):
    """Numbers since its ingester was started."""

    name: str = Field(description="Behind its ingester's name and a slash, if that has one", examples=["bluesky"])
    enabled: bool = Field(description="What the switch says; its ingester looks every second")
    state: Literal["connected", "disconnected", "waiting", "off", "ended", "gone"] = Field(
        description="`waiting`: for workers that are behind. `off`: its ingester has seen the switch. `ended`: it has "
        "no more posts, or cannot go on. `gone`: its ingester has said nothing for 15 seconds"
    )
    behind_s: float | None = Field(
        description="How old its newest event was when it came; where it is not connected, how old that is now; null: "
        "there was none, or it has no such times"
    )
    last_post_at: datetime | None = Field(description="When a post of it was last published")
    posts: int = Field(description="Published")
    posts_per_s: float = Field(description="Of the last ten seconds; 0 where the ingester is gone")
    rate_limit_per_minute: float | None = Field(description="More posts than that are not taken; null: no limit")
    rejected: dict[str, int] = Field(description="Kept out, by rule", examples=[{"too_short": 3}])
    skipped: dict[str, int] = Field(description="Not wanted, by reason", examples=[{"language": 120}])
    gaps: int = Field(description="Times that something was missed for good")
    errors: int
    last_error: str | None
    updated_at: datetime = Field(description="When its ingester said all this")


class IngesterSources(BaseModel):
    """By name. A source stays in the list when its ingester is gone."""

    sources: list[IngesterSource]


class SourceSwitch(BaseModel):
    """Other fields are ignored."""

    model_config = ConfigDict(strict=True)

    enabled: bool
