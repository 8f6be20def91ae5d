"""Requests with short and long texts together: each text is computed with as little padding as pays.

On a CPU a padded token costs as much as any other, and what is padding is known here, from the mask. So clients that
read the configuration's parameter `padded_lengths` send texts of all lengths in one request, and it is cut here: sorted
by length, padded to a few lengths, so many texts a run that padding and runs cost least together.
"""

# The Python backend puts this folder on the module path; a type checker may not know it.
# mypy: disable-error-code="import-not-found,import-untyped"

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import ort_options
from length_groups import groups
from ort_batches import Array, Arrays, InputError, Outcome, Run

IDS, MASK, LOGITS = "input_ids", "attention_mask", "logits"
PARAMETER = "padded_lengths"


class Slots(Protocol):
    """What does several things at once (core_slots)."""

    def map(self, action: Callable[[Any], Array], items: Sequence[Any]) -> list[Array]: ...


class Row(NamedTuple):
    """One text: its request, its place there, and its length in tokens."""

    request: int
    place: int
    tokens: int


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


def check(arrays: Arrays) -> None:
    """InputError where ids and mask are not of one shape: the rest of the ids would be left out without a word."""
    shapes = arrays[IDS].shape, arrays[MASK].shape
    if shapes[0] != shapes[1]:
        raise InputError(f"{IDS} has the shape {list(shapes[0])}, {MASK} {list(shapes[1])}")


def run_all(requests: Sequence[Arrays], lengths: Sequence[int], run: Run, slots: Slots | None = None) -> list[Outcome]:
    """For every request of ids and mask, both `[rows, length]`, its logits `[rows, labels]`, or what ended it.

    With `slots`, several runs at once.
    """
    try:
        return _run(requests, lengths, run, slots)
    except Exception as error:
        # ONNX Runtime's errors share no base class; whatever it was, it is the answer to the request that caused it.
        if len(requests) == 1:
            return [error]
    # One request's values (an id outside the vocabulary) fail the whole run: alone, only that one fails.
    return [outcome for request in requests for outcome in run_all([request], lengths, run, slots)]


def _run(requests: Sequence[Arrays], lengths: Sequence[int], run: Run, slots: Slots | None) -> list[Outcome]:
    rows = sorted(
        (
            Row(number, place, int(tokens))
            for number, arrays in enumerate(requests)
            for place, tokens in enumerate(token_counts(arrays[MASK]))
        ),
        key=lambda row: row.tokens,
    )
    # What is longer than all of them is computed as it came.
    beyond = sorted({row.tokens for row in rows if row.tokens > lengths[-1]})
    cuts = list(groups([row.tokens for row in rows], [*lengths, *beyond]))
    # The longest first: what is left at the end is short, and all slots end at about the same time.
    cuts.sort(key=lambda cut: (cut[0] - cut[1]) * cut[2])

    def logits_of(cut: tuple[int, int, int]) -> Array:
        start, end, length = cut
        return run({name: _gathered(requests, rows[start:end], name, length) for name in (IDS, MASK)})[0]

    found = slots.map(logits_of, cuts) if slots else [logits_of(cut) for cut in cuts]
    answers: list[list[Any]] = [[None] * len(arrays[MASK]) for arrays in requests]
    for (start, end, _), logits in zip(cuts, found, strict=True):
        for row, answer in zip(rows[start:end], logits, strict=True):
            answers[row.request][row.place] = answer
    return [{LOGITS: np.stack(each)} for each in answers]


def token_counts(mask: Array) -> Array:
    """`[rows]`: each row's length without the padding at its end. A row of nothing but padding keeps its length."""
    length = mask.shape[1]
    used = mask != 0
    counts: Array = np.where(used.any(axis=1), length - np.argmax(used[:, ::-1], axis=1), length)
    return counts


def _gathered(requests: Sequence[Arrays], rows: Sequence[Row], name: str, length: int) -> Array:
    """One input of these rows, `[rows, length]`, padded with zeros."""
    gathered = np.zeros((len(rows), length), requests[rows[0].request][name].dtype)
    for index, row in enumerate(rows):
        gathered[index, : row.tokens] = requests[row.request][name][row.place, : row.tokens]
    return gathered
