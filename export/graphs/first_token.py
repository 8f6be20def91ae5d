"""Classifiers read the first token alone: what the last layer computes for the others is left out.

After the last attention, everything up to the head works on each token by itself. Cut to the first token there, a
DistilBERT does an eighth less work and a RoBERTa a sixteenth, with the same answers.
"""

from typing import Any

import numpy as np
from onnx import helper, numpy_helper

from export.errors import ExportError

# What works on each token by itself: along the last axis, or element by element.
TOKENWISE = {"MatMul", "Add", "Mul", "Div", "Erf", "LayerNormalization", "SkipLayerNormalization", "BiasGelu", "Gelu"}


def keep_first_token(graph: Any) -> None:
    """Cuts `[batch, sequence, hidden]` to `[batch, 1, hidden]` as early as the first token's answer allows."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    consumers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            consumers.setdefault(name, []).append(node)
    head = _first_token_gather(graph, constants)
    cut = [head]
    wanted = {head.input[0]}
    slices = {}
    for node in reversed(graph.node):
        output = node.output[0]
        if output not in wanted:
            continue
        if node.op_type in TOKENWISE and all(consumer in cut for consumer in consumers[output]):
            cut.append(node)
            wanted.update(name for name in node.input if name and name not in constants)
        else:
            slices[output] = f"{output}.first"
    for node in cut:
        for position, name in enumerate(node.input):
            if name in slices:
                node.input[position] = slices[name]
    nodes = []
    for node in graph.node:
        nodes.append(node)
        if first := slices.get(node.output[0]):
            nodes.append(helper.make_node("Slice", [node.output[0], "first.0", "first.1", "first.1"], [first]))
    graph.initializer.extend(numpy_helper.from_array(np.array([i], np.int64), f"first.{i}") for i in (0, 1))
    replace_nodes(graph, nodes)


def replace_nodes(graph: Any, nodes: list[Any]) -> None:
    """`nodes` may contain nodes of the graph itself, which deleting them would empty."""
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def _first_token_gather(graph: Any, constants: dict[str, Any]) -> Any:
    for node in reversed(graph.node):
        if node.op_type == "Gather" and node.input[1] in constants:
            index = numpy_helper.to_array(constants[node.input[1]])
            axis = {attribute.name: attribute.i for attribute in node.attribute}.get("axis", 0)
            if axis == 1 and index.shape == () and index == 0:
                return node
    raise ExportError(
        "the graph's head does not read the first token: export with the versions of requirements/export.txt"
    )
