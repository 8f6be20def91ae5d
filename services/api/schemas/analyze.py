"""What `/api/analyze` takes and gives: both models on somebody's own texts."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.common.messages import is_blank

Text = Annotated[str, StringConstraints(min_length=1)]
REQUESTS = {
    "one": {"summary": "A text", "value": {"text": "What a day!"}},
    "several": {"summary": "Several texts", "value": {"texts": ["What a day!", "Never again."]}},
}


def _without_default(schema: dict[str, Any]) -> None:
    del schema["default"]


class AnalyzeRequest(BaseModel):
    """Either `text` or `texts`."""

    model_config = ConfigDict(
        strict=True, extra="forbid", json_schema_extra={"oneOf": [{"required": ["text"]}, {"required": ["texts"]}]}
    )

    # Their defaults are no values, they only tell what is absent: null would be one more thing to send.
    text: Text = Field(default="", description="One text", examples=["What a day!"], json_schema_extra=_without_default)
    texts: list[Text] = Field(
        default=[],
        min_length=1,
        description="Several texts",
        examples=[["What a day!", "Never again."]],
        json_schema_extra=_without_default,
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("send either text or texts")
        if any(is_blank(text) for text in self.all):
            raise ValueError("a text must not be blank")
        return self

    @property
    def all(self) -> list[str]:
        return self.texts or [self.text]


class LabelScore(BaseModel):
    label: str = Field(examples=["positive"])
    score: float = Field(ge=0, le=1, examples=[0.9871])


class Verdict(BaseModel):
    """What one model says: the label that a post with this text would be stored with, and every label's probability."""

    label: str = Field(examples=["positive"])
    confidence: float = Field(
        ge=0,
        le=1,
        description="The greatest score. Below NEUTRAL_BELOW a sentiment model without a neutral class says neutral",
    )
    scores: list[LabelScore] = Field(description="Falling. They add up to 1, unless labels do not exclude each other")
    model_name: str = Field(description="The checkpoint", examples=["undertone-starter-sentiment"])
    model_version: int = Field(ge=1, examples=[1])


class TextAnalysis(BaseModel):
    text_tokens: int = Field(
        ge=0, description="Tokens of the whole text for the sentiment model, the special ones included", examples=[6]
    )
    truncated: bool = Field(description="Whether a model read but the beginning of the text")
    sentiment: Verdict
    emotion: Verdict


class Timing(BaseModel):
    """Milliseconds. Both models are asked at the same time; what a model took includes Triton's queue."""

    tokenize_ms: float = Field(ge=0)
    sentiment_ms: float = Field(ge=0)
    emotion_ms: float = Field(ge=0)
    total_ms: float = Field(ge=0, description="From the whole request to its answer, the wait for a turn included")


class AnalyzeAnswer(BaseModel):
    results: list[TextAnalysis] = Field(description="In the order of the texts")
    timing: Timing
