"""The backend computes texts of all lengths in as few runs, with as little padding, as costs least together, and gives
every request its own rows back."""

# The backend's folder is on the module path only while these tests run.
# mypy: disable-error-code="import-not-found"

from collections.abc import Iterable, Sequence
from itertools import combinations, groupby, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.triton.backends.onnxruntime.length_groups import (
    BLOCK_TOKENS,
    GPU_RUN_TOKENS,
    RUN_TOKENS,
    Costs,
    groups,
    padded_rows,
)

LENGTHS = tuple(range(8, 68, 4))
UNLUCKY = 13


class Summing:
    """A model: two logits a row, its tokens' sum and their number. It notes its shapes and fails on UNLUCKY."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, feeds: Any) -> Sequence[Any]:
        ids, mask = feeds["input_ids"], feeds["attention_mask"]
        self.shapes.append(ids.shape)
        if (ids == UNLUCKY).any():
            raise RuntimeError("unlucky")
        return [np.stack([(ids * mask).sum(axis=1), mask.sum(axis=1)], axis=1).astype(np.float32)]


def request(counts: Sequence[int], length: int, first_id: int = 100) -> dict[str, Any]:
    """Rows of so many tokens, padded to `length`, ids counted from `first_id` on."""
    mask = (np.arange(length) < np.array(counts)[:, None]).astype(np.int64)
    ids = np.arange(first_id, first_id + mask.size).reshape(mask.shape) * mask
    return {"input_ids": ids, "attention_mask": mask}


def fitting(count: int) -> int:
    return next(length for length in LENGTHS if length >= count)


def cost(runs: Iterable[Sequence[int]]) -> int:
    """Padded tokens and runs, in tokens, of runs of ascending token counts."""
    return sum(len(run) * fitting(run[-1]) + RUN_TOKENS for run in runs)


def may_share(run: Sequence[int]) -> bool:
    return len({fitting(count) // BLOCK_TOKENS for count in run}) == 1


@given(st.lists(st.integers(1, 64), min_size=1, max_size=9).map(sorted))
def test_no_other_way_to_cut_a_few_texts_costs_less(counts: list[int]) -> None:
    every_way = (
        [counts[start:end] for start, end in pairwise([0, *cuts, len(counts)])]
        for number in range(len(counts))
        for cuts in combinations(range(1, len(counts)), number)
    )
    found = [counts[start:end] for start, end, _ in groups(counts, LENGTHS)]
    assert cost(found) == min(cost(way) for way in every_way if all(map(may_share, way)))


@given(st.lists(st.integers(1, 64), max_size=300).map(sorted))
def test_no_text_is_padded_beyond_the_block_that_it_is_padded_to_alone(counts: list[int]) -> None:
    found = list(groups(counts, LENGTHS))
    assert [(start, end) for start, end, _ in found] == list(pairwise([0, *(end for _, end, _ in found)]))
    assert (found[-1][1] if found else 0) == len(counts)
    for start, end, length in found:
        assert all(
            count <= length and fitting(count) // BLOCK_TOKENS == length // BLOCK_TOKENS for count in counts[start:end]
        )


@given(st.lists(st.integers(1, 64), min_size=1, max_size=9).map(sorted), st.integers(0, 60))
def test_where_blocks_do_not_count_no_other_way_to_cut_costs_less(counts: list[int], run_tokens: int) -> None:
    def tokens(runs: Iterable[Sequence[int]]) -> int:
        return sum(len(run) * fitting(run[-1]) + run_tokens for run in runs)

    every_way = (
        [counts[start:end] for start, end in pairwise([0, *cuts, len(counts)])]
        for number in range(len(counts))
        for cuts in combinations(range(1, len(counts)), number)
    )
    found = [counts[start:end] for start, end, _ in groups(counts, LENGTHS, Costs(run_tokens))]
    assert tokens(found) == min(map(tokens, every_way))


@given(st.lists(st.integers(1, 64), max_size=300).map(sorted), st.integers(1, 1_000))
def test_no_run_has_more_tokens_than_it_may_unless_one_row_has(counts: list[int], max_tokens: int) -> None:
    found = list(groups(counts, LENGTHS, Costs(GPU_RUN_TOKENS, max_tokens=max_tokens)))
    assert [(start, end) for start, end, _ in found] == list(pairwise([0, *(end for _, end, _ in found)]))
    assert (found[-1][1] if found else 0) == len(counts)
    for start, end, length in found:
        assert padded_rows(end - start) * length <= max_tokens or end - start == 1
        assert all(count <= length for count in counts[start:end])
    # Full runs: what one length takes is in as few as can be.
    for _, group in groupby(found, key=lambda run: run[2]):
        rows = [end - start for start, end, _ in group]
        assert len({*rows[:-1]}) <= 1
        assert rows[-1] <= rows[0]


@pytest.mark.parametrize("max_tokens", range(8, 6_000, 211))
def test_full_runs_are_of_one_shape_which_padding_their_rows_does_not_take_beyond_the_limit(max_tokens: int) -> None:
    rows = [end - start for start, end, _ in groups([8] * 700, LENGTHS, Costs(GPU_RUN_TOKENS, max_tokens=max_tokens))]
    assert len({*rows[:-1]}) <= 1
    assert all(padded_rows(row) == row for row in rows[:-1])
    assert all(padded_rows(row) * 8 <= max_tokens for row in rows)


def test_the_limit_of_a_run_is_the_configurations() -> None:
    from mixed_lengths import gpu_costs
    from ort_options import OptionError

    def told(text: str) -> dict[str, Any]:
        return {"parameters": {"max_run_tokens": {"string_value": text}}}

    assert gpu_costs(told("4096")) == Costs(GPU_RUN_TOKENS, max_tokens=4_096)
    assert gpu_costs({"parameters": {}}).max_tokens == 131_072
    for text in ("0", "-1", "many", ""):
        with pytest.raises(OptionError, match="parameter max_run_tokens: "):
            gpu_costs(told(text))


def test_on_a_gpu_rows_beyond_the_limit_are_further_runs_and_every_answer_is_its_own() -> None:
    from mixed_lengths import gpu_costs, run_all

    model = Summing()
    costs = gpu_costs({"parameters": {"max_run_tokens": {"string_value": "256"}}})
    requests = [request([30, 5, 17] * 7, 32), request([63, 20], 64, 9_000)]
    outcomes = run_all(requests, LENGTHS, model, costs=costs)
    assert max(rows * length for rows, length in model.shapes) <= 256
    for asked, outcome in zip(requests, outcomes, strict=True):
        np.testing.assert_array_equal(outcome["logits"], Summing()(asked)[0])


def test_what_clients_pad_with_is_not_passed_on() -> None:
    """RoBERTa's tokenizer pads with 1, others with 0: a row is the same in any company."""
    from mixed_lengths import run_all

    seen: list[Any] = []

    def noting(feeds: Any) -> Sequence[Any]:
        seen.append({name: array.copy() for name, array in feeds.items()})
        return Summing()(feeds)

    asked = request([3, 9], 16)
    asked["input_ids"][asked["attention_mask"] == 0] = 1
    run_all([asked], LENGTHS, noting)
    for feeds in seen:
        assert not feeds["input_ids"][feeds["attention_mask"] == 0].any()


def test_every_request_gets_its_own_rows_back() -> None:
    from mixed_lengths import run_all

    model = Summing()
    requests = [request([30, 5, 17], 32), request([16], 64, 900), request([63, 20], 64, 1_700)]
    outcomes = run_all(requests, LENGTHS, model)
    for asked, outcome in zip(requests, outcomes, strict=True):
        np.testing.assert_array_equal(outcome["logits"], Summing()(asked)[0])
    assert len(model.shapes) < sum(len(asked["input_ids"]) for asked in requests)
    assert sum(rows * length for rows, length in model.shapes) < 32 * 3 + 64 * 3


def test_only_the_request_with_a_bad_value_fails() -> None:
    from mixed_lengths import run_all

    bad = request([20], 32)
    bad["input_ids"][0, 3] = UNLUCKY
    requests = [request([18, 19], 32), bad, request([17], 32, 500)]
    first, failed, last = run_all(requests, LENGTHS, Summing())
    assert str(failed) == "unlucky"
    for asked, outcome in ((requests[0], first), (requests[2], last)):
        np.testing.assert_array_equal(outcome["logits"], Summing()(asked)[0])


def test_a_row_without_a_token_keeps_its_length_as_a_warm_up_wants_it() -> None:
    from mixed_lengths import run_all

    model = Summing()
    empty = {name: np.zeros((2, 32), np.int64) for name in ("input_ids", "attention_mask")}
    (outcome,) = run_all([empty], LENGTHS, model)
    assert model.shapes == [(2, 32)]
    assert outcome["logits"].shape == (2, 2)


def test_a_text_beyond_all_lengths_is_computed_as_it_came() -> None:
    from mixed_lengths import run_all

    model = Summing()
    run_all([request([70, 3], 80)], LENGTHS, model)
    assert sorted(model.shapes) == [(1, 8), (1, 70)]


@pytest.mark.parametrize("shape", [(2, 8), (2, 32), (3, 16), (2, 0)])
def test_a_mask_of_another_shape_is_refused_and_no_id_left_out(shape: tuple[int, int]) -> None:
    from mixed_lengths import check
    from ort_batches import InputError

    ids = np.ones((2, 16), np.int64)
    check({"input_ids": ids, "attention_mask": ids})
    with pytest.raises(InputError, match=r"input_ids has the shape \[2, 16\]"):
        check({"input_ids": ids, "attention_mask": np.ones(shape, np.int64)})


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 80)).flatmap(
            lambda shape: st.lists(
                st.lists(st.integers(-1, 2), min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0]
            ).map(lambda rows: np.array(rows, np.int64).reshape(shape))
        ),
        max_size=4,
    )
)
def test_whatever_the_mask_says_each_request_gets_its_logits_or_its_error(masks: list[Any]) -> None:
    from mixed_lengths import run_all

    requests = [{"input_ids": np.full(mask.shape, UNLUCKY - 1), "attention_mask": mask} for mask in masks]
    outcomes = run_all(requests, LENGTHS, Summing())
    assert len(outcomes) == len(masks)
    for mask, outcome in zip(masks, outcomes, strict=True):
        if mask.size:
            assert outcome["logits"].shape == (len(mask), 2)
        else:
            assert isinstance(outcome, Exception)


def test_padding_inside_a_text_is_not_cut_off() -> None:
    from mixed_lengths import token_counts

    assert token_counts(np.array([[1, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]])).tolist() == [3, 4, 4]


def test_lengths_are_those_of_the_configuration() -> None:
    from mixed_lengths import lengths_of

    assert lengths_of({"parameters": {"padded_lengths": {"string_value": "16,8"}}}) == (8, 16)
    assert lengths_of({"parameters": {}}) == ()


@pytest.mark.parametrize("text", ["", "8,x", "8,,16", "0,8", "-4"])
def test_lengths_that_are_none_are_refused_by_name(text: str) -> None:
    from mixed_lengths import lengths_of
    from ort_options import OptionError

    with pytest.raises(OptionError, match="parameter padded_lengths: "):
        lengths_of({"parameters": {"padded_lengths": {"string_value": text}}})
