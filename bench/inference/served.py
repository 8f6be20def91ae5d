"""Which runtime answers in Triton, so that the very same one can be called in process beside it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tritonclient.grpc.model_config_pb2 import ModelConfig

from bench.paths import TRITON_PYTHON


@dataclass(frozen=True)
class InService:
    """`order` is what a rival is told to prepare the same, run by `python`; `precision` is that of its products."""

    title: str
    precision: str
    python: Path
    order: dict[str, Any]


def runtime_in_service(config: ModelConfig, repository: Path, threads: int, choices: Path) -> InService:
    """What answers for the model that Triton serves with `config` out of `repository`.

    `choices`: where the backend notes which runtime it found to be the fastest; without a note it is ONNX Runtime with
    the configured file.
    """
    parameters = {key: value.string_value for key, value in config.parameters.items()}
    file = repository / config.name / parameters["version"] / (config.default_model_filename or "model.onnx")
    noted = _choice(choices, file.parent, threads)
    name = "onnxruntime"
    if noted:
        name, file = noted["runtime"].split()[0], Path(noted["file"])
    if name.startswith("openvino-"):
        precision = name.removeprefix("openvino-")
        order = {"runtime": "openvino", "precision": precision, "graph": str(file), "backend": name, "threads": threads}
        return InService(f"OpenVINO {precision}, {file.name}", precision, TRITON_PYTHON, order)
    precision = {"model.onnx": "fp32", "model.int8.onnx": "int8"}.get(file.name, parameters.get("precision", "fp32"))
    # Not "dynamic int8": the file is run as it is.
    order = {"runtime": "onnxruntime", "precision": precision, "graph": str(file), "threads": threads}
    return InService(f"ONNX Runtime, {file.name}", precision, TRITON_PYTHON, order)


def _choice(choices: Path, folder: Path, threads: int) -> Mapping[str, Any] | None:
    """The newest note for a file of that version with so many threads."""
    try:
        entries = json.loads(choices.read_text()).values()
    except FileNotFoundError:
        return None
    of_version = [e for e in entries if Path(e["file"]).parent == folder.resolve() and e["threads"] == threads]
    return of_version[-1] if of_version else None
