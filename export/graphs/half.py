"""Half precision inside, single precision at the outputs: half the file, and tensor cores on a GPU."""

from typing import Any

import numpy as np
from onnx import helper, numpy_helper

from export.graphs.quiet import quiet

# Added to the scores of padding, or put in their place. fp32's lowest number would become -65504 in fp16, and that plus
# a score -infinity: NaN for a row of padding alone, such as a server's warm-up has. exp(-10000) is 0 in fp16 and fp32.
MASKED = -10_000.0
LOWEST = -1e30


def to_half(model: Any) -> Any:
    """The graph with fp16 weights and activations; inputs and outputs keep their types. Changes `model`."""
    with quiet():
        from onnxruntime.transformers.float16 import convert_float_to_float16

        _soften_masks(model.graph)
        return convert_float_to_float16(model, keep_io_types=True)


def _soften_masks(graph: Any) -> None:
    for tensor in graph.initializer:
        if tensor.dims == [] or list(tensor.dims) == [1]:
            value = numpy_helper.to_array(tensor)
            if value.dtype == np.float32 and value.item() < LOWEST:
                tensor.CopyFrom(numpy_helper.from_array(np.full(value.shape, MASKED, np.float32), tensor.name))
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name == "mask_filter_value":
                attribute.CopyFrom(helper.make_attribute("mask_filter_value", MASKED))
