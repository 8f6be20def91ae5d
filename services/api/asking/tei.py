"""The dialect of Hugging Face's text-embeddings-inference (TEI): what its clients send, are answered, and understand.

Its `router/src/http/types.rs`, `router/src/http/server.rs` and `router/src/lib.rs` are what this follows, the spelling
of `error_type` included, which its own examples write in lower case and its server does not.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError, WrapValidator
from pydantic_core.core_schema import ValidatorFunctionWrapHandler

from services.inference.scorer import Cut
from services.inference.tokenizer import Input

ErrorType = Literal["Unhealthy", "Backend", "Overloaded", "Validation", "Tokenizer", "Empty"]
STATUS_OF: dict[ErrorType, int] = {
    "Empty": 400,
    "Validation": 413,
    "Tokenizer": 422,
    "Backend": 424,
    "Overloaded": 429,
    "Unhealthy": 503,
}
EXPECTED = (
    "must be a string, a pair of strings [string, string] "
    "or a batch of mixed strings and pairs [[string], [string, string], ...]"
)


class TeiError(Exception):
    """An error as TEI has it. `status`: by default that of its type."""

    def __init__(
        self, error_type: ErrorType, message: str, status: int | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.status = status or STATUS_OF[error_type]
        self.headers = headers


def _one_sentence(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    """Instead of a sentence for each shape that the value does not have."""
    try:
        return handler(value)
    except ValidationError:
        raise ValueError(EXPECTED) from None


Sequence = Annotated[list[str], Field(min_length=1, max_length=2)]
Inputs = Annotated[
    str | Sequence | Annotated[list[Sequence], Field(min_length=1)],
    WrapValidator(_one_sentence),
    Field(
        description="A text; a pair of texts, which is one input: `[a, b]`; a batch of both: `[[a], [a, b]]`",
        examples=["What a day!", [["What a day!"], ["Never again."]]],
    ),
]


class PredictRequest(BaseModel):
    """As TEI, what is not known is ignored."""

    model_config = ConfigDict(strict=True)

    inputs: Inputs
    truncate: bool | None = Field(
        default=None, description="Cut what is longer than the model takes; otherwise it is refused with 413"
    )
    truncation_direction: Literal["Right", "Left", "right", "left"] = Field(
        default="Right", description="Which end is left out: Right, the end of the text, or Left, its beginning"
    )
    raw_scores: bool = Field(default=False, description="Logits instead of probabilities")

    @property
    def cut(self) -> Cut | None:
        if not self.truncate:
            return None
        return "left" if self.truncation_direction.lower() == "left" else "right"

    @property
    def is_batch(self) -> bool:
        """Whether the answer is a list for each input."""
        return not isinstance(self.inputs, str) and not isinstance(self.inputs[0], str)

    def sequences(self) -> list[Input]:
        """The inputs in their order; one where it is no batch."""
        if isinstance(self.inputs, str):
            return [self.inputs]
        first, *others = self.inputs
        if isinstance(first, str):
            return [_sequence([first, *(text for text in others if isinstance(text, str))])]
        return [_sequence(texts) for texts in self.inputs if not isinstance(texts, str)]


def _sequence(texts: list[str]) -> Input:
    return (texts[0], texts[1]) if len(texts) == 2 else texts[0]


class Prediction(BaseModel):
    """`label` as the checkpoint calls it."""

    score: float = Field(examples=[0.9871])
    label: str = Field(examples=["positive"])


class Predictions(RootModel[list[Prediction] | list[list[Prediction]]]):
    """Of a text or a pair: every label. Of a batch: a list of those for each input."""


class TeiErrorBody(BaseModel):
    """Every error of these routes."""

    error: str = Field(examples=["Model is overloaded"])
    error_type: ErrorType = Field(examples=["Overloaded"])


ONE = [
    {"score": 0.95513, "label": "positive"},
    {"score": 0.03221, "label": "neutral"},
    {"score": 0.01266, "label": "negative"},
]
OTHER = [
    {"score": 0.91033, "label": "negative"},
    {"score": 0.08004, "label": "neutral"},
    {"score": 0.00963, "label": "positive"},
]
RAW = [
    {"score": 2.1431, "label": "positive"},
    {"score": -1.2466, "label": "neutral"},
    {"score": -2.1805, "label": "negative"},
]
REQUESTS = {
    "single": {"summary": "A text", "value": {"inputs": "What a day!"}},
    "batch": {"summary": "Several texts", "value": {"inputs": [["What a day!"], ["Never again."]]}},
    "pair": {"summary": "A pair of texts, one input", "value": {"inputs": ["How was it?", "What a day!"]}},
    "raw_scores": {"summary": "Logits", "value": {"inputs": "What a day!", "raw_scores": True}},
    "truncate": {
        "summary": "Cut what is too long",
        "value": {"inputs": "What a day!", "truncate": True, "truncation_direction": "Left"},
    },
}
ANSWERS = {
    "single": {"summary": "Of a text or a pair", "value": ONE},
    "batch": {"summary": "Of a batch", "value": [ONE, OTHER]},
    "raw_scores": {"summary": "Logits", "value": RAW},
}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}}
HEADERS = {
    f"x-{name}": {"description": text, "schema": {"type": "integer"}}
    for name, text in {
        "compute-characters": "Characters of the inputs",
        "compute-tokens": "Tokens that the model read",
        "compute-time": "Milliseconds from the whole request to its answer",
        "total-time": "The same",
        "tokenization-time": "Milliseconds of the tokenizer",
        "queue-time": "Milliseconds until the request had its turn; Triton's own queue is part of the inference time",
        "inference-time": "Milliseconds of Triton, its queue included",
    }.items()
}


def _errors(
    description: str, *examples: tuple[ErrorType, str], headers: dict[str, Any] | None = None
) -> dict[str, Any]:
    found = {
        f"{error_type.lower()} {number}": {"value": {"error": error, "error_type": error_type}}
        for number, (error_type, error) in enumerate(examples, 1)
    }
    described = {
        "model": TeiErrorBody,
        "description": description,
        "content": {"application/json": {"examples": found}},
    }
    return described | ({"headers": headers} if headers else {})


RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Every label with its score, falling; for a batch, a list of those for each input",
        "content": {"application/json": {"examples": ANSWERS}},
        "headers": HEADERS,
    },
    400: _errors("Empty", ("Empty", "Input validation error: `inputs` cannot be empty")),
    408: _errors("The body did not come in time", ("Validation", "The body did not come within 10 seconds.")),
    413: _errors(
        "Too long, too many, or too large",
        ("Validation", "Input validation error: `inputs` must have less than 512 tokens. Given: 1202"),
        ("Validation", "batch size 33 > maximum allowed batch size 32"),
        ("Validation", "Input validation error: `inputs` must have less than 40000 characters. Given: 50001"),
        ("Validation", "The body has more than 1,000,000 bytes."),
    ),
    415: _errors("Not JSON", ("Validation", "Send JSON, with Content-Type: application/json.")),
    422: _errors(
        "Malformed, or not to be tokenized",
        ("Validation", f"inputs: {EXPECTED}"),
        ("Tokenizer", "the tokenizer failed: …"),
    ),
    424: _errors("The model refuses the input", ("Backend", "Backend error: the model refuses these inputs.")),
    429: _errors("Too many requests at once", ("Overloaded", "Model is overloaded"), headers=_RETRY_AFTER),
    503: _errors(
        "Triton is away, or its models cannot be used",
        ("Unhealthy", "Triton does not answer; try again shortly."),
        headers=_RETRY_AFTER,
    ),
}
