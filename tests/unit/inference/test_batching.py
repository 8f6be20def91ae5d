"""Every text is in one batch, padded to a length that fits, within the budget."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inference.batching import Batch, pad_right, plan_batches

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


@given(st.lists(st.integers(2, 512), max_size=300), st.integers(1, 64), st.integers(16, 16_384))
def test_texts_of_all_lengths_share_a_request_where_they_may(counts: list[int], max_rows: int, max_tokens: int) -> None:
    batches = plan_batches(counts, LENGTHS, max_rows=max_rows, max_tokens=max_tokens, mixed=True)
    # Sorted, so that a request is padded as little as so few requests can be.
    planned = [counts[row] for batch in batches for row in batch.rows]
    assert planned == sorted(counts)
    assert sorted(row for batch in batches for row in batch.rows) == list(range(len(counts)))
    for batch in batches:
        assert len(batch.rows) <= max_rows
        assert len(batch.rows) == 1 or len(batch.rows) * batch.length <= max_tokens
        assert batch.length == next(length for length in LENGTHS if length >= max(counts[row] for row in batch.rows))
    for batch, after in pairwise(batches):
        one_more = next(length for length in LENGTHS if length >= counts[after.rows[0]])
        assert len(batch.rows) == max_rows or (len(batch.rows) + 1) * one_more > max_tokens


def test_a_text_beyond_the_longest_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="513"):
        plan_batches([513], LENGTHS, max_rows=4, max_tokens=4_096)


def test_padding_is_on_the_right_and_masked() -> None:
    ids, mask = pad_right([[5, 6, 7], [8], [9, 9]], Batch(rows=(2, 0), length=4))
    np.testing.assert_array_equal(ids, [[9, 9, 0, 0], [5, 6, 7, 0]])
    np.testing.assert_array_equal(mask, [[1, 1, 0, 0], [1, 1, 1, 0]])
    assert ids.dtype == mask.dtype == np.int64
