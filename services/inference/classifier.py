"""One model over many texts: tokenize, bucket, ask Triton."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from services.common import traces
from services.inference import metrics
from services.inference.batching import Batch, pad_right, plan_batches
from services.inference.model_server import ModelServer
from services.inference.models import Model
from services.inference.scoring import Verdict
from services.inference.served import Loaded
from services.inference.tokenizer import PostTokenizer, TokenIds

T = TypeVar("T")
Tokens = dict[PostTokenizer, list[TokenIds]]
# What the logits of a model, `[rows, labels]`, say of each row.
Score = Callable[[Model, NDArray[np.float32]], list[Verdict]]

# Both models' tokenizers at once; each spreads its texts over the cores by itself.
TOKENIZER_THREADS = 2


@dataclass(frozen=True)
class Answer:
    """What one model says of each text.

    `seconds` is what that took, tokenization apart, and `ended` when it was there, by `time.perf_counter`.
    """

    model: Model
    verdicts: list[Verdict]
    seconds: float
    ended: float
    requests: int


class Classifier:
    """What one process may have at Triton, and its threads for tokenization, whatever versions are in service."""

    def __init__(self, triton: ModelServer, *, max_tokens: int, max_requests_in_flight: int) -> None:
        """`max_tokens`: padded tokens of one request. `max_requests_in_flight`: per model."""
        self._triton = triton
        self._max_tokens = max_tokens
        # More requests would only wait in Triton's queue instead of here.
        self._permits = defaultdict[str, asyncio.Semaphore](lambda: asyncio.Semaphore(max_requests_in_flight))
        self._threads = ThreadPoolExecutor(TOKENIZER_THREADS, thread_name_prefix="tokenizer")

    async def encode(self, texts: Sequence[str], tokenizers: Iterable[PostTokenizer]) -> Tokens:
        """The texts' tokens by each tokenizer, computed once where models share one."""
        each = dict.fromkeys(tokenizers)
        loop = asyncio.get_running_loop()
        with metrics.TOKENIZATION_SECONDS.time(), traces.child("tokenize", {"undertone.texts": len(texts)}):
            encoded = await asyncio.gather(*(loop.run_in_executor(self._threads, t.encode, list(texts)) for t in each))
        return dict(zip(each, encoded, strict=True))

    async def on_thread(self, work: Callable[[], T]) -> T:
        """The result of tokenization that is another than `encode`."""
        with metrics.TOKENIZATION_SECONDS.time(), traces.child("tokenize", {}):
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def ask(self, loaded: Loaded, tokens: Tokens, score: Score) -> Answer:
        """The model's answer to the texts of `tokens`. Transient while it is away, Rejected if it refuses a text."""
        logits, seconds, requests = await self.logits(loaded.model, tokens[loaded.tokenizer])
        return Answer(loaded.model, score(loaded.model, logits), seconds, time.perf_counter(), requests)

    async def logits(self, model: Model, rows: Sequence[TokenIds]) -> tuple[NDArray[np.float32], float, int]:
        """What the model says of each row, `[rows, labels]`, the seconds that took, and the number of requests; errors
        as of `ask`.
        """
        began = time.perf_counter()
        batches = plan_batches(
            [len(t) for t in rows],
            model.lengths,
            max_rows=model.max_rows,
            max_tokens=self._max_tokens,
            mixed=model.mixed_lengths,
        )
        logits = np.empty((len(rows), len(model.labels)), np.float32)

        async def send(batch: Batch) -> None:
            async with self._permits[model.name]:
                logits[list(batch.rows)] = await self._triton.infer(model.name, model.version, *pad_right(rows, batch))

        await together(*(send(batch) for batch in batches))
        seconds = time.perf_counter() - began
        metrics.INFERENCE_SECONDS.labels(model.role, str(model.version)).observe(seconds)
        return logits, seconds, len(batches)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


async def together(*coroutines: Coroutine[Any, Any, T]) -> list[T]:
    """Their results. The first failure cancels the rest, instead of leaving work that nobody waits for.

    Not a TaskGroup: when a task of it fails, older Pythons (3.11 among them) leave the waiting task marked as
    cancelled, and who repeats the call afterwards takes that for an order to stop (services/common/cancellation.py).
    """
    tasks = [asyncio.create_task(each) for each in coroutines]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
