"""What a configuration says of where and how a model is computed, and what it leaves open."""

from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from services.inference.deployment import Deployment, deployment

CONFIGS = Path(__file__).parents[3] / "model_repository" / "sentiment" / "1" / "configs"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cpu", Deployment("cpu", None, "fp32")),
        ("gpu", Deployment("gpu", "onnxruntime", "fp32")),
        ("gpu-trt", Deployment("gpu", "tensorrt", "fp32")),
    ],
)
def test_the_shipped_configurations(name: str, expected: Deployment) -> None:
    config = text_format.Parse((CONFIGS / f"{name}.pbtxt").read_text(), ModelConfig())
    assert deployment(config) == expected


def test_what_is_not_written_is_not_guessed() -> None:
    assert deployment(text_format.Parse('name: "m" backend: "onnxruntime"', ModelConfig())) == Deployment(
        None, None, None
    )
