"""Dynamic int8 whose answers do not depend on their batch: every token has a scale of its own.

The usual dynamic quantization takes one scale for all of a batch, so the loudest text of a batch coarsens the others.
Here each row of a matrix product is scaled by its own largest value, and each column of the weights by its own: the
sums are exact integers, the same in any batch.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from export.graphs.first_token import replace_nodes

MICROSOFT = "com.microsoft"
STEPS = 127
# Activations are unsigned with this zero point: x86 multiplies unsigned by signed bytes, nothing else as fast.
ZERO_POINT = 128
# Tables below this size stay fp32.
MIN_TABLE_ROWS = 1_000


def to_int8(model: Any) -> Any:
    """The fused fp32 graph with int8 weights and matrix products. Changes `model`."""
    _Rewriter(model.graph).rewrite()
    return model


def quantize_columns(weights: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 weights `[rows, columns]` and the scale of each column.

    x86 without VNNI adds two neighbouring products in 16 bits and saturates: 255 times two weights of one sign must not
    exceed 32,767. A scale that keeps the pair below 129 makes the sums exact there too; it costs a fraction of a bit,
    where the usual remedy, 7-bit weights, costs one.
    """
    rows, columns = weights.shape
    pairs = np.concatenate([weights, np.zeros((rows % 2, columns), np.float32)]).reshape(-1, 2, columns)
    largest = np.maximum(np.maximum(pairs, 0).sum(1), np.maximum(-pairs, 0).sum(1)).max(0)
    # Rounding adds at most a half to each of the two: 128.
    scale = np.maximum(largest, 1e-8).astype(np.float32) / STEPS
    return np.rint(weights / scale).astype(np.int8), scale


def quantize_rows(table: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 embeddings `[rows, hidden]` and the scale of each row, `[rows, 1]`."""
    scale = np.maximum(np.abs(table).max(1, keepdims=True), 1e-8).astype(np.float32) / STEPS
    return np.rint(table / scale).astype(np.int8), scale


class _Rewriter:
    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        self._constants: dict[str, Any] = {}
        self._nodes: list[Any] = []
        self._quantized: dict[str, tuple[str, str]] = {}

    def rewrite(self) -> None:
        before_norm = {node.input[0] for node in self._graph.node if node.op_type == "SkipLayerNormalization"}
        for node in self._graph.node:
            if node.op_type == "Attention":
                self._attention(node)
            elif node.op_type == "MatMul" and node.input[1] in self._weights:
                self._product(node.input[0], node.input[1], node.output[0], negated=node.output[0] in before_norm)
            elif node.op_type == "SkipLayerNormalization" and node.input[0] in before_norm:
                self._norm(node)
            elif node.op_type == "Gather" and self._is_table(node.input[0]):
                self._embedding(node)
            else:
                self._nodes.append(node)
        replace_nodes(self._graph, self._nodes)
        self._graph.initializer.extend(self._constants.values())

    def _attention(self, node: Any) -> None:
        """One product for queries, keys and values, then the attention proper, which adds the bias itself."""
        source, weights, bias, mask = node.input
        output = node.output[0]
        width = self._weights[weights].dims[1] // 3
        self._product(source, weights, f"{output}.qkv")
        parts = [f"{output}.{part}" for part in ("query", "key", "value")]
        widths = self._constant("int8.split", np.full(3, width, np.int64))
        self._add("Split", [f"{output}.qkv", widths], *parts, axis=-1)
        heads = next(attribute.i for attribute in node.attribute if attribute.name == "num_heads")
        self._add("MultiHeadAttention", [*parts, bias, mask], output, domain=MICROSOFT, num_heads=heads)

    def _product(self, source: str, weights: str, output: str, *, negated: bool = False) -> None:
        bytes_, row_scale = self._quantize(source)
        quantized, column_scale = quantize_columns(numpy_helper.to_array(self._weights[weights]))
        inputs = [
            bytes_,
            self._constant(f"{weights}.int8", quantized),
            self._constant("int8.step", np.float32(1 / STEPS)),
            self._constant(f"{weights}.scale", -column_scale if negated else column_scale),
            self._constant("int8.zero", np.uint8(ZERO_POINT)),
            self._constant("int8.weight_zero", np.int8(0)),
        ]
        self._add("MatMulIntegerToFloat", inputs, f"{output}.unscaled", domain=MICROSOFT)
        self._add("Mul", [f"{output}.unscaled", row_scale], output)

    def _quantize(self, source: str) -> tuple[str, str]:
        """(bytes, largest absolute value of each row); made once for all products that share an input."""
        if source not in self._quantized:
            axis = self._constant("int8.axis", np.array([-1], np.int64))
            tiny = self._constant("int8.tiny", np.float32(1e-10))
            self._add("Abs", [source], f"{source}.abs")
            self._add("ReduceMax", [f"{source}.abs", axis], f"{source}.largest", keepdims=1)
            # A row of zeros would be divided by zero.
            self._add("Max", [f"{source}.largest", tiny], f"{source}.scale")
            self._add("Div", [source, f"{source}.scale"], f"{source}.relative")
            step = self._constant("int8.step", np.float32(1 / STEPS))
            zero = self._constant("int8.zero", np.uint8(ZERO_POINT))
            self._add("QuantizeLinear", [f"{source}.relative", step, zero], f"{source}.bytes")
            self._quantized[source] = f"{source}.bytes", f"{source}.scale"
        return self._quantized[source]

    def _norm(self, node: Any) -> None:
        """The same norm, out of parts: the runtime's fused one is not vectorized on processors, and takes longer than
        the products around it. A sum would be fused again when the file is loaded, a difference is not; so the product
        comes negated, and the norm's weights bring the sign back.
        """
        product, skip, weights, shift, bias = node.input
        output = node.output[0]
        epsilon = next(attribute.f for attribute in node.attribute if attribute.name == "epsilon")
        negative = self._constant(f"{weights}.negative", -numpy_helper.to_array(self._weights[weights]))
        self._add("Sub", [product, skip], f"{output}.skipped")
        self._add("Sub", [f"{output}.skipped", bias], f"{output}.negative")
        self._add("LayerNormalization", [f"{output}.negative", negative, shift], output, axis=-1, epsilon=epsilon)

    def _embedding(self, node: Any) -> None:
        table, ids = node.input
        output = node.output[0]
        quantized, scale = quantize_rows(numpy_helper.to_array(self._weights[table]))
        self._add("Gather", [self._constant(f"{table}.int8", quantized), ids], f"{output}.bytes")
        self._add("Gather", [self._constant(f"{table}.scale", scale), ids], f"{output}.scale")
        self._add("Cast", [f"{output}.bytes"], f"{output}.steps", to=onnx.TensorProto.FLOAT)
        self._add("Mul", [f"{output}.steps", f"{output}.scale"], output)

    def _is_table(self, name: str) -> bool:
        tensor = self._weights.get(name)
        return tensor is not None and len(tensor.dims) == 2 and tensor.dims[0] >= MIN_TABLE_ROWS

    def _constant(self, name: str, value: Any) -> str:
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def _add(self, operator: str, inputs: list[str], *outputs: str, domain: str = "", **attributes: Any) -> None:
        self._nodes.append(helper.make_node(operator, inputs, list(outputs), domain=domain, **attributes))
