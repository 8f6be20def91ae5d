"""From logits to probabilities, and how good they are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.evidence.labelled import Example
from export.spec import Activation

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Scores:
    """Both from 0 to 1."""

    accuracy: float
    macro_f1: float


def probabilities(logits: Logits, activation: Activation) -> NDArray[np.float64]:
    """`[rows, labels]`: softmax over one choice, sigmoid for each label of a multi-label head."""
    wide = logits.astype(np.float64)
    if activation == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-wide)))
    exponentials = np.exp(wide - wide.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def decisions(logits: Logits, activation: Activation) -> NDArray[np.bool_]:
    """`[rows, labels]`: the likeliest label of each row, or every label above one half of a multi-label head."""
    if activation == "sigmoid":
        return np.asarray(logits > 0)
    return np.asarray(np.arange(logits.shape[1]) == logits.argmax(axis=1)[:, None])


def agreement(one: Logits, other: Logits, activation: Activation) -> tuple[int, int]:
    """(decisions that are the same, decisions): one a row, or one a row and label of a multi-label head."""
    same = np.asarray(decisions(one, activation) == decisions(other, activation))
    counted = same if activation == "sigmoid" else same.all(axis=1)
    return int(counted.sum()), counted.size


def same_top(found: Logits, expected: Logits, activation: Activation, tie: float) -> int:
    """Rows whose likeliest label is the expected one, or as likely as that by the expected probabilities, to `tie`.

    The services show the likeliest label of every head. Of a multi-label one, several are often about equally likely.
    """
    likely = probabilities(expected, activation)
    chosen = likely[np.arange(len(likely)), found.argmax(axis=1)]
    return int((likely.max(axis=1) - chosen <= tie).sum())


def scores(logits: Logits, examples: Sequence[Example], activation: Activation) -> Scores:
    """Accuracy and macro-F1 of `logits` `[examples, labels]`.

    One choice: right when it is among the text's labels (annotators may have given several). Multi-label: right when
    the labels above one half are exactly the text's. Macro-F1 is the mean over the labels that occur, in the texts or
    in the answers, of 2 TP / (2 TP + FP + FN) (van Rijsbergen 1979; scikit-learn's f1_score with average="macro").
    """
    chosen = decisions(logits, activation)
    truth = np.zeros_like(chosen)
    for row, example in enumerate(examples):
        truth[row, list(example.labels)] = True
    right = np.asarray(chosen == truth).all(axis=1)
    if activation == "softmax":
        right = np.asarray((chosen & truth).any(axis=1))
        # One truth a text: the chosen label where it is right, else the first that the annotators gave.
        first = np.zeros_like(truth)
        first[np.arange(len(examples)), [example.labels[0] for example in examples]] = True
        truth = np.where(right[:, None], chosen, first)
    hits = (chosen & truth).sum(axis=0)
    seen = chosen.sum(axis=0) + truth.sum(axis=0)
    f1 = 2 * hits[seen > 0] / seen[seen > 0]
    return Scores(float(right.mean()), float(f1.mean()) if f1.size else 0.0)
