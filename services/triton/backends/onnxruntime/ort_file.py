"""The ONNX file of a model version: where it lies and which format versions it declares."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

# The newest that ONNX Runtime 1.19 loads, the oldest one in the Triton containers that this repository must load in.
MAX_IR_VERSION = 10
MAX_OPSET = 21

# Field numbers of onnx.ModelProto and onnx.OperatorSetIdProto (onnx.proto3).
_MODEL_IR_VERSION, _MODEL_OPSET_IMPORT = 1, 8
_OPSET_DOMAIN, _OPSET_VERSION = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class ModelFileError(Exception):
    """The file is missing, is not ONNX or is newer than every supported ONNX Runtime loads."""


def find_model_file(repository: Path, version: str, filename: str) -> Path:
    """The ONNX file of that version; where the name is a folder's, model.onnx in it. `filename` may be empty."""
    path = repository / version / (filename or "model.onnx")
    if path.is_dir():
        path = path / "model.onnx"
    if not path.is_file():
        raise ModelFileError(f"unable to find '{path}'")
    return path


def check_format(path: Path) -> None:
    """ModelFileError unless IR version and opset are ones that every supported ONNX Runtime loads."""
    try:
        ir_version, opsets = _read_versions(path)
    except (EOFError, TypeError, ValueError) as error:
        raise ModelFileError(f"'{path}' is not an ONNX model: {error}") from None
    if ir_version > MAX_IR_VERSION:
        raise ModelFileError(f"'{path}' has IR version {ir_version}, at most {MAX_IR_VERSION} is supported")
    opset = max(opsets.get("", 0), opsets.get("ai.onnx", 0))
    if opset > MAX_OPSET:
        raise ModelFileError(f"'{path}' has opset {opset}, at most {MAX_OPSET} is supported")


def _read_versions(path: Path) -> tuple[int, dict[str, int]]:
    """(IR version, opset version by domain), read without loading the graph, which may be gigabytes."""
    ir_version, opsets = 0, {}
    with path.open("rb") as file:
        end = path.stat().st_size
        for number, value in _fields(file, end, wanted={_MODEL_IR_VERSION, _MODEL_OPSET_IMPORT}):
            if number == _MODEL_IR_VERSION:
                ir_version = _as_int(value)
            else:
                domain, version = _read_opset(value)
                opsets[domain] = version
    return ir_version, opsets


def _read_opset(message: int | bytes) -> tuple[str, int]:
    if isinstance(message, int):
        raise TypeError("opset_import is not a message")
    values = dict(_fields(BytesIO(message), len(message), wanted={_OPSET_DOMAIN, _OPSET_VERSION}))
    domain = values.get(_OPSET_DOMAIN, b"")
    return (domain.decode() if isinstance(domain, bytes) else ""), _as_int(values.get(_OPSET_VERSION, 0))


def _as_int(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise TypeError("a version is not a number")
    return value


def _fields(file: BinaryIO, end: int, wanted: set[int]) -> Iterator[tuple[int, int | bytes]]:
    """The wanted fields of the protobuf message that ends at `end`; the others are skipped, not read."""
    while file.tell() < end:
        key = _varint(file)
        number, wire_type = key >> 3, key & 7
        if wire_type == _VARINT:
            value: int | bytes = _varint(file)
        elif wire_type in (_BYTES, _FIXED64, _FIXED32):
            length = _varint(file) if wire_type == _BYTES else 8 if wire_type == _FIXED64 else 4
            if file.tell() + length > end:
                raise EOFError("it is cut short")
            value = file.read(length) if number in wanted else b""
            if number not in wanted:
                file.seek(length, 1)
        else:
            raise ValueError(f"wire type {wire_type}")
        if number in wanted:
            yield number, value


def _varint(file: BinaryIO) -> int:
    value = shift = 0
    while byte := file.read(1):
        value |= (byte[0] & 0x7F) << shift
        shift += 7
        if byte[0] < 0x80:
            return value
        if shift > 63:
            raise ValueError("a number is too long")
    raise EOFError("it is cut short")
