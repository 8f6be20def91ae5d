"""What every exported file has to be, checked before it is written; a violation is a bug or a new library version."""

from pathlib import Path
from typing import Any

import onnx

from export.checkpoint import Checkpoint
from export.errors import ExportError
from export.spec import Precision

# Triton 24.10's native backend (ONNX Runtime 1.19) refuses what is newer.
MAX_IR_VERSION = 10
MAX_OPSET = 21
MICROSOFT = "com.microsoft"
INPUTS = ("input_ids", "attention_mask")
# There is one of these for each layer.
ATTENTION: dict[Precision, str] = {
    "fp32": "Attention",
    "fp16": "Attention",
    "int8": "MultiHeadAttention",
    "trt": "Softmax",
}


def finish(model: Any, labels: int) -> None:
    """Names the axes, drops what no node uses, and keeps the versions that servers know."""
    graph = model.graph
    used = {name for node in graph.node for name in node.input}
    for position in reversed(range(len(graph.initializer))):
        if graph.initializer[position].name not in used:
            del graph.initializer[position]
    # Shapes inferred for an earlier form of the graph.
    del graph.value_info[:]
    for value in (*graph.input, *graph.output):
        shape = value.type.tensor_type.shape
        axes = ("batch", "sequence") if value.name in INPUTS else ("batch", labels)
        del shape.dim[:]
        for axis in axes:
            dimension = shape.dim.add()
            if isinstance(axis, int):
                dimension.dim_value = axis
            else:
                dimension.dim_param = axis
    domains = {node.domain for node in graph.node}
    versions = {imported.domain: imported.version for imported in model.opset_import} | {MICROSOFT: 1}
    del model.opset_import[:]
    for domain in sorted(domains | {""}):
        model.opset_import.append(onnx.helper.make_opsetid(domain, versions[domain]))
    model.ir_version = min(model.ir_version, MAX_IR_VERSION)


def check(model: Any, precision: Precision, checkpoint: Checkpoint) -> None:
    """ExportError where the graph is not the one that was asked for."""
    graph = model.graph
    found = sum(node.op_type == ATTENTION[precision] for node in graph.node)
    foreign = {node.domain for node in graph.node} - ({""} if precision == "trt" else {"", MICROSOFT})
    problems = []
    if found != checkpoint.layers:
        problems.append(f"{found} {ATTENTION[precision]} nodes for {checkpoint.layers} layers")
    if foreign:
        problems.append(f"operators of {', '.join(sorted(foreign))}")
    if tuple(value.name for value in graph.input) != INPUTS or [value.name for value in graph.output] != ["logits"]:
        problems.append("other inputs or outputs")
    opset = next(imported.version for imported in model.opset_import if not imported.domain)
    if opset > MAX_OPSET or model.ir_version > MAX_IR_VERSION:
        problems.append(f"opset {opset}, IR version {model.ir_version}")
    if problems:
        raise ExportError(
            f"the {precision} graph of {checkpoint.source} has {'; '.join(problems)}: "
            "export with the versions of requirements/export.txt"
        )


def check_file(path: Path) -> None:
    """ExportError where the file breaks ONNX's rules or ONNX Runtime cannot load it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        onnx.checker.check_model(str(path))
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # checker and runtime have kinds of their own, all of them Exception
        raise ExportError(
            f"ONNX Runtime cannot load {path.name}: {next(iter(str(error).splitlines()), '')}; "
            "export with the versions of requirements/export.txt"
        ) from error


def save(model: Any, path: Path) -> None:
    """One file, no external data: what this exports is below 2 GB."""
    onnx.save_model(model, path, save_as_external_data=False)
