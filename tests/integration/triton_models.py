"""Small ONNX graphs and the model folders around them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

VOCABULARY = 1_000
# Triton's name of every data type -> ONNX's.
TYPES: Mapping[str, int] = {
    "BOOL": TensorProto.BOOL,
    "UINT8": TensorProto.UINT8,
    "UINT16": TensorProto.UINT16,
    "UINT32": TensorProto.UINT32,
    "UINT64": TensorProto.UINT64,
    "INT8": TensorProto.INT8,
    "INT16": TensorProto.INT16,
    "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64,
    "FP16": TensorProto.FLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
    "STRING": TensorProto.STRING,
}


def model(graph: onnx.GraphProto, *, opset: int = 21, ir_version: int = 10) -> bytes:
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)
    content: bytes = made.SerializeToString()
    return content


def classifier(labels: int = 3, width: int = 8, batch: str | int = "batch", products: int = 0) -> onnx.GraphProto:
    """input_ids, attention_mask INT64 [batch, length] -> logits FP32 [batch, labels].

    The mean embedding of the row's tokens, projected: padding changes nothing. An id outside the vocabulary fails the
    run. Each of the `products` is one of 1024 x 1024 matrices, only to be slow.
    """
    random = np.random.default_rng(1)
    weights = {
        "table": random.standard_normal((VOCABULARY, width), dtype=np.float32),
        "projection": random.standard_normal((width, labels), dtype=np.float32),
        "square": np.full((1024, 1024) if products else (1, 1), 1 / 1024, dtype=np.float32),
        "axis": np.array([1]),
        "last": np.array([2]),
    }
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["embedded"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
        helper.make_node("Mul", ["embedded", "column"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "axis"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "axis"], ["tokens"], keepdims=1),
        helper.make_node("Div", ["sum", "tokens"], ["pooled"]),
        helper.make_node("MatMul", ["pooled", "projection"], ["quick"]),
        # Zero, but only at run time: what does not depend on the input would be computed when the model loads.
        helper.make_node("ReduceMin", ["mask"], ["lowest"], keepdims=0),
        helper.make_node("Sub", ["lowest", "lowest"], ["zero"]),
        helper.make_node("Add", ["square", "zero"], ["product_0"]),
        *(helper.make_node("MatMul", [f"product_{n}", "square"], [f"product_{n + 1}"]) for n in range(products)),
        helper.make_node("ReduceMin", [f"product_{products}"], ["least"], keepdims=0),
        helper.make_node("Mul", ["least", "zero"], ["nothing"]),
        helper.make_node("Add", ["quick", "nothing"], ["logits"]),
    ]
    return helper.make_graph(
        nodes,
        "classifier",
        [
            helper.make_tensor_value_info(n, TensorProto.INT64, [batch, "length"])
            for n in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, labels])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )


def identities(shape: Sequence[str | int], types: Mapping[str, int] = TYPES) -> onnx.GraphProto:
    """For each type an input in_<type> and an equal output out_<type> of that shape."""
    return helper.make_graph(
        [helper.make_node("Identity", [f"in_{name}"], [f"out_{name}"]) for name in types],
        "identities",
        [helper.make_tensor_value_info(f"in_{name}", number, shape) for name, number in types.items()],
        [helper.make_tensor_value_info(f"out_{name}", number, shape) for name, number in types.items()],
    )


def tensor(name: str, data_type: str, dims: str, extra: str = "") -> str:
    return f'{{ name: "{name}" data_type: TYPE_{data_type} dims: [ {dims} ] {extra} }}'


def parameter(key: str, value: str) -> str:
    return f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}\n'


IDS = tensor("input_ids", "INT64", "-1")
MASK = tensor("attention_mask", "INT64", "-1")
LOGITS = tensor("logits", "FP32", "3")


def config(
    name: str,
    inputs: Sequence[str] = (IDS, MASK),
    outputs: Sequence[str] = (LOGITS,),
    *,
    max_batch_size: int = 64,
    kind: str = "KIND_CPU",
    extra: str = "",
) -> str:
    """A config.pbtxt; by default the classifier's."""
    return (
        f'name: "{name}"\nbackend: "onnxruntime"\nmax_batch_size: {max_batch_size}\n'
        f"input [ {', '.join(inputs)} ]\noutput [ {', '.join(outputs)} ]\n"
        f"instance_group [ {{ kind: {kind} count: 1 }} ]\n{extra}"
    )


def write(
    repository: Path, name: str, text: str, content: bytes, filename: str = "model.onnx", *, version: str = "1"
) -> None:
    """The folder of one model with that version, and its configuration."""
    folder = repository / name / version
    folder.mkdir(parents=True)
    (folder.parent / "config.pbtxt").write_text(text)
    (folder / filename).write_bytes(content)
