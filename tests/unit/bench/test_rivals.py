"""What the alternatives are asked, and how they go through texts."""

import numpy as np
import pytest

from bench.paths import PROJECT, STARTER_MODELS
from bench.rivals.__main__ import answer
from bench.rivals.runtime import Ids, Logits, Runtime, random_batch
from bench.rivals.texts import probabilities


class Counting(Runtime):
    """Remembers the shapes that it ran; every text gets the same logits."""

    setting = "counting"

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def run(self, ids: Ids, mask: Ids) -> Logits:
        assert ids.shape == mask.shape
        self.shapes.append(ids.shape)
        return np.tile(np.array([0.0, np.log(3.0)], np.float32), (len(ids), 1))


@pytest.fixture
def runtime() -> Counting:
    runtime = Counting()
    runtime.tokenizer = STARTER_MODELS / "sentiment" / "1" / "tokenizer.json"
    return runtime


def test_texts_go_in_the_order_of_arrival_padded_to_the_longest_of_their_batch(runtime: Counting) -> None:
    texts = ["one", "one two three four five", "one", "one two"]
    reply = answer({"do": "texts", "texts": texts, "rows": 2}, {"sentiment": runtime})
    assert reply["seconds"] > 0
    (first_rows, first_length), (second_rows, second_length) = runtime.shapes
    assert (first_rows, second_rows) == (2, 2)
    # The first batch is as long as its second text, the second one as short as both of its own.
    assert first_length > second_length


def test_probabilities_are_the_softmax_of_each_text(runtime: Counting) -> None:
    assert probabilities(runtime, ["a", "b", "c"], rows=2) == pytest.approx(np.array([[0.25, 0.75]] * 3))


def test_a_shape_is_run_as_often_as_asked_with_the_same_rows_for_everybody(runtime: Counting) -> None:
    answer({"do": "shape", "rows": 4, "length": 16, "times": 3}, {"sentiment": runtime})
    assert runtime.shapes == [(4, 16)] * 3
    assert (random_batch(4, 16)[0] == random_batch(4, 16)[0]).all()
    assert (random_batch(4, 16)[1] == 1).all()


def test_without_a_tokenizer_there_are_no_texts(runtime: Counting) -> None:
    runtime.tokenizer = None
    with pytest.raises(ValueError, match="without a tokenizer"):
        answer({"do": "texts", "texts": ["a"], "rows": 1}, {"sentiment": runtime})


def test_what_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing is known of dance"):
        answer({"do": "dance"}, {})


def test_rivals_import_nothing_of_ours() -> None:
    for file in (PROJECT / "bench" / "rivals").glob("*.py"):
        text = file.read_text()
        assert "from services" not in text
        assert "import services" not in text
