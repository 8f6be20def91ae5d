"""How Triton runs a model, as far as its configuration says."""

from dataclasses import dataclass
from typing import Literal

from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

Device = Literal["cpu", "gpu"]


@dataclass(frozen=True)
class Deployment:
    """`device` and `runtime` are None where the configuration leaves them to the server.

    On a CPU it does: the wheel's backend takes the runtime that is the fastest on its machine.
    """

    device: Device | None
    runtime: str | None
    precision: str | None


def deployment(config: ModelConfig) -> Deployment:
    kinds = {group.kind for group in config.instance_group}
    device: Device | None = None
    if ModelInstanceGroup.KIND_GPU in kinds:
        device = "gpu"
    elif ModelInstanceGroup.KIND_CPU in kinds:
        device = "cpu"
    accelerators = config.optimization.execution_accelerators
    named = accelerators.gpu_execution_accelerator if device == "gpu" else accelerators.cpu_execution_accelerator
    runtime = named[0].name if named else config.backend if device == "gpu" else None
    return Deployment(device, runtime or None, config.parameters["precision"].string_value or None)
