"""What the analyzer asks of whoever computes the models: Triton, or a runtime in this process."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc.model_config_pb2 import ModelConfig
from tritonclient.grpc.service_pb2 import ModelStatisticsResponse


class ModelServer(Protocol):
    """All of them raise Transient while it is away."""

    async def model_config(self, model: str) -> ModelConfig:
        """The configuration that `model` is served with."""

    async def find_model_config(self, model: str) -> ModelConfig | None:
        """The same; None where there is no such model."""

    async def statistics(self, timeout_s: float | None = None) -> dict[str, ModelStatisticsResponse]:
        """What each server, by its address, has counted of every version that is loaded."""

    async def infer(
        self, model: str, version: int, ids: NDArray[np.int64], mask: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Logits `[rows, labels]` of token ids and mask, `[rows, length]` both, by exactly this version; Rejected if it
        refuses them.
        """
