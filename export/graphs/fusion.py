"""ONNX Runtime's offline graph optimizations: constants folded, attention, norms and activations fused."""

from pathlib import Path
from typing import Any

from onnx import helper

from export.checkpoint import Checkpoint
from export.errors import ExportError
from export.graphs.first_token import replace_nodes
from export.graphs.quiet import quiet


def fold_constants(source: Path, out: Path) -> None:
    """ONNX Runtime's basic optimizations, which stay within standard operators."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(out)
    options.log_severity_level = 3  # it warns that the file is for machines like this one, which holds above basic
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


def fuse(source: Path, checkpoint: Checkpoint) -> Any:
    """The graph with one fused attention a layer; ExportError where a layer has none.

    Attention takes the mask as the row's length, which right padding makes exact. The embeddings stay apart: their
    fused operator would compute the same.
    """
    with quiet():
        from onnxruntime.transformers.fusion_options import FusionOptions
        from onnxruntime.transformers.optimizer import optimize_model

        options = FusionOptions("bert")
        options.enable_embed_layer_norm = False
        # Only the embeddings' norm needs it, and it takes four times the memory.
        options.enable_shape_inference = False
        model = optimize_model(
            str(source),
            "bert",
            num_heads=checkpoint.config.heads,
            hidden_size=checkpoint.config.hidden,
            opt_level=0,
            optimization_options=options,
        ).model
    _separate_embedding_norm(model.graph)
    count = sum(node.op_type == "Attention" for node in model.graph.node)
    if count != checkpoint.layers:
        raise ExportError(
            f"only {count} of {checkpoint.layers} attention layers of {checkpoint.source} could be fused: "
            "export it without changes to its attention"
        )
    return model


def _separate_embedding_norm(graph: Any) -> None:
    """Without shapes, the norm of the embeddings is fused like the others, though its positions have no batch axis,
    which not every runtime allows. It is the one without a bias.
    """
    nodes = []
    for node in graph.node:
        if node.op_type == "SkipLayerNormalization" and len(node.input) == 4:
            first, second, weights, shift = node.input
            total = f"{node.output[0]}.sum"
            epsilon = next(attribute.f for attribute in node.attribute if attribute.name == "epsilon")
            nodes.append(helper.make_node("Add", [first, second], [total]))
            nodes.append(
                helper.make_node(
                    "LayerNormalization", [total, weights, shift], [node.output[0]], axis=-1, epsilon=epsilon
                )
            )
        else:
            nodes.append(node)
    replace_nodes(graph, nodes)
