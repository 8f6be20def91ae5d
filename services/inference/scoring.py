"""From logits to a label and its probability."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.inference.models import Activation, Model

# A label and its probability.
Verdict = tuple[str, float]

NEUTRAL = "neutral"
# What checkpoints of the hub call the three classes; everything else is only lower-cased.
_ALIASES = {
    "pos": "positive",
    "neg": "negative",
    "neu": "neutral",
    "label_0": "negative",
    "label_1": "neutral",
    "label_2": "positive",
}


def probabilities(logits: NDArray[np.float32], activation: Activation) -> NDArray[np.float32]:
    """Probabilities `[rows, labels]`: softmax over one choice, sigmoid for each label of a multi-label head."""
    if activation == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), dtype=np.float32)


def sentiment_names(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels as negative, neutral, positive, whatever the checkpoint calls them."""
    lowered = [label.lower() for label in labels]
    if lowered == ["label_0", "label_1"]:
        return ("negative", "positive")
    return tuple(_ALIASES.get(label, label) for label in lowered)


def top_labels(scores: NDArray[np.float32], labels: Sequence[str]) -> list[Verdict]:
    """The likeliest label of each row, with its probability."""
    best = scores.argmax(axis=1)
    return [(labels[i], float(scores[row, i])) for row, i in enumerate(best)]


def ranked(values: NDArray[np.float32], labels: Sequence[str]) -> list[list[Verdict]]:
    """Every label of each row with its value, falling; of equal ones the last label first, as
    text-embeddings-inference has it.
    """
    # The shortest decimal that is the same float32.
    written = [[(label, float(str(value))) for label, value in zip(labels, row, strict=True)] for row in values]
    return [sorted(row, key=lambda verdict: verdict[1])[::-1] for row in written]


def with_neutral_band(label: str, score: float, labels: Sequence[str], neutral_below: float) -> str:
    """Models without a neutral class (SST-2) call an unsure post neutral; others are taken at their word."""
    return NEUTRAL if NEUTRAL not in labels and score < neutral_below else label


def sentiments(model: Model, logits: NDArray[np.float32], neutral_below: float) -> list[Verdict]:
    """Negative, neutral or positive for each row of the sentiment model's logits, `[rows, labels]`."""
    names = sentiment_names(model.labels)
    tops = top_labels(probabilities(logits, model.activation), names)
    return [(with_neutral_band(label, score, names, neutral_below), score) for label, score in tops]


def emotions(model: Model, logits: NDArray[np.float32]) -> list[Verdict]:
    """The emotion of each row of the emotion model's logits, `[rows, labels]`, as the model calls it."""
    return top_labels(probabilities(logits, model.activation), model.labels)
