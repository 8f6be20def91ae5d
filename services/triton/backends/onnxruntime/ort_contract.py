"""What a model configuration promises, held against what the ONNX graph has.

As strict as NVIDIA's native backend, so that what loads here loads there. Stricter in one point: what this backend
does not do (sequences, ragged batches, batch inputs, custom operators, decoupled answers) is refused, never ignored.
"""

# onnxruntime has no type hints.
# mypy: disable-error-code="import-not-found,import-untyped"

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnxruntime as ort

_ONNX_TYPES = {
    "TYPE_BOOL": "tensor(bool)",
    "TYPE_UINT8": "tensor(uint8)",
    "TYPE_UINT16": "tensor(uint16)",
    "TYPE_UINT32": "tensor(uint32)",
    "TYPE_UINT64": "tensor(uint64)",
    "TYPE_INT8": "tensor(int8)",
    "TYPE_INT16": "tensor(int16)",
    "TYPE_INT32": "tensor(int32)",
    "TYPE_INT64": "tensor(int64)",
    "TYPE_FP16": "tensor(float16)",
    "TYPE_FP32": "tensor(float)",
    "TYPE_FP64": "tensor(double)",
    "TYPE_STRING": "tensor(string)",
}
_UNSUPPORTED = ("sequence_batching", "ensemble_scheduling", "batch_input", "batch_output")


class ContractError(Exception):
    """Configuration and graph disagree, or the configuration asks for what this backend does not do."""


@dataclass(frozen=True)
class Tensor:
    """An input or output of the graph; a dimension of -1 is dynamic, no dimension a scalar."""

    name: str
    onnx_type: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Contract:
    """What `execute` has to know: all tensors of the graph by name, and the outputs to compute, in order."""

    max_batch_size: int
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    output_dims: Mapping[str, tuple[int, ...]]


def check(config: Mapping[str, Any], session: ort.InferenceSession) -> Contract:
    """The contract of both; ContractError says in which point they disagree."""
    _refuse_unsupported(config)
    max_batch_size = int(config.get("max_batch_size", 0))
    required = _tensors(session.get_inputs())
    inputs = required | _tensors(session.get_overridable_initializers())
    outputs = _tensors(session.get_outputs())
    expected = [entry for entry in config["input"] if not entry.get("optional")]
    if len(expected) != len(required):
        raise ContractError(f"configuration expects {len(expected)} inputs, model provides {len(required)}")
    for entry in config["input"]:
        tensor = _find(entry, inputs, "input")
        _check_input(entry, tensor, max_batch_size)
    for entry in config["output"]:
        _compare(entry, _find(entry, outputs, "output"), max_batch_size, exact=True)
    output_dims = {entry["name"]: _dims(entry) for entry in config["output"]}
    return Contract(max_batch_size, inputs, {name: outputs[name] for name in output_dims}, output_dims)


def _refuse_unsupported(config: Mapping[str, Any]) -> None:
    for key in _UNSUPPORTED:
        if config.get(key):
            raise ContractError(f"{key} is not supported by this backend")
    if config.get("model_operations", {}).get("op_library_filename"):
        raise ContractError("model_operations is not supported by this backend")
    if config.get("model_transaction_policy", {}).get("decoupled"):
        raise ContractError("a decoupled transaction policy is not supported by this backend")


def _tensors(arguments: Iterable[ort.NodeArg]) -> dict[str, Tensor]:
    tensors = {}
    for argument in arguments:
        if not argument.type.startswith("tensor("):
            raise ContractError(f"unsupported ONNX type '{argument.type}' of '{argument.name}', expected a tensor")
        shape = tuple(dim if isinstance(dim, int) else -1 for dim in argument.shape or ())
        tensors[argument.name] = Tensor(argument.name, argument.type, shape)
    return tensors


def _find(entry: Mapping[str, Any], tensors: Mapping[str, Tensor], role: str) -> Tensor:
    """The graph's tensor of that name and type."""
    name = entry["name"]
    tensor = tensors.get(name)
    if tensor is None:
        raise ContractError(f"unexpected inference {role} '{name}', allowed {role}s are: {', '.join(sorted(tensors))}")
    expected = _ONNX_TYPES.get(entry["data_type"])
    if expected is None:
        raise ContractError(f"unsupported datatype {entry['data_type']} for {role} '{name}'")
    if expected != tensor.onnx_type:
        raise ContractError(
            f"configuration expects datatype {entry['data_type']} for {role} '{name}', model provides "
            f"{tensor.onnx_type}"
        )
    return tensor


def _check_input(entry: Mapping[str, Any], tensor: Tensor, max_batch_size: int) -> None:
    if entry.get("optional") and max_batch_size:
        raise ContractError(f"optional input '{tensor.name}' is not supported for models that support batching")
    if entry.get("allow_ragged_batch"):
        raise ContractError(f"allow_ragged_batch of input '{tensor.name}' is not supported by this backend")
    _compare(entry, tensor, max_batch_size, exact=False)


def _dims(entry: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(int(dim) for dim in entry.get("reshape", entry).get("shape" if "reshape" in entry else "dims", ()))


def _compare(entry: Mapping[str, Any], tensor: Tensor, max_batch_size: int, *, exact: bool) -> None:
    """Dimensions agree; unless `exact`, the graph's dynamic ones agree with every number."""
    dims = _dims(entry)
    if not tensor.shape:
        if any(dim != 1 for dim in dims):
            raise ContractError(f"scalar tensor '{tensor.name}' may only have dims of 1, not {_text(dims)}")
        return
    if max_batch_size and tensor.shape[0] != -1:
        raise ContractError(
            f"tensor '{tensor.name}': for the model to support batching its first dimension must be -1, but the "
            f"model's shape is {_text(tensor.shape)}"
        )
    full = (-1, *dims) if max_batch_size else dims
    same = len(full) == len(tensor.shape) and all(
        have == want or (have == -1 and not exact) for have, want in zip(tensor.shape, full, strict=True)
    )
    if not same:
        raise ContractError(
            f"tensor '{tensor.name}': the model's shape is {_text(tensor.shape)} but the configuration specifies "
            f"{_text(full)}{' (the batch dimension first)' if max_batch_size else ''}"
        )


def _text(dims: Sequence[int]) -> str:
    return "[" + ",".join(map(str, dims)) + "]"
