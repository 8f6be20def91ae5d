"""Alerts, their rules and webhooks in requests and answers."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from services.api.alerting.keywords import words_of
from services.api.alerting.row import Alert
from services.api.alerting.rule import Kind, Rule
from services.api.dependencies import Text
from services.api.schemas.general import Post, SentimentLabel

MAX_RULES = 100
MAX_WINDOW_MINUTES = 1_440
MAX_VOLUME = 1e9

RuleState = Literal["raised", "calm", "unknown"]


def _not_blank(text: str | None) -> str | None:
    if text is not None and not text.strip():
        raise ValueError("must not be blank; leave it out or null")
    return text


class RuleInput(BaseModel):
    """A rule as it is written. `sentiment` belongs to sentiment_ratio, `emotion` to emotion_ratio."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[Text, Field(min_length=1, max_length=100, examples=["Anger about the update"])]
    kind: Kind
    sentiment: SentimentLabel | None = Field(None, description="Of sentiment_ratio; negative where it is left out")
    emotion: Annotated[Text, Field(min_length=1, max_length=50)] | None = Field(None, examples=["anger"])
    source: Annotated[Text, Field(min_length=1, max_length=50)] | None = Field(None, description="null: all sources")
    keyword: Annotated[Text, Field(min_length=1, max_length=100)] | None = Field(
        None, description="A word, a phrase or a #hashtag that a post must have; null: any", examples=["new update"]
    )
    threshold: Annotated[float, Field(gt=0, le=MAX_VOLUME, strict=False)] = Field(
        description="Of a ratio: above 0, below 1. Of a volume: posts in the window. The alert is raised above it"
    )
    window_minutes: int = Field(5, ge=1, le=MAX_WINDOW_MINUTES)
    min_posts: int = Field(10, ge=1, le=1_000_000_000, description="Fewer posts in the window say nothing of a ratio")
    enabled: bool = True
    webhooks: Annotated[list[Annotated[str, Field(max_length=30)]], Field(max_length=10)] = Field(
        default=[], description="Names of ALERT_WEBHOOKS that are told"
    )

    _blank = field_validator("name", "emotion", "source", "keyword")(_not_blank)

    @field_validator("keyword")
    @classmethod
    def _has_words(cls, keyword: str | None) -> str | None:
        if keyword is not None and not words_of(keyword):
            raise ValueError("has no word, number or emoji in it")
        return keyword

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind != "volume" and self.threshold >= 1:
            raise ValueError("threshold: of a ratio it is below 1, as 0.5 for half of the posts")
        if self.kind != "sentiment_ratio" and self.sentiment is not None:
            raise ValueError(f"sentiment: belongs to sentiment_ratio, not to {self.kind}")
        if self.kind != "emotion_ratio" and self.emotion is not None:
            raise ValueError(f"emotion: belongs to emotion_ratio, not to {self.kind}")
        if self.kind == "emotion_ratio" and self.emotion is None:
            raise ValueError("emotion: which one? As joy, anger, fear")
        return self

    def rule(self, rule_id: int) -> Rule:
        sentiment = self.sentiment or "negative"
        return Rule(
            threshold=self.threshold,
            window_minutes=self.window_minutes,
            min_posts=self.min_posts,
            id=rule_id,
            name=self.name.strip(),
            kind=self.kind,
            sentiment=sentiment if self.kind == "sentiment_ratio" else None,
            emotion=self.emotion,
            source=self.source,
            keyword=self.keyword.strip() if self.keyword else None,
            enabled=self.enabled,
            webhooks=tuple(dict.fromkeys(self.webhooks)),
        )


class AlertRule(BaseModel):
    """A rule, and what it said last. `state` is unknown before the first window and while that has too few posts."""

    id: int = Field(description="0: the rule of the settings")
    name: str
    kind: Kind
    sentiment: SentimentLabel | None
    emotion: str | None
    source: str | None
    keyword: str | None
    threshold: float
    window_minutes: int
    min_posts: int
    enabled: bool
    webhooks: list[str]
    built_in: bool = Field(description="Of the settings: cannot be changed here")
    state: RuleState
    last_value: float | None = Field(description="The ratio, or the posts in the window")
    last_posts: int | None = Field(description="Posts of the scope in the last window")
    evaluated_at: datetime | None


class AlertRules(BaseModel):
    rules: list[AlertRule] = Field(description="The one of the settings first")
    webhooks: list[str] = Field(description="Names of ALERT_WEBHOOKS")
    limit: int = Field(description="How many rules there may be beside that of the settings", examples=[MAX_RULES])


class PreviewPoint(BaseModel):
    timestamp: datetime = Field(description="The end of the window")
    value: float
    posts: int


class RulePreview(BaseModel):
    """What the rule would have said of the last 24 hours."""

    available: bool
    reason: str | None = Field(description="Why there is none")
    hours: int = Field(examples=[24])
    series: list[PreviewPoint] = Field(description="Of every five minutes the highest value")
    would_have_fired: int | None = Field(description="Alerts in that time; null where there is no preview")


class SeriesPoint(BaseModel):
    timestamp: datetime = Field(description="Where the bucket starts")
    matching: int
    total: int
    ratio: float


class Explanation(BaseModel):
    sentence: str = Field(
        examples=["62 % of 120 posts from reddit with “update” were negative within 5 minutes; the limit is 50 %."]
    )
    window_start: datetime
    window_end: datetime
    threshold: float
    series: list[SeriesPoint] = Field(
        description="The window and as long before and after it. Empty for a keyword after a day, when its counts go"
    )
    posts: list[Post] = Field(description="Up to 20 of the posts that made it, newest first")


class Delivery(BaseModel):
    webhook: str
    change: Literal["raised", "resolved"]
    state: Literal["waiting", "delivered", "given_up"]
    attempts: int
    last_error: str | None
    next_attempt_at: datetime | None = Field(description="null: there is none")
    delivered_at: datetime | None


class AlertDetail(BaseModel):
    alert: Alert
    explanation: Explanation
    deliveries: list[Delivery]


class Acknowledgement(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    note: Annotated[Text, Field(max_length=500)] | None = Field(None, examples=["We know; it is being repaired."])


class Nothing(BaseModel):
    """An empty object."""

    model_config = ConfigDict(extra="forbid")


class WebhookTest(BaseModel):
    delivered: bool
    detail: str = Field(examples=["The receiver answered 200."])
