"""Our side: the workers' own client, and their whole path from texts to answers, called from code without a loop."""

import asyncio
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from tritonclient.grpc.model_config_pb2 import ModelConfig

from services.common.messages import Analysis
from services.common.settings import Settings
from services.inference.analyzer import Analyzer, open_analyzer
from services.inference.client import TritonClient, open_triton
from services.inference.models import Model, parse_model

T = TypeVar("T")

TIMEOUT_S = 300.0
# As many as a worker has under way for one model.
IN_FLIGHT = 4
# Texts of one call, as a worker reads them, and calls at once, so that Triton never waits for a tokenizer.
TEXTS_A_CALL, CALLS_AT_ONCE = 256, 2


class Ours:
    def __init__(self, runner: asyncio.Runner, triton: TritonClient, analyzer: Analyzer, repository: Path) -> None:
        self._runner, self._repository = runner, repository
        self.triton, self.analyzer = triton, analyzer

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of what is done with the client or the analyzer."""
        return self._runner.run(coroutine)

    def config(self, name: str) -> ModelConfig:
        return self.run(self.triton.model_config(name))

    def model(self, name: str) -> Model:
        return parse_model(self.config(name), self._repository)

    def shape(self, model: Model, rows: int, length: int, times: int, *, in_flight: int = IN_FLIGHT) -> float:
        """Seconds for `times` batches of full rows, cut into requests as large as the model takes them."""
        return self.run(self._shape(model, rows, length, times, in_flight))

    async def _shape(self, model: Model, rows: int, length: int, times: int, in_flight: int) -> float:
        # As the rivals draw them (bench.rivals.runtime.random_batch).
        ids = np.random.default_rng(rows * 1_000 + length).integers(1_000, 15_000, (rows, length), np.int64)
        requests = [ids[start : start + model.max_rows] for start in range(0, rows, model.max_rows)] * times
        permits = asyncio.Semaphore(in_flight)

        async def ask(part: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> None:
            async with permits:
                await self.triton.infer(model.name, model.version, part, np.ones_like(part))

        began = time.perf_counter()
        await asyncio.gather(*(ask(part) for part in requests))
        return time.perf_counter() - began

    def analyse(
        self, texts: Sequence[str], *, a_call: int = TEXTS_A_CALL, at_once: int = CALLS_AT_ONCE
    ) -> tuple[float, list[Analysis]]:
        """Seconds for all texts through both models, and the answers."""
        return self.run(analyse(self.analyzer, texts, a_call, at_once))


async def analyse(
    analyzer: Analyzer, texts: Sequence[str], a_call: int = TEXTS_A_CALL, at_once: int = CALLS_AT_ONCE
) -> tuple[float, list[Analysis]]:
    permits = asyncio.Semaphore(at_once)

    async def ask(part: Sequence[str]) -> list[Analysis]:
        async with permits:
            return await analyzer.analyse(part)

    began = time.perf_counter()
    answers = await asyncio.gather(*(ask(texts[start : start + a_call]) for start in range(0, len(texts), a_call)))
    return time.perf_counter() - began, [analysis for answer in answers for analysis in answer]


@contextmanager
def connected(url: str, repository: Path) -> Iterator[Ours]:
    """Both of them on one Triton."""
    settings = Settings(_env_file=None, triton_url=url, model_repository=repository, inference_timeout_s=TIMEOUT_S)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        client = runner.run(stack.enter_async_context(open_triton(url, TIMEOUT_S)))
        analyzer = runner.run(stack.enter_async_context(open_analyzer(settings)))
        try:
            yield Ours(runner, client, analyzer, repository)
        finally:
            runner.run(stack.aclose())
