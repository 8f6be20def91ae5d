"""A checkpoint as ONNX, in each precision that Triton serves it in."""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx

from export.checkpoint import Checkpoint
from export.graphs.checks import check, check_file, finish, save
from export.graphs.first_token import keep_first_token
from export.graphs.fusion import fold_constants, fuse
from export.graphs.half import to_half
from export.graphs.int8 import to_int8
from export.graphs.quiet import quiet
from export.graphs.scales import make_scales_constant
from export.spec import Precision

# The first with LayerNormalization; NVIDIA's TensorRT 8.6 and ONNX Runtime 1.19 know it.
OPSET = 18
STANDARD = "standard.onnx"


def export_variant(checkpoint: Checkpoint, precision: Precision, out: Path, report: Callable[[str], None]) -> None:
    """Writes one file: inputs `input_ids` and `attention_mask`, int64 `[batch, sequence]`, padded right; output
    `logits`, fp32 `[batch, labels]`.

    ExportError where a layer's attention is not what the runtime's fused one computes, or the result is not whole.
    What several precisions share is kept in `checkpoint.work`.
    """
    if precision == "trt":
        model = _standard(checkpoint, report)
        make_scales_constant(model.graph, checkpoint.config.hidden // checkpoint.config.heads)
    else:
        model = _fused(checkpoint, report)
    keep_first_token(model.graph)
    if precision in ("fp16", "trt"):
        report("converting the weights to half precision")
        model = to_half(model)
    elif precision == "int8":
        report("quantizing the weights, with a scale for each channel")
        model = to_int8(model)
    finish(model, len(checkpoint.labels))
    check(model, precision, checkpoint)
    save(model, out)
    del model
    gc.collect()
    check_file(out)


def _fused(checkpoint: Checkpoint, report: Callable[[str], None]) -> Any:
    """The fp32 graph with ONNX Runtime's fused operators, made once."""
    path = checkpoint.work / "fused.onnx"
    if not path.exists():
        _standard(checkpoint, report)
        report("fusing attention, norms and activations")
        save(fuse(checkpoint.work / STANDARD, checkpoint), path)
        gc.collect()
    return onnx.load(path)


def _standard(checkpoint: Checkpoint, report: Callable[[str], None]) -> Any:
    """The fp32 graph in standard operators, made once."""
    path = checkpoint.work / STANDARD
    if not path.exists():
        report("tracing the model")
        traced = checkpoint.work / "traced.onnx"
        _trace(checkpoint, traced)
        # Models are cyclic garbage by then: left lying, they would add up to 16 times the weights.
        gc.collect()
        report("folding constants")
        fold_constants(traced, path)
        traced.unlink()
    return onnx.load(path)


def _trace(checkpoint: Checkpoint, out: Path) -> None:
    """The graph as torch's exporter writes it."""
    with quiet():
        from optimum.exporters.onnx import export
        from optimum.exporters.onnx.model_configs import DistilBertOnnxConfig, RobertaOnnxConfig

        kind = DistilBertOnnxConfig if checkpoint.architecture == "distilbert" else RobertaOnnxConfig
        model = checkpoint.load_model()
        export(model=model, config=kind(model.config, task="text-classification"), output=out, opset=OPSET)
