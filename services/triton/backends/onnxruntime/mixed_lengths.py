"""Requests with short and long texts together: each text is computed with as little padding as pays.

A padded token costs as much as any other, and what is padding is known here, from the mask. So clients that read the
configuration's parameter `padded_lengths` send texts of all lengths in one request, and it is cut here: sorted by
length, padded to a few lengths, so many texts a run that padding and runs cost least together.
"""

# The Python backend puts this folder on the module path; a type checker may not know it.
# mypy: disable-error-code="import-not-found,import-untyped"

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import ort_options
from length_groups import GPU_RUN_TOKENS, ON_CPU, Costs, groups
from ort_batches import Array, Arrays, InputError, Outcome, Run

IDS, MASK, LOGITS = "input_ids", "attention_mask", "logits"
PARAMETER = "padded_lengths"
# Tokens of a run on a GPU at most, where the configuration does not say.
RUN_PARAMETER, MAX_RUN_TOKENS = "max_run_tokens", 131_072


class Slots(Protocol):
    """What does several things at once (core_slots)."""

    def map(self, action: Callable[[Any], Array], items: Sequence[Any]) -> list[Array]: ...


def lengths_of(config: Mapping[str, Any]) -> tuple[int, ...]:
    """What texts are padded to, ascending; empty where the configuration leaves that to the clients.

    OptionError where it names something else than lengths.
    """
    return ort_options.parameter(config, PARAMETER, _lengths, ())


def _lengths(text: str) -> tuple[int, ...]:
    lengths = tuple(sorted({ort_options.integer(length) for length in text.split(",")}))
    if lengths[0] < 1:
        raise ValueError(f"a length of {lengths[0]} tokens is none")
    return lengths


def gpu_costs(config: Mapping[str, Any]) -> Costs:
    """What runs cost on a GPU, and how much one may hold; OptionError where the configuration's limit is no number.

    Texts of all lengths may share a run: in half precision, what else is in a batch moves an answer by rounding errors
    anyway, because the GPU chooses its kernels by the batch's shape.
    """
    return Costs(GPU_RUN_TOKENS, max_tokens=ort_options.parameter(config, RUN_PARAMETER, _positive, MAX_RUN_TOKENS))


def _positive(text: str) -> int:
    number = ort_options.integer(text)
    if number < 1:
        raise ValueError(f"{number} tokens are none")
    return number


def check(arrays: Arrays) -> None:
    """InputError where ids and mask are not of one shape: the rest of the ids would be left out without a word."""
    shapes = arrays[IDS].shape, arrays[MASK].shape
    if shapes[0] != shapes[1]:
        raise InputError(f"{IDS} has the shape {list(shapes[0])}, {MASK} {list(shapes[1])}")


def run_all(
    requests: Sequence[Arrays], lengths: Sequence[int], run: Run, slots: Slots | None = None, costs: Costs = ON_CPU
) -> list[Outcome]:
    """For every request of ids and mask, both `[rows, length]`, its logits `[rows, labels]`, or what ended it.

    With `slots`, several runs at once.
    """
    try:
        return _run(requests, lengths, run, slots, costs)
    except Exception as error:
        # ONNX Runtime's errors share no base class; whatever it was, it is the answer to the request that caused it.
        if len(requests) == 1:
            return [error]
    # One request's values (an id outside the vocabulary) fail the whole run: alone, only that one fails.
    return [outcome for request in requests for outcome in run_all([request], lengths, run, slots, costs)]


def _run(
    requests: Sequence[Arrays], lengths: Sequence[int], run: Run, slots: Slots | None, costs: Costs
) -> list[Outcome]:
    if not all(arrays[MASK].size for arrays in requests):
        raise InputError("a request without a row, or with rows of no token, has no answer")
    counts = np.concatenate([token_counts(arrays[MASK]) for arrays in requests])
    order = np.argsort(counts, kind="stable")
    ascending = counts[order].tolist()
    # What is longer than all of them is computed as it came.
    beyond = sorted({count for count in ascending if count > lengths[-1]})
    cuts = list(groups(ascending, [*lengths, *beyond], costs))
    # The longest first: what is left at the end is short, and all slots end at about the same time.
    cuts.sort(key=lambda cut: (cut[0] - cut[1]) * cut[2])
    all_rows = {name: _stacked([arrays[name] for arrays in requests]) for name in (IDS, MASK)}

    def logits_of(cut: tuple[int, int, int]) -> Array:
        start, end, length = cut
        rows = order[start:end]
        return run({name: _padded(array[rows], counts[rows], length) for name, array in all_rows.items()})[0]

    found = slots.map(logits_of, cuts) if slots else [logits_of(cut) for cut in cuts]
    answers = np.empty((len(counts), *found[0].shape[1:]), found[0].dtype)
    for (start, end, _), logits in zip(cuts, found, strict=True):
        answers[order[start:end]] = logits
    ends = np.cumsum([len(arrays[MASK]) for arrays in requests])
    return [{LOGITS: part} for part in np.split(answers, ends[:-1])]


def token_counts(mask: Array) -> Array:
    """`[rows]`: each row's length without the padding at its end. A row of nothing but padding keeps its length."""
    length = mask.shape[1]
    used = mask != 0
    counts: Array = np.where(used.any(axis=1), length - np.argmax(used[:, ::-1], axis=1), length)
    return counts


def _stacked(arrays: Sequence[Array]) -> Array:
    """The rows of all, `[rows, longest]`; what is shorter is followed by zeros."""
    shape = sum(map(len, arrays)), max(array.shape[1] for array in arrays)
    stacked, start = np.zeros(shape, arrays[0].dtype), 0
    for array in arrays:
        stacked[start : start + len(array), : array.shape[1]] = array
        start += len(array)
    return stacked


def _padded(rows: Array, counts: Array, length: int) -> Array:
    """`[rows, length]`: of each row its first `counts` tokens, then zeros."""
    padded = np.zeros((len(rows), length), rows.dtype)
    width = min(length, rows.shape[1])
    np.copyto(padded[:, :width], rows[:, :width], where=np.arange(width) < counts[:, None])
    return padded
