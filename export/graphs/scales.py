"""Attention's scale as a constant. torch traces it as a computation on the shape of the queries, the same each time."""

from typing import Any

import numpy as np
from onnx import numpy_helper

from export.graphs.first_token import replace_nodes

NAME = "attention.scale"


def make_scales_constant(graph: Any, head_width: int) -> None:
    """Queries and keys are each multiplied by `head_width` to the power of -1/4; nothing about shapes is left in it."""
    producers = {output: node for node in graph.node for output in node.output}

    def computed(name: str) -> bool:
        chain: list[str] = []
        while name in producers and len(chain) < 4:
            node = producers[name]
            chain.append(node.op_type)
            name = node.input[1] if node.op_type == "Div" else node.input[0]
        return chain == ["Sqrt", "Div", "Sqrt", "Cast"]

    for node in graph.node:
        if node.op_type == "Mul" and computed(node.input[1]):
            node.input[1] = NAME
    graph.initializer.append(numpy_helper.from_array(np.float32(head_width**-0.25), NAME))
    _remove_unused(graph)


def _remove_unused(graph: Any) -> None:
    wanted = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted.update(node.input)
    replace_nodes(graph, kept[::-1])
