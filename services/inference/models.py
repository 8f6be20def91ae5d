"""What Triton and the model repository say of a model. Nothing about a model is written in the services themselves."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tritonclient.grpc.model_config_pb2 import ModelConfig

from services.common.errors import ConfigurationError

Activation = Literal["softmax", "sigmoid"]


@dataclass(frozen=True)
class Model:
    """A classifier: `lengths` are the sequence lengths it is warmed up for, in tokens, ascending."""

    name: str
    source: str
    labels: tuple[str, ...]
    activation: Activation
    max_tokens: int
    lengths: tuple[int, ...]
    max_rows: int
    tokenizer_file: Path
    tokenizer_sha256: str


def parse_model(config: ModelConfig, repository: Path) -> Model:
    """The model that a Triton configuration describes, its tokenizer being `<repository>/<name>/tokenizer.json`.

    ConfigurationError names the parameter that is missing or wrong, or the tokenizer that is not the one the model was
    exported with: scores of a wrong tokenizer look plausible and are noise.
    """
    name = config.name
    parameters = {key: value.string_value for key, value in config.parameters.items()}
    try:
        labels = tuple(parameters["labels"].split(","))
        activation = parameters["activation"]
        lengths = tuple(sorted(int(length) for length in parameters["sequence_lengths"].split(",")))
        max_tokens = int(parameters["max_tokens"])
        source = parameters["source"]
        sha256 = parameters["tokenizer_sha256"]
    except KeyError as error:
        raise ConfigurationError(
            f"model {name}: its config.pbtxt lacks the parameter {error}; export it again"
        ) from None
    except ValueError as error:
        raise ConfigurationError(f"model {name}: a parameter of its config.pbtxt is not usable: {error}") from None
    if activation not in ("softmax", "sigmoid"):
        raise ConfigurationError(f"model {name}: activation is {activation!r}, expected softmax or sigmoid")
    outputs = [(output.name, list(output.dims)) for output in config.output]
    if outputs != [("logits", [len(labels)])]:
        raise ConfigurationError(f"model {name}: expected one output, logits [{len(labels)}], found {outputs}")
    if not lengths or lengths[0] < 2 or max_tokens > lengths[-1]:
        raise ConfigurationError(f"model {name}: sequence_lengths {lengths} do not reach max_tokens {max_tokens}")
    tokenizer = repository / name / "tokenizer.json"
    _check_tokenizer(name, tokenizer, sha256)
    return Model(
        name=name,
        source=source,
        labels=labels,
        activation="softmax" if activation == "softmax" else "sigmoid",
        max_tokens=max_tokens,
        lengths=lengths,
        max_rows=max(1, config.max_batch_size),
        tokenizer_file=tokenizer,
        tokenizer_sha256=sha256,
    )


def _check_tokenizer(name: str, path: Path, expected_sha256: str) -> None:
    try:
        actual = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigurationError(
            f"model {name}: its tokenizer cannot be read ({error}); "
            "MODEL_REPOSITORY must be the folder that Triton serves"
        ) from None
    if actual != expected_sha256:
        raise ConfigurationError(
            f"model {name}: {path} is not the tokenizer that the served model was exported with; "
            "MODEL_REPOSITORY must be the folder that Triton serves"
        )
