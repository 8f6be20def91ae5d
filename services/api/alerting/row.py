"""An alert as it is answered, announced and sent."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

AlertState = Literal["raised", "resolved", "unacknowledged"]


class AlertScope(BaseModel):
    """Which posts the rule was about; null: any."""

    source: str | None = Field(examples=["reddit"])
    keyword: str | None = Field(examples=["update"])
    emotion: str | None = Field(description="Of an emotion_ratio, what it looks for", examples=["anger"])


class Alert(BaseModel):
    """A row of sentiment_alerts. `details` is what it was raised on: matching (of the rule of the settings: negative),
    total, ratio, window_minutes, min_posts; `details.resolved` the same of its end, or the `reason` for that.
    """

    id: int
    alert_type: str = Field(
        description="high_negative_ratio for the rule of the settings; of each other rule another one",
        examples=["high_negative_ratio"],
    )
    threshold_value: float
    actual_value: float
    window_start: datetime
    window_end: datetime
    post_count: int
    triggered_at: datetime
    resolved_at: datetime | None = Field(description="null while the alert is raised")
    details: dict[str, object]
    rule_id: int | None = Field(description="0: the rule of the settings. The rule may be gone by now")
    rule_name: str = Field(description="As it was when the alert was raised")
    scope: AlertScope
    acknowledged_at: datetime | None
    acknowledged_note: str | None


class AlertPage(BaseModel):
    alerts: list[Alert]
    total: int
    limit: int
    offset: int
