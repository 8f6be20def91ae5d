"""A steady load on one model, and how the model bears it."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferInput, InferRequestedOutput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.grpc.service_pb2 import ModelStatistics
from tritonclient.utils import InferenceServerException

# Long enough for a request that waits behind other clients' ones; the configurations give up after 30 s.
REQUEST_TIMEOUT_S = 60.0
# Spread of the token counts around their median: with 32, nine in ten are from 14 to 73, like ordinary posts.
SPREAD = 0.5
DISTINCT_REQUESTS = 256
SEED = 20
WARM_UP_S = 1.0
# The latencies of fewer requests say nothing, however short the time.
LEAST_REQUESTS = 20


@dataclass(frozen=True)
class Load:
    """`concurrency` clients, each sending its next request when the last one is answered, `rows` posts a request.

    `tokens`: the median of a post's length. `seconds`: how long it is measured, after a warm-up.
    """

    seconds: float = 5.0
    concurrency: int = 8
    rows: int = 16
    tokens: int = 32

    @property
    def warm_up_s(self) -> float:
        return min(WARM_UP_S, self.seconds)


@dataclass(frozen=True)
class Measurement:
    """Latencies as this load's clients see them. `mean_batch`: rows an execution; both means are of all clients."""

    requests_per_s: float
    rows_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    mean_batch: float
    mean_queue_ms: float


class RequestFailed(Exception):
    """A request of the load got no answer; the message is Triton's."""


def make_requests(load: Load, lengths: Sequence[int], vocabulary: int, seed: int = SEED) -> list[list[InferInput]]:
    """The inputs of requests, the same ones for the same arguments.

    The posts of a request have similar token counts and are padded to the same of `lengths`, as clients do it that
    sort their posts. Token ids are below `vocabulary`.
    """
    random = np.random.default_rng(seed)
    medians = np.clip(random.lognormal(np.log(load.tokens), SPREAD, DISTINCT_REQUESTS), 1, lengths[-1])
    requests = []
    for median in medians:
        place = next(index for index, length in enumerate(lengths) if median <= length)
        length, least = lengths[place], lengths[place - 1] + 1 if place else 1
        counts = random.integers(least, length + 1, (load.rows, 1))
        mask = (np.arange(length) < counts).astype(np.int64)
        ids = random.integers(0, vocabulary, mask.shape) * mask
        requests.append([_tensor("input_ids", ids), _tensor("attention_mask", mask)])
    return requests


def _tensor(name: str, array: NDArray[np.int64]) -> InferInput:
    tensor = InferInput(name, list(array.shape), "INT64")
    tensor.set_data_from_numpy(array)
    return tensor


async def measure(
    client: InferenceServerClient, name: str, requests: Sequence[list[InferInput]], load: Load
) -> Measurement:
    """The model under the load; the requests are sent in their order, from the first one on.

    RequestFailed as soon as one is not answered.
    """
    run = _Run(client, name, itertools.cycle(requests))
    async with asyncio.TaskGroup() as clients:
        for _ in range(load.concurrency):
            clients.create_task(run.send())
        try:
            await run.progress(load.concurrency, load.warm_up_s)
            before, begun, warm = await run.statistics(), perf_counter(), len(run.latencies)
            await run.progress(warm + LEAST_REQUESTS, load.seconds)
            latencies, elapsed = run.latencies[warm:], perf_counter() - begun
            after = await run.statistics()
        finally:
            run.end()
    if run.failure is not None:
        raise RequestFailed(run.failure)
    p50, p95, p99 = np.percentile(latencies, (50, 95, 99)) * 1_000
    rate = len(latencies) / elapsed
    batch, queue = _means(before, after)
    return Measurement(rate, rate * load.rows, float(p50), float(p95), float(p99), batch, queue)


class _Run:
    """Clients at work. `latencies` in seconds, in the order of the answers."""

    def __init__(self, client: InferenceServerClient, name: str, requests: Iterator[list[InferInput]]) -> None:
        self._client = client
        self._name = name
        self._requests = requests
        self._outputs = [InferRequestedOutput("logits")]
        self._ended = asyncio.Event()
        self._answered = asyncio.Event()
        self.latencies: list[float] = []
        self.failure: str | None = None

    async def send(self) -> None:
        """One client, until the end."""
        while not self._ended.is_set():
            inputs, begun = next(self._requests), perf_counter()
            try:
                await self._client.infer(self._name, inputs, outputs=self._outputs, client_timeout=REQUEST_TIMEOUT_S)
            except InferenceServerException as error:
                self.end(error.message())
                return
            self.latencies.append(perf_counter() - begun)
            self._answered.set()

    def end(self, failure: str | None = None) -> None:
        """Each client stops after the request that it waits for."""
        self.failure = self.failure or failure
        self._ended.set()
        self._answered.set()

    async def progress(self, answers: int, seconds: float) -> None:
        """Waits until both are reached: so much time from now, and so many answers in all; or until the end."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), seconds)
        while not self._ended.is_set() and len(self.latencies) < answers:
            self._answered.clear()
            await self._answered.wait()

    async def statistics(self) -> ModelStatistics:
        try:
            answer = await self._client.get_inference_statistics(self._name, client_timeout=REQUEST_TIMEOUT_S)
        except InferenceServerException as error:
            self.end(error.message())
            return ModelStatistics()
        return answer.model_stats[0]


def _means(before: ModelStatistics, after: ModelStatistics) -> tuple[float, float]:
    """Rows an execution, and milliseconds in the queue."""
    executions = _executions(after) - _executions(before)
    rows = sum(size * count for size, count in executions.items())
    first, last = before.inference_stats.queue, after.inference_stats.queue
    return rows / max(1, executions.total()), (last.ns - first.ns) / max(1, last.count - first.count) / 1e6


def _executions(statistics: ModelStatistics) -> Counter[int]:
    """How many there were of each number of rows; unlike the totals of both, they are counted in the same moment."""
    return Counter({each.batch_size: each.compute_infer.count for each in statistics.batch_stats})
