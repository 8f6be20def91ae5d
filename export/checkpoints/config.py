"""What `config.json` says of a checkpoint, and whether that is a classifier that the services can use."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.errors import ExportError
from export.spec import Activation, Architecture

# Services read no more of a text than this, whatever the model could.
MAX_TOKENS = 512
CLASSES: dict[Architecture, str] = {
    "distilbert": "DistilBertForSequenceClassification",
    "roberta": "RobertaForSequenceClassification",
}
LAYERS: dict[Architecture, str] = {"distilbert": "n_layers", "roberta": "num_hidden_layers"}
HEADS: dict[Architecture, str] = {"distilbert": "n_heads", "roberta": "num_attention_heads"}
HIDDEN: dict[Architecture, str] = {"distilbert": "dim", "roberta": "hidden_size"}
# Values that the fused attention takes for granted.
REQUIRED = {"position_embedding_type": "absolute", "is_decoder": False, "add_cross_attention": False}


class CheckpointError(ExportError):
    """The checkpoint cannot be had or cannot be exported; one sentence that says why and what to do."""


@dataclass(frozen=True)
class Config:
    """`max_tokens`: the longest sequence that the position embeddings allow, at most MAX_TOKENS."""

    architecture: Architecture
    labels: tuple[str, ...]
    activation: Activation
    max_tokens: int
    layers: int
    heads: int
    hidden: int
    vocab_size: int


def read_config(folder: Path, source: str) -> Config:
    """CheckpointError where config.json is missing, is not JSON, or describes something else than a classifier."""
    values = read_json(folder / "config.json", source)
    architecture = _architecture(values, source)
    return Config(
        architecture=architecture,
        labels=_labels(values, source),
        activation=_activation(values, source),
        max_tokens=_max_tokens(values, architecture, source),
        layers=_number(values, LAYERS[architecture], source),
        heads=_number(values, HEADS[architecture], source),
        hidden=_number(values, HIDDEN[architecture], source),
        vocab_size=_number(values, "vocab_size", source),
    )


def read_json(path: Path, source: str) -> dict[str, Any]:
    """The object in a JSON file of a checkpoint."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            f"{source} has no {path.name}: give the folder that save_pretrained wrote, or a hub id"
        ) from None
    except (ValueError, RecursionError):
        raise CheckpointError(f"{path.name} of {source} is not JSON: download or save the checkpoint again") from None
    except OSError as error:
        raise CheckpointError(f"{path.name} of {source} cannot be read: {error.strerror}") from None
    if not isinstance(values, dict):
        raise CheckpointError(f"{path.name} of {source} is no JSON object: download or save the checkpoint again")
    return values


def _architecture(values: dict[str, Any], source: str) -> Architecture:
    found = values.get("model_type")
    if not isinstance(found, str) or found not in CLASSES:
        raise CheckpointError(
            f"{source} has the architecture {found!r}: only distilbert and roberta classifiers can be exported"
        )
    architecture: Architecture = "distilbert" if found == "distilbert" else "roberta"
    classes = values.get("architectures")
    if not isinstance(classes, list) or classes != [CLASSES[architecture]]:
        named = ", ".join(map(str, classes)) if isinstance(classes, list) and classes else "none"
        raise CheckpointError(
            f"{source} is no sequence classifier (architectures: {named}): "
            f"choose a checkpoint that was trained as {CLASSES[architecture]}"
        )
    if "quantization_config" in values:
        raise CheckpointError(f"the weights of {source} are quantized: export the checkpoint that it was made from")
    for key, required in REQUIRED.items():
        if values.get(key, required) != required:
            raise CheckpointError(f"{source} cannot be exported: its {key} is {values[key]!r}, not {required!r}")
    return architecture


def _labels(values: dict[str, Any], source: str) -> tuple[str, ...]:
    given = values.get("id2label")
    # Without it, transformers would invent LABEL_0, LABEL_1, ... for a head of two.
    if not isinstance(given, dict) or not given:
        raise CheckpointError(f"config.json of {source} names no labels: add id2label, such as {{'0': 'negative'}}")
    if sorted(given) != sorted(str(number) for number in range(len(given))):
        raise CheckpointError(f"id2label of {source} does not number its labels from 0 to {len(given) - 1}: correct it")
    labels = [given[str(number)] for number in range(len(given))]
    for label in labels:
        if not isinstance(label, str) or not label.strip():
            raise CheckpointError(f"{source} has an empty label: give each label a name in id2label of config.json")
        if not label.isprintable() or label != label.strip() or any(sign in label for sign in ',"\\'):
            raise CheckpointError(
                f"the label {label!r} of {source} cannot be served: rename it in id2label of config.json, without "
                "commas, double quotes, backslashes, line breaks and outer spaces"
            )
    if len(set(labels)) != len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise CheckpointError(f"{source} has the label {twice!r} twice: rename one in id2label of config.json")
    if len(labels) < 2:
        raise CheckpointError(f"{source} has one label only, which is no choice: export a classifier with two or more")
    return tuple(labels)


def _activation(values: dict[str, Any], source: str) -> Activation:
    problem = values.get("problem_type")
    if problem == "multi_label_classification":
        return "sigmoid"
    if problem in (None, "single_label_classification"):
        return "softmax"
    raise CheckpointError(f"{source} was trained for {problem!r}, not for classification: choose another checkpoint")


def _max_tokens(values: dict[str, Any], architecture: Architecture, source: str) -> int:
    positions = _number(values, "max_position_embeddings", source)
    if architecture == "roberta":
        # RoBERTa counts positions from the padding id + 1: 514 of them are enough for 512 tokens.
        padding = values.get("pad_token_id", 1)
        if not isinstance(padding, int) or padding < 0:
            raise CheckpointError(f"pad_token_id {padding!r} in config.json of {source} is no token id: correct it")
        positions -= padding + 1
    if positions < 2:
        raise CheckpointError(f"{source} has no room for a text (max_position_embeddings): choose another checkpoint")
    return min(positions, MAX_TOKENS)


# The defaults of transformers, for keys that an old config.json may lack.
_DEFAULTS = {
    "n_layers": 6,
    "n_heads": 12,
    "dim": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "hidden_size": 768,
    "max_position_embeddings": 512,
}


def _number(values: dict[str, Any], key: str, source: str) -> int:
    value = values.get(key, _DEFAULTS.get(key))
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise CheckpointError(f"{key} in config.json of {source} is {value!r}, not a positive number: correct it")
    return value
