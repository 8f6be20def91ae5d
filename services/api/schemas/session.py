"""What `/api/session` takes and tells."""

from pydantic import BaseModel, ConfigDict, Field

from services.common.api_keys import Scope


class SignIn(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    key: str = Field(min_length=1, max_length=200, description="An API key with the scope read: `ut_…`")


class Session(BaseModel):
    """Who asks. Where no keys are asked for, everybody has every scope."""

    required: bool = Field(description="Whether the API asks for keys")
    name: str | None = Field(description="The key's; null without one", examples=["dashboard"])
    scopes: list[Scope] = Field(description="What the caller may do", examples=[["read"]])
