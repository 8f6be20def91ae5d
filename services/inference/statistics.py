"""What Triton itself counts of each model, and what follows from it: rates, mean batch, the time in queue and model."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import pairwise

from tritonclient.grpc.service_pb2 import ModelStatisticsResponse

from services.common.errors import Rejected, Transient
from services.common.logging import get_logger
from services.inference.model_server import ModelServer

log = get_logger(__name__)

# A model's name and the version of it that answered.
Version = tuple[str, int]
NS_PER_MS = 1_000_000
# A call is measured at most so often: asking takes Triton and us a millisecond, twice.
SPLIT_INTERVAL_S = 0.5
# No call is kept waiting for longer than this, twice, by a Triton that does not say.
SPLIT_TIMEOUT_S = 0.25


@dataclass(frozen=True)
class Counters:
    """Since the server loaded the version, warm-up included. Times are sums over all requests.

    `inferences` are rows, `executions` the batches that they were merged into.
    """

    requests: int = 0
    failures: int = 0
    inferences: int = 0
    executions: int = 0
    queue_ns: int = 0
    compute_ns: int = 0

    def __add__(self, other: "Counters") -> "Counters":
        return Counters(*(ours + theirs for ours, theirs in zip(astuple(self), astuple(other), strict=True)))

    def since(self, earlier: "Counters") -> "Counters":
        """What was counted in between; nothing where they went back.

        They went back where the server was started or the version loaded again, and what stands there then is its
        warm-up, with or without some requests.
        """
        differences = [now - then for now, then in zip(astuple(self), astuple(earlier), strict=True)]
        return Counters(*differences) if min(differences) >= 0 else Counters()

    @property
    def mean_batch(self) -> float | None:
        return self.inferences / self.executions if self.executions else None

    @property
    def queue_ms(self) -> float | None:
        """What a request waited in Triton's queue, in the mean; None without requests."""
        return self.queue_ns / NS_PER_MS / self.requests if self.requests else None

    @property
    def compute_ms(self) -> float | None:
        """What its batch took in the backend, inputs and outputs included, in the mean; None without requests."""
        return self.compute_ns / NS_PER_MS / self.requests if self.requests else None


Counted = Mapping[Version, Counters]
# By server: each counts for itself, and begins anew when it is started.
Statistics = Mapping[str, Counted]


def parse_statistics(response: ModelStatisticsResponse) -> dict[Version, Counters]:
    """One server's counters of every version that is loaded. A folder whose name is no number is none of ours."""
    counters = {}
    for each in response.model_stats:
        if each.version.isdecimal():
            sums = each.inference_stats
            counters[each.name, int(each.version)] = Counters(
                requests=sums.success.count,
                failures=sums.fail.count,
                inferences=each.inference_count,
                executions=each.execution_count,
                queue_ns=sums.queue.ns,
                compute_ns=sums.compute_input.ns + sums.compute_infer.ns + sums.compute_output.ns,
            )
    return counters


def summed(parts: Iterable[Counted]) -> dict[Version, Counters]:
    totals: dict[Version, Counters] = {}
    for part in parts:
        for version, counters in part.items():
            totals[version] = totals.get(version, Counters()) + counters
    return totals


def counted_by_all(samples: Sequence[Statistics]) -> dict[Version, Counters]:
    """What all servers counted from the first to the last of the samples."""
    servers = dict.fromkeys(server for sample in samples for server in sample)
    return summed(counted(sample.get(server, {}) for sample in samples) for server in servers)


def counted(samples: Iterable[Counted]) -> dict[Version, Counters]:
    """What one server counted from the first to the last of them, across its restarts.

    Between two samples of which the first lacks a version nothing is counted: it was loaded meanwhile, and warmed up.
    """
    return summed(
        {version: counters.since(earlier.get(version, counters)) for version, counters in later.items()}
        for earlier, later in pairwise(samples)
    )


async def read_statistics(triton: ModelServer, timeout_s: float | None = None) -> dict[str, dict[Version, Counters]]:
    """The counters now. Transient while Triton is away, Rejected if it has no statistics for us."""
    answers = await triton.statistics(timeout_s)
    return {server: parse_statistics(answer) for server, answer in answers.items()}


@dataclass(frozen=True)
class Split:
    """Means over the requests that Triton answered lately, whoever had sent them."""

    queue_ms: float
    compute_ms: float


class Splits:
    """How the time of recent requests divides into queue and compute.

    Triton tells no client what became of a single request: neither its native ONNX Runtime backend nor ours answers
    with times, and its traces go to a file. What it has counted before and after a call differs by the requests that it
    answered meanwhile, though: those of the call, and what others had there at the same time.
    """

    def __init__(self, triton: ModelServer, interval_s: float = SPLIT_INTERVAL_S) -> None:
        self._triton = triton
        self._interval_s = interval_s
        self._begun_at = float("-inf")
        self._splits: Mapping[Version, Split] = {}
        self._problem = ""

    async def begin(self) -> Statistics | None:
        """To be called right before a call; None where another one was measured just now."""
        now = time.monotonic()
        if now - self._begun_at < self._interval_s:
            return None
        # Taken at once: of several calls that begin at the same moment one is measured.
        self._begun_at = now
        return await self._read()

    async def end(self, before: Statistics | None) -> Mapping[Version, Split]:
        """To be called right after it, with what `begin` gave: the split of every version that answered.

        Of a call that is not measured it is that of the last one that was: of half a second ago at most, since calls
        are that frequent then. Empty where Triton does not say.
        """
        if before is not None:
            self._splits = {
                version: Split(queue_ms, compute_ms)
                for version, difference in counted_by_all((before, await self._read())).items()
                if (queue_ms := difference.queue_ms) is not None and (compute_ms := difference.compute_ms) is not None
            }
        return self._splits

    async def _read(self) -> Statistics:
        try:
            counters = await read_statistics(self._triton, SPLIT_TIMEOUT_S)
        except (Transient, Rejected) as error:
            # Said once: a server may keep its statistics to itself, for good.
            if not self._problem:
                log.info("without the times that Triton spends in queue and model", reason=str(error))
            self._problem = str(error)
            return {}
        self._problem = ""
        return counters
