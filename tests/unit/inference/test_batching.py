"""Every text is in one batch, padded to a length that fits, within the budget."""

from collections.abc import Iterable, Sequence
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inference.batching import BLOCK_TOKENS, REQUEST_TOKENS, Batch, pad_right, plan_batches

FINE = tuple(range(8, 68, 4))
LENGTHS = (16, 32, 64, 128, 256, 512)


@given(
    st.lists(st.integers(2, 512), max_size=300),
    st.integers(1, 64),
    st.integers(16, 16_384),
)
def test_batches_partition_the_texts_within_rows_and_tokens(counts: list[int], max_rows: int, max_tokens: int) -> None:
    batches = plan_batches(counts, LENGTHS, max_rows=max_rows, max_tokens=max_tokens)
    assert sorted(row for batch in batches for row in batch.rows) == list(range(len(counts)))
    for batch in batches:
        assert len(batch.rows) <= max_rows
        assert len(batch.rows) == 1 or len(batch.rows) * batch.length <= max_tokens
        longest = max(counts[row] for row in batch.rows)
        assert longest <= batch.length
        # No shorter length would have done: padding stays below the next step.
        assert all(shorter < longest for shorter in LENGTHS if shorter < batch.length)


@given(st.lists(st.integers(2, 512), min_size=1, max_size=300))
def test_a_length_has_no_more_batches_than_it_needs(counts: list[int]) -> None:
    batches = plan_batches(counts, LENGTHS, max_rows=64, max_tokens=8_192)
    for length in LENGTHS:
        mine = [batch for batch in batches if batch.length == length]
        capacity = min(64, 8_192 // length)
        assert all(len(batch.rows) == capacity for batch in mine[:-1])


def fitting(count: int, lengths: Sequence[int]) -> int:
    return next(length for length in lengths if length >= count)


def cost(batches: Iterable[Sequence[int]], lengths: Sequence[int]) -> int:
    """Padded tokens and requests, in tokens, of batches of ascending token counts."""
    return sum(len(batch) * fitting(batch[-1], lengths) + REQUEST_TOKENS for batch in batches)


def may_share(batch: Sequence[int], lengths: Sequence[int]) -> bool:
    return len({fitting(count, lengths) // BLOCK_TOKENS for count in batch}) == 1


@given(st.lists(st.integers(2, 64), min_size=1, max_size=9), st.sampled_from([LENGTHS, FINE]))
def test_no_other_way_to_cut_a_few_texts_costs_less(counts: list[int], lengths: tuple[int, ...]) -> None:
    batches = plan_batches(counts, lengths, max_rows=64, max_tokens=8_192)
    ordered = sorted(counts)
    every_way = (
        [ordered[start:end] for start, end in pairwise([0, *cuts, len(ordered)])]
        for number in range(len(ordered))
        for cuts in combinations(range(1, len(ordered)), number)
    )
    found = cost([sorted(counts[row] for row in batch.rows) for batch in batches], lengths)
    assert found == min(cost(way, lengths) for way in every_way if all(may_share(batch, lengths) for batch in way))


@given(st.lists(st.integers(2, 64), max_size=300), st.integers(1, 64), st.integers(16, 16_384))
def test_no_text_is_padded_beyond_the_block_that_it_is_padded_to_alone(
    counts: list[int], max_rows: int, max_tokens: int
) -> None:
    for batch in plan_batches(counts, FINE, max_rows=max_rows, max_tokens=max_tokens):
        for row in batch.rows:
            (alone,) = plan_batches([counts[row]], FINE, max_rows=max_rows, max_tokens=max_tokens)
            assert alone.length // BLOCK_TOKENS == batch.length // BLOCK_TOKENS


def test_a_few_texts_share_a_request_and_a_backlog_is_padded_little() -> None:
    few = plan_batches([22, 18, 14], FINE, max_rows=64, max_tokens=8_192)
    assert few == [Batch(rows=(2, 1, 0), length=24)]
    many = plan_batches([22, 18, 14] * 20, FINE, max_rows=64, max_tokens=8_192)
    assert [(len(batch.rows), batch.length) for batch in many] == [(20, 16), (20, 20), (20, 24)]


def test_a_text_beyond_the_longest_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="513"):
        plan_batches([513], LENGTHS, max_rows=4, max_tokens=4_096)


def test_padding_is_on_the_right_and_masked() -> None:
    ids, mask = pad_right([[5, 6, 7], [8], [9, 9]], Batch(rows=(2, 0), length=4))
    np.testing.assert_array_equal(ids, [[9, 9, 0, 0], [5, 6, 7, 0]])
    np.testing.assert_array_equal(mask, [[1, 1, 0, 0], [1, 1, 1, 0]])
    assert ids.dtype == mask.dtype == np.int64
