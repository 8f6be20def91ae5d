"""Merges the arrays of requests that share a shape, runs the session once for each merger, and splits the outputs."""

# The Python backend puts this folder on the module path; a type checker may not know it.
# mypy: disable-error-code="import-not-found,import-untyped"

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ort_contract import Contract, Tensor

Array = NDArray[Any]
Arrays = Mapping[str, Array]
# Feeds by input name -> all outputs of the contract, in its order.
Run = Callable[[Arrays], Sequence[Array]]
Outcome = Arrays | Exception


class InputError(Exception):
    """The arrays of one request cannot be an input of the model."""


def decode(tensor: Tensor, array: Array) -> Array:
    """The array as ONNX Runtime takes it: bytes become text, a scalar loses the dimensions that Triton gave it."""
    if array.dtype == np.object_:
        array = _as_text(tensor.name, array)
    return array.reshape(()) if not tensor.shape else array


def run_all(requests: Sequence[Arrays], contract: Contract, run: Run) -> list[Outcome]:
    """For every request its outputs, or the exception that ended it; shapes in a group are equal by construction."""
    outcomes: list[Outcome] = [InputError("not run")] * len(requests)
    groups: defaultdict[Any, list[int]] = defaultdict(list)
    for index, arrays in enumerate(requests):
        # Without a batch dimension nothing can be merged: each request is a group of its own.
        key = _merge_key(arrays) if contract.max_batch_size else index
        groups[key].append(index)
    for indices in groups.values():
        for index, outcome in zip(indices, _run_group([requests[i] for i in indices], contract, run), strict=True):
            outcomes[index] = outcome
    return outcomes


def _merge_key(arrays: Arrays) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple(sorted((name, array.shape[1:]) for name, array in arrays.items()))


def _run_group(group: Sequence[Arrays], contract: Contract, run: Run) -> list[Outcome]:
    if len(group) == 1:
        try:
            return [_name_outputs(run(group[0]), contract)]
        except Exception as error:
            # ONNX Runtime's errors share no base class; whatever it was, it is the answer to this request.
            return [error]
    try:
        merged = {name: np.concatenate([arrays[name] for arrays in group]) for name in group[0]}
        outputs = _name_outputs(run(merged), contract)
        return _split(outputs, [len(next(iter(arrays.values()))) for arrays in group])
    except Exception:
        # One request's values (an id outside the vocabulary) fail the whole merger: alone, only that one fails.
        return [outcome for arrays in group for outcome in _run_group([arrays], contract, run)]


def _name_outputs(outputs: Sequence[Array], contract: Contract) -> Arrays:
    """Outputs by name; a scalar gets the dimensions of the configuration."""
    named = {}
    for (name, tensor), array in zip(contract.outputs.items(), outputs, strict=True):
        named[name] = array if tensor.shape else np.reshape(array, contract.output_dims[name])
    return named


def _split(outputs: Arrays, rows: Sequence[int]) -> list[Outcome]:
    ends = np.cumsum(rows)
    for name, array in outputs.items():
        if len(array) != ends[-1]:
            raise InputError(f"output '{name}' has {len(array)} rows for a batch of {ends[-1]}")
    parts = {name: np.split(array, ends[:-1]) for name, array in outputs.items()}
    return [{name: part[index] for name, part in parts.items()} for index in range(len(rows))]


def _as_text(name: str, array: Array) -> Array:
    try:
        texts = [item.decode() if isinstance(item, bytes) else str(item) for item in array.ravel()]
    except UnicodeDecodeError as error:
        raise InputError(f"input '{name}' is not UTF-8: {error}") from None
    return np.array(texts, dtype=np.object_).reshape(array.shape)
