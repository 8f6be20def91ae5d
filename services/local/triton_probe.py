"""Whether the server is ours and every model answers: a real inference, because "ready" stays true without the stub."""

import asyncio
import time
from collections.abc import Sequence

import numpy as np
from tritonclient.grpc import InferInput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig
from tritonclient.grpc.service_pb2 import RepositoryIndexResponse
from tritonclient.utils import InferenceServerException, triton_to_np_dtype

from services.inference.access import OPEN, Access
from services.local.child import NeverReady

TIMEOUT_S = 4.0
INFERENCE_TIMEOUT_S = 2.5
# A loaded server answers the probe late or, its queue full, not at all. It is alive as long as it finishes batches; the
# largest one (64 rows of 512 tokens) takes a slow core about 20 s.
STALL_S = 60.0
_BUSY = {"StatusCode.DEADLINE_EXCEEDED", "StatusCode.UNAVAILABLE"}
_MISFIT = "StatusCode.INVALID_ARGUMENT"


class Probe:
    """`await probe()`: True when the server with that id answers for each model, within `TIMEOUT_S`.

    It raises nothing but NeverReady, with the server's reason, where a model failed to load.
    """

    def __init__(self, url: str, server_id: str, configs: Sequence[ModelConfig], access: Access = OPEN) -> None:
        self.url = url
        self._access = access
        self.server_id = server_id
        self.configs = configs
        self._models = [_Model(config) for config in configs]

    async def __call__(self) -> bool:
        try:
            async with asyncio.timeout(TIMEOUT_S), self._access.aio_client(self.url) as client:
                metadata = await client.get_server_metadata()
                if metadata.name != self.server_id:
                    return False
                return all(await asyncio.gather(*(model.answers(client) for model in self._models)))
        except NeverReady:
            raise
        except Exception:
            # Whatever went wrong (refused, timed out, a stranger's protocol), the answer is the same.
            return False


class _Model:
    """One model: a tiny valid input, and when it was last seen at work."""

    def __init__(self, config: ModelConfig) -> None:
        self._name = config.name
        self._inputs = tiny_inputs(config)
        self._successes = 0
        self._worked_at: float | None = None

    async def answers(self, client: InferenceServerClient) -> bool:
        error = await self._infer(client)
        if error and error.status() == _MISFIT:
            # Another version may have come into service, with other lengths or inputs.
            answer = await client.get_model_config(self._name)
            self._inputs = tiny_inputs(answer.config)
            error = await self._infer(client)
        if error is None:
            self._worked_at = time.monotonic()
            return True
        await self._refuse_the_unloadable(client)
        return error.status() in _BUSY and await self._works(client)

    async def _infer(self, client: InferenceServerClient) -> InferenceServerException | None:
        """What came instead of an answer."""
        try:
            await client.infer(self._name, self._inputs, client_timeout=INFERENCE_TIMEOUT_S)
        except InferenceServerException as error:
            return error
        return None

    async def _refuse_the_unloadable(self, client: InferenceServerClient) -> None:
        """NeverReady unless a version of the model is there or on its way."""
        index = await client.get_model_repository_index()
        entries = [entry for entry in index.models if entry.name == self._name]
        if all(entry.state in {"", "UNAVAILABLE"} for entry in entries):
            failed = [entry for entry in entries if entry.reason]
            raise NeverReady(_reason(failed[0]) if failed else f"did not load '{self._name}'; its log says why")

    async def _works(self, client: InferenceServerClient) -> bool:
        """Whether it answered anyone within `STALL_S`; False before its first answer to a probe."""
        statistics = await client.get_inference_statistics(self._name)
        successes = sum(model.inference_stats.success.count for model in statistics.model_stats)
        now = time.monotonic()
        if self._worked_at is None:
            return False
        if successes != self._successes:
            self._successes, self._worked_at = successes, now
        return now - self._worked_at < STALL_S


def _reason(entry: RepositoryIndexResponse.ModelIndex) -> str:
    # In one line, and without the place in the backend's code where it was noticed.
    text = " ".join(entry.reason.split("\n\nAt:")[0].split())
    return f"failed to load '{entry.name}' version {entry.version}: {text}"


def tiny_inputs(config: ModelConfig) -> list[InferInput]:
    """One row of ones of the shortest length that the model is served at."""
    lengths = config.parameters["sequence_lengths"].string_value if "sequence_lengths" in config.parameters else "1"
    shortest = min(int(length) for length in lengths.split(","))
    inputs = []
    for entry in config.input:
        shape = [shortest if dim < 0 else dim for dim in entry.dims]
        if config.max_batch_size:
            shape.insert(0, 1)
        datatype = DataType.Name(entry.data_type).removeprefix("TYPE_").replace("STRING", "BYTES")
        inputs.append(InferInput(entry.name, shape, datatype))
        inputs[-1].set_data_from_numpy(np.ones(shape, dtype=triton_to_np_dtype(datatype)))
    return inputs
