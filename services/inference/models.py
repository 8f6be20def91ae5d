"""What Triton and the model repository say of a model. Nothing about a model is written in the services themselves."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tritonclient.grpc.model_config_pb2 import ModelConfig

from services.common.errors import ConfigurationError
from services.common.messages import MAX_MODEL_NAME_CHARS, is_blank

Activation = Literal["softmax", "sigmoid"]
# What the tables have room for. A model beyond it would answer, and every single post would be refused.
MAX_SENTIMENT_CHARS, MAX_EMOTION_CHARS = 20, 50
MAX_VERSION = 2**31 - 1
# The special tokens around a text.
MIN_TOKENS = 2


@dataclass(frozen=True)
class Model:
    """One version of a classifier: `lengths` are the sequence lengths it is warmed up for, in tokens, ascending.

    `mixed_lengths`: the server computes each row of a request without the padding at its end, so that short and long
    texts may share one.

    `name` is Triton's. A canary is served beside the model `canary_of` and answers `canary_share` per cent of the
    batches; both are empty for a model in service.
    """

    name: str
    version: int
    source: str
    revision: str
    labels: tuple[str, ...]
    activation: Activation
    max_tokens: int
    lengths: tuple[int, ...]
    mixed_lengths: bool
    max_rows: int
    tokenizer_file: Path
    tokenizer_sha256: str
    canary_of: str = ""
    canary_share: float = 0.0

    @property
    def role(self) -> str:
        """The name of the model in service, which a canary shares with it."""
        return self.canary_of or self.name


def parse_model(config: ModelConfig, repository: Path, max_label_chars: int = MAX_EMOTION_CHARS) -> Model:
    """The model that a Triton configuration describes; its tokenizer is `<repository>/<name>/<version>/tokenizer.json`.

    ConfigurationError names the parameter that is missing or wrong. The tokenizer is not looked at here.
    """
    name = config.name
    parameters = {key: value.string_value for key, value in config.parameters.items()}
    try:
        version = int(parameters["version"])
        labels = tuple(parameters["labels"].split(","))
        activation = parameters["activation"]
        lengths = tuple(sorted(int(length) for length in parameters["sequence_lengths"].split(",")))
        max_tokens = int(parameters["max_tokens"])
        source = parameters["source"]
        revision = parameters["revision"]
        sha256 = parameters["tokenizer_sha256"]
        canary_of = parameters.get("canary_of", "")
        canary_share = float(parameters["canary_share"]) if canary_of else 0.0
    except KeyError as error:
        raise ConfigurationError(
            f"model {name}: its config.pbtxt lacks the parameter {error}; export it again"
        ) from None
    except ValueError as error:
        raise ConfigurationError(f"model {name}: a parameter of its config.pbtxt is not usable: {error}") from None
    if not 1 <= version <= MAX_VERSION:
        raise ConfigurationError(f"model {name}: version is {version}, expected 1 to {MAX_VERSION:,}")
    if len(set(labels)) < len(labels) or not all(_is_label(label, max_label_chars) for label in labels):
        raise ConfigurationError(
            f"model {name}: each of its labels must be another name of 1 to {max_label_chars} printable characters"
        )
    if activation not in ("softmax", "sigmoid"):
        raise ConfigurationError(f"model {name}: activation is {activation!r}, expected softmax or sigmoid")
    if not source.isprintable() or len(source) > MAX_MODEL_NAME_CHARS:
        raise ConfigurationError(
            f"model {name}: its source has more than {MAX_MODEL_NAME_CHARS} characters, or some that cannot be printed"
        )
    outputs = [(output.name, list(output.dims)) for output in config.output]
    if outputs != [("logits", [len(labels)])]:
        raise ConfigurationError(f"model {name}: expected one output, logits [{len(labels)}], found {outputs}")
    if lengths[0] < MIN_TOKENS or not MIN_TOKENS <= max_tokens <= lengths[-1]:
        raise ConfigurationError(f"model {name}: lengths {lengths} do not reach max_tokens {max_tokens}")
    if canary_of and not 0 < canary_share <= 100:
        raise ConfigurationError(f"model {name}: canary_share is {canary_share:g}, expected more than 0, at most 100")
    return Model(
        name=name,
        version=version,
        source=source,
        revision=revision,
        labels=labels,
        activation="softmax" if activation == "softmax" else "sigmoid",
        max_tokens=max_tokens,
        lengths=lengths,
        # What the server pads rows to by itself; their number and steps are its own affair.
        mixed_lengths="padded_lengths" in parameters,
        max_rows=max(1, config.max_batch_size),
        tokenizer_file=repository / name / str(version) / "tokenizer.json",
        tokenizer_sha256=sha256,
        canary_of=canary_of,
        canary_share=canary_share,
    )


def _is_label(label: str, max_chars: int) -> bool:
    return len(label) <= max_chars and label.isprintable() and not is_blank(label)
