"""Both models in this process, without Triton: ONNX Runtime computes what the repository has in service."""

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

# Before ONNX Runtime is loaded: it would create a device id and report its start.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tritonclient.grpc.model_config_pb2 import ModelConfig
from tritonclient.grpc.service_pb2 import ModelStatisticsResponse

from services.common.errors import ConfigurationError, Rejected, Transient
from services.common.settings import Settings
from services.inference.analyzer import Analyzer
from services.local.triton_repository import read_models

NAME = "ONNX Runtime"
CONFIGURATION = "cpu"


class OnnxRuntime:
    """A ModelServer of one run at a time, with `threads` of its own."""

    def __init__(self, repository: Path, threads: int) -> None:
        self._repository = repository
        self._sessions: dict[tuple[str, int], onnxruntime.InferenceSession] = {}
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = threads
        self._options.inter_op_num_threads = 1
        # Who spins while it has nothing to do takes the core of another process.
        self._options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._runs = ThreadPoolExecutor(1, thread_name_prefix="onnxruntime")

    async def model_config(self, model: str) -> ModelConfig:
        """As Triton would serve it, but that each request has one length: nobody here cuts off its padding.

        ConfigurationError where the repository has no such model.
        """
        config = read_models(self._repository, CONFIGURATION, [model]).required[model]
        if "padded_lengths" in config.parameters:
            padded = config.parameters.pop("padded_lengths").string_value
            config.parameters["sequence_lengths"].string_value = padded
        return config

    async def find_model_config(self, model: str) -> ModelConfig | None:
        """None: a canary has its share of what is new, not of an archive."""
        del model
        return None

    async def statistics(self, timeout_s: float | None = None) -> dict[str, ModelStatisticsResponse]:
        """Nothing is counted."""
        del timeout_s
        return {}

    async def infer(
        self, model: str, version: int, ids: NDArray[np.int64], mask: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Logits `[rows, labels]` by exactly this version. Rejected where the model cannot compute a text."""
        loop = asyncio.get_running_loop()
        logits = await loop.run_in_executor(self._runs, self._run, model, version, ids, mask)
        if not np.isfinite(logits).all():
            raise Transient(f"{NAME} answered {model} with logits that are not finite", service=NAME)
        return logits

    def _run(self, model: str, version: int, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        session = self._sessions.get((model, version)) or self._open(model, version)
        try:
            (logits,) = session.run(["logits"], {"input_ids": ids, "attention_mask": mask})
        except Exception as error:  # its errors share no base class
            raise Rejected(f"{NAME}, model {model}: {error}") from error
        return np.asarray(logits, np.float32)

    def _open(self, model: str, version: int) -> onnxruntime.InferenceSession:
        config = read_models(self._repository, CONFIGURATION, [model]).required[model]
        file = self._repository / model / str(version) / (config.default_model_filename or "model.onnx")
        try:
            session = onnxruntime.InferenceSession(file, self._options, providers=["CPUExecutionProvider"])
        except Exception as error:  # likewise
            raise ConfigurationError(f"{file} cannot be computed here: {error}") from error
        self._sessions[model, version] = session
        return session

    def close(self) -> None:
        self._runs.shutdown(cancel_futures=True)


@asynccontextmanager
async def open_in_process(settings: Settings, threads: int) -> AsyncIterator[Analyzer]:
    """An analyzer that computes here, on `threads` cores."""
    runtime = OnnxRuntime(settings.model_repository, threads)
    analyzer = Analyzer(runtime, settings)
    try:
        yield analyzer
    finally:
        analyzer.close()
        runtime.close()
