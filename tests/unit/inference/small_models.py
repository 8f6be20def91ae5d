"""Configurations, tokenizer files and a Triton of plain objects: all that a process learns of its models."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from google.protobuf import text_format
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers
from tritonclient.grpc.model_config_pb2 import ModelConfig
from tritonclient.grpc.service_pb2 import ModelStatisticsResponse

from services.common.errors import Transient
from services.inference.client import TritonClient

UNKNOWN = 1


def tokenizer_file(hello: int) -> bytes:
    """A tokenizer of one word, `hello`."""
    made = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": UNKNOWN, "hello": hello}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return made.to_str().encode()


def config(name: str = "sentiment", **changes: str) -> ModelConfig:
    """A configuration of version 1 with tokenizer 1; an empty parameter is left out."""
    parameters = {
        "version": "1",
        "labels": "negative,positive",
        "activation": "softmax",
        "sequence_lengths": "16,32",
        "max_tokens": "32",
        "source": "some/checkpoint",
        "revision": "main",
        "tokenizer_sha256": sha256(tokenizer_file(2)),
        **changes,
    }
    given = [f'parameters {{ key: "{k}" value {{ string_value: "{v}" }} }}' for k, v in parameters.items() if v]
    shape = f'name: "{name}" max_batch_size: 64 output [ {{ name: "logits" data_type: TYPE_FP32 dims: [ 2 ] }} ]'
    return text_format.Parse(shape + "\n".join(given), ModelConfig())


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def version(repository: Path, name: str, number: int, **changes: str) -> ModelConfig:
    """The configuration of a version whose tokenizer is its own and lies in the repository."""
    content = tokenizer_file(number + 1)
    folder = repository / name / str(number)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_bytes(content)
    return config(name, version=str(number), tokenizer_sha256=sha256(content), **changes)


class FakeTriton(TritonClient):
    """Serves `configs`; answers as `reply(model, version, ids)` does."""

    def __init__(self, *configs: ModelConfig) -> None:
        self.configs = {config.name: config for config in configs}
        self.away = False
        self.readings = 0
        self.requests: list[tuple[str, int]] = []
        self.before_answer: Callable[[], None] = lambda: None

    def serve(self, config: ModelConfig) -> None:
        self.configs[config.name] = config

    async def model_config(self, model: str) -> ModelConfig:
        self.readings += model == "sentiment"
        if self.away:
            raise Transient("Triton is away")
        return self.configs[model]

    async def find_model_config(self, model: str) -> ModelConfig | None:
        return self.configs.get(model)

    async def statistics(self, timeout_s: float | None = None) -> dict[str, ModelStatisticsResponse]:
        """A request that came is one that took 2 ms in the queue and 8 ms in the model."""
        if self.away:
            raise Transient("Triton is away")
        response = ModelStatisticsResponse()
        loaded = [(name, int(config.parameters["version"].string_value)) for name, config in self.configs.items()]
        for model, version in loaded:
            count = self.requests.count((model, version))
            stats = response.model_stats.add(name=model, version=str(version))
            stats.inference_stats.success.count = count
            stats.inference_stats.queue.ns = count * 2_000_000
            stats.inference_stats.compute_infer.ns = count * 8_000_000
        return {"triton": response}

    async def infer(
        self, model: str, version: int, ids: NDArray[np.int64], mask: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """The logits say positive; only the version in service answers, and only to its own tokenizer's ids."""
        self.requests.append((model, version))
        self.before_answer()
        served = int(self.configs[model].parameters["version"].string_value) if model in self.configs else 0
        if self.away or served != version:
            raise Transient(f"{model} version {version} is not ready")
        assert set(ids[mask == 1].tolist()) <= {UNKNOWN, version + 1}
        return np.tile(np.array([0, 4], np.float32), (len(ids), 1))
