"""Scores of a classifier on a development set, on the posts that carry exactly one label."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, recall_score

from export.starter.corpus import Example


def scores(logits: np.ndarray[Any, Any], examples: Sequence[Example], labels: tuple[str, ...]) -> dict[str, float]:
    """Accuracy, macro-F1 and macro-recall; `logits` is `[examples, labels]`.

    The classifier chooses among all of its labels, and the means are taken over the labels that occur in the set
    (TweetEval's emotion set has four of the seven): a fifth label chosen there counts as a mistake.
    """
    index = {label: i for i, label in enumerate(labels)}
    single = [i for i, example in enumerate(examples) if len(example.labels) == 1]
    truth = np.array([index[examples[i].labels[0]] for i in single])
    chosen = logits[single].argmax(1)
    means: dict[str, Any] = {"average": "macro", "labels": np.unique(truth), "zero_division": 0}
    return {
        "posts": float(len(truth)),
        "accuracy": float(accuracy_score(truth, chosen)),
        "macro_f1": float(f1_score(truth, chosen, **means)),
        "macro_recall": float(recall_score(truth, chosen, **means)),
    }
