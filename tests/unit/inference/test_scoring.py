"""Logits become the right label with a probability."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from services.inference.scoring import probabilities, sentiment_names, top_labels, with_neutral_band

LOGITS = arrays.arrays(np.float32, (5, 3), elements=st.floats(-80, 80, width=32))


@given(LOGITS)
def test_softmax_gives_a_distribution_with_the_same_winner(logits: np.ndarray) -> None:
    scores = probabilities(logits, "softmax")
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    assert (scores[np.arange(5), logits.argmax(axis=1)] == scores.max(axis=1)).all()


def test_sigmoid_scores_each_label_by_itself() -> None:
    scores = probabilities(np.array([[0, 2, 2]], np.float32), "sigmoid")
    np.testing.assert_allclose(scores, [[0.5, 0.880797, 0.880797]], rtol=1e-5)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (("NEGATIVE", "POSITIVE"), ("negative", "positive")),
        (("LABEL_0", "LABEL_1"), ("negative", "positive")),
        (("LABEL_0", "LABEL_1", "LABEL_2"), ("negative", "neutral", "positive")),
        (("neg", "neu", "pos"), ("negative", "neutral", "positive")),
    ],
)
def test_checkpoints_dialects_of_labels_become_ours(labels: tuple[str, ...], names: tuple[str, ...]) -> None:
    assert sentiment_names(labels) == names


def test_the_likeliest_label_comes_with_its_probability() -> None:
    assert top_labels(np.array([[0.25, 0.75], [0.5, 0.5]], np.float32), ("a", "b")) == [("b", 0.75), ("a", 0.5)]


def test_only_a_model_without_a_neutral_class_has_a_neutral_band() -> None:
    assert with_neutral_band("positive", 0.55, ("negative", "positive"), 0.6) == "neutral"
    assert with_neutral_band("positive", 0.6, ("negative", "positive"), 0.6) == "positive"
    assert with_neutral_band("positive", 0.4, ("negative", "neutral", "positive"), 0.6) == "positive"
