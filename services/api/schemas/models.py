"""What `/api/models` tells of the models in service."""

from typing import Literal

from pydantic import BaseModel, Field


class CanaryInfo(BaseModel):
    """A version on trial: it answers so much of the posts; questions to the API are answered by the one in service."""

    version: int = Field(ge=1, examples=[2])
    percent: float = Field(gt=0, le=100, examples=[10])


class ModelInfo(BaseModel):
    name: str = Field(description="Triton's", examples=["sentiment"])
    role: Literal["sentiment", "emotion"]
    source: str = Field(
        description="The checkpoint that it was exported from", examples=["undertone-starter-sentiment"]
    )
    revision: str | None = Field(description="Of the checkpoint", examples=["1"])
    version: int = Field(ge=1, examples=[1])
    precision: str | None = Field(description="Of the weights", examples=["fp32"])
    labels: list[str] = Field(
        description="As the checkpoint calls them", examples=[["negative", "neutral", "positive"]]
    )
    max_tokens: int = Field(description="What is longer is cut, or refused", examples=[512])
    lengths: list[int] = Field(description="Tokens that texts are padded to", examples=[[16, 32, 64, 128, 256, 512]])
    activation: Literal["softmax", "sigmoid"] = Field(description="sigmoid: labels do not exclude each other")
    device: Literal["cpu", "gpu"] | None = Field(description="null: the configuration leaves it to Triton")
    runtime: str | None = Field(
        description="What computes; null where the server finds out the fastest by itself, as on a CPU",
        examples=["tensorrt"],
    )
    state: Literal["ready", "unavailable"] = Field(description="Whether a real inference succeeded recently")
    canary: CanaryInfo | None


class ModelList(BaseModel):
    models: list[ModelInfo]
