"""Which runtime answers in Triton, so that the very same one can be called in process beside it."""

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


def runtime_in_service(config: ModelConfig, repository: Path, threads: int) -> InService:
    """What answers for the model that Triton serves with `config` out of `repository`.

    The one place to extend when the backend chooses among more runtimes: it reads what the configuration says, and
    names the runtime, the file and the settings for a rival in Triton's own environment. For OpenVINO that would be
    {"runtime": "openvino", "precision": "bf16", "graph": file, "threads": threads, "settings": {its properties}}.
    """
    parameters = {key: value.string_value for key, value in config.parameters.items()}
    file = repository / config.name / parameters["version"] / (config.default_model_filename or "model.onnx")
    precision = {"model.onnx": "fp32", "model.int8.onnx": "int8"}.get(file.name, parameters.get("precision", "fp32"))
    return InService(
        title=f"ONNX Runtime, {file.name}",
        precision=precision,
        python=TRITON_PYTHON,
        # Not "dynamic int8": the file is run as it is.
        order={"runtime": "onnxruntime", "precision": precision, "graph": str(file), "threads": threads},
    )
