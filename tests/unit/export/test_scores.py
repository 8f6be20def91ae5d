"""Accuracy, F1 and agreement against numbers worked out by hand (and by scikit-learn, where it has the same notion)."""

import numpy as np
import pytest

from export.evidence.labelled import Example
from export.evidence.scores import agreement, probabilities, same_top, scores


def logits(*rows: list[float]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(rows, dtype=np.float32)


def examples(*labels: tuple[int, ...]) -> list[Example]:
    return [Example("", each) for each in labels]


def test_one_choice() -> None:
    """sklearn.metrics: accuracy_score 0.6, f1_score(average="macro") 0.5555… for truth 0 0 1 1 2, answers 0 1 1 1 0."""
    answers = np.eye(3, dtype=np.float32)[[0, 1, 1, 1, 0]]
    found = scores(answers, examples((0,), (0,), (1,), (1,), (2,)), "softmax")
    assert found.accuracy == pytest.approx(3 / 5)
    assert found.macro_f1 == pytest.approx((1 / 2 + 4 / 5 + 0) / 3)


def test_labels_that_occur_nowhere_do_not_count() -> None:
    answers = np.eye(5, dtype=np.float32)[[0, 3]]
    assert scores(answers, examples((0,), (3,)), "softmax").macro_f1 == 1


def test_any_of_the_annotators_labels_is_right_for_one_choice() -> None:
    answers = np.eye(3, dtype=np.float32)[[1, 2]]
    assert scores(answers, examples((0, 1), (0, 1)), "softmax").accuracy == 1 / 2


def test_several_labels_must_all_be_right() -> None:
    found = scores(logits([1, 1, -1], [1, -1, -1]), examples((0, 1), (0, 2)), "sigmoid")
    assert found.accuracy == 1 / 2
    assert found.macro_f1 == pytest.approx((1 + 1 + 0) / 3)


def test_nothing_chosen_and_nothing_right() -> None:
    assert scores(logits([-1, -1]), examples((0,)), "sigmoid").macro_f1 == 0


def test_probabilities() -> None:
    assert probabilities(logits([0, 0]), "softmax").tolist() == [[0.5, 0.5]]
    assert probabilities(logits([0, np.log(3)]), "sigmoid") == pytest.approx(np.array([[0.5, 0.75]]))
    assert probabilities(logits([1e4, 0]), "softmax").tolist() == [[1, 0]]


def test_agreement_counts_rows_or_decisions() -> None:
    one, other = logits([3, 2, -1], [1, 2, -1]), logits([2, 3, -1], [1, 2, -1])
    assert agreement(one, other, "softmax") == (1, 2)
    assert agreement(one, other, "sigmoid") == (6, 6)


def test_a_label_that_is_about_as_likely_counts_as_the_likeliest() -> None:
    expected, found = logits([2, 1.9, -1], [1, 2, -1]), logits([1, 2, -1], [1, 2, -1])
    assert same_top(found, expected, "softmax", 0.0) == 1
    assert same_top(expected, expected, "softmax", 0.0) == 2
    assert same_top(found, expected, "sigmoid", 0.02) == 2
    assert same_top(found, expected, "sigmoid", 0.005) == 1
