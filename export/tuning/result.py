"""What a tuning found, which setting it chooses, and the table of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from statistics import median

from export.spec import ModelSpec, Target
from export.triton_config import Serving
from export.tuning.load_generator import Load, Measurement

# Two measurements of one setting differ by so much: settings within it count as equally fast.
NOISE = 0.03


@dataclass
class Row:
    """A setting and its measurements, one for each round. `remark`: why it cannot be chosen; empty where it can."""

    serving: Serving
    as_served: bool = False
    measurements: list[Measurement] = field(default_factory=list)
    remark: str = ""

    @property
    def median(self) -> Measurement | None:
        """The median of every quantity; None where a round is missing."""
        if self.remark or not self.measurements:
            return None
        return Measurement(
            **{
                each.name: median(getattr(found, each.name) for found in self.measurements)
                for each in fields(Measurement)
            }
        )


@dataclass(frozen=True)
class TuneResult:
    """`best`: the setting to write; None where there is none, and `verdict`, a sentence, says why.

    `now`: the version with the configuration that it has. `cores`: physical ones of the machine. `others`: the models
    that the server had besides.
    """

    repository: Path
    triton: str
    spec: ModelSpec
    target: Target
    latency_limit_ms: float
    load: Load
    rounds: int
    cores: int
    others: tuple[str, ...]
    now: Row
    rows: tuple[Row, ...]
    best: Row | None
    verdict: str

    @property
    def conditions(self) -> str:
        """What the numbers hold for."""
        load = self.load
        cores = f"{self.cores} physical core{'s' if self.cores > 1 else ''}"
        return (
            f"Measured with {load.concurrency} clients, {load.rows} rows a request, about {load.tokens} tokens a row, "
            f"medians of {self.rounds} x {load.seconds:g} s. The numbers hold for this machine ({cores}) and what else "
            f"ran on it; other models on the server: {', '.join(self.others) or 'none'}."
        )


def choose(rows: Sequence[Row], now: Row, latency_limit_ms: float, concurrency: int) -> tuple[Row | None, str]:
    """The setting with the most rows/s whose p95 keeps the limit, and a sentence about it.

    Among settings that are equally fast within the noise, the one with fewer instances, then fewer threads, then less
    delay. None where no setting keeps the limit.
    """
    measured = [(row, found) for row in rows if (found := row.median)]
    if not measured:
        return None, f"No setting could be measured: {rows[0].remark}."
    fitting = [(row, found) for row, found in measured if found.p95_ms <= latency_limit_ms]
    if not fitting:
        row, found = min(measured, key=lambda pair: pair[1].p95_ms)
        # In a closed loop the latency grows with the clients.
        clients = int(concurrency * latency_limit_ms / found.p95_ms)
        less = f"--concurrency {clients} may do" if clients else "fewer --rows"
        return None, (
            f"No setting answers 95 % of the requests within {latency_limit_ms:g} ms; the closest, "
            f"{describe(row.serving)}, needs {found.p95_ms:.1f} ms: allow more with --latency-ms, or send less at "
            f"once ({less})."
        )
    most = max(found.rows_per_s for _, found in fitting)
    equal = [(row, found) for row, found in fitting if found.rows_per_s >= most * (1 - NOISE)]
    best, found = min(equal, key=lambda pair: _thrift(pair[0].serving))
    current = now.median
    compared = f" (as served now: {_figures(current)})" if current else ""
    return best, f"Best within {latency_limit_ms:g} ms: {describe(best.serving)}: {_figures(found)}{compared}."


def _figures(found: Measurement) -> str:
    return f"{found.rows_per_s:,.0f} rows/s, p95 {found.p95_ms:.1f} ms"


def _thrift(serving: Serving) -> tuple[int, int, int]:
    return serving.instances, serving.threads, serving.queue_delay_us


def describe(serving: Serving) -> str:
    """The setting in words."""
    instances, threads = serving.instances, serving.threads
    of_each = f"{threads} thread{'s' if threads > 1 else ''} each, " if threads else ""
    return f"{instances} instance{'s' if instances > 1 else ''}, {of_each}{serving.queue_delay_us} µs delay"


HEADER = (
    "",
    "instances",
    "threads",
    "delay µs",
    "requests/s",
    "rows/s",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "mean batch",
    "queue ms",
    "",
)


def table(result: TuneResult) -> str:
    """Aligned columns, `*` marks the chosen setting; below them the verdict and what the numbers hold for."""
    rows = [result.now, *sorted(result.rows, key=lambda row: _thrift(row.serving))]
    lines = [HEADER, *(_cells(row, result) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER) - 1)]
    shown = [
        "  ".join([*(cell.rjust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]).rstrip()
        for line in lines
    ]
    return "\n".join([*shown, "", result.verdict, result.conditions])


def _cells(row: Row, result: TuneResult) -> tuple[str, ...]:
    serving, found = row.serving, row.median
    # Threads that were not measured are what the server makes of them on its machine.
    threads = str(serving.threads) if serving.tuned_cores or not row.as_served else "default"
    numbers = (
        [
            f"{found.requests_per_s:,.1f}",
            f"{found.rows_per_s:,.0f}",
            f"{found.p50_ms:.1f}",
            f"{found.p95_ms:.1f}",
            f"{found.p99_ms:.1f}",
            f"{found.mean_batch:.1f}",
            f"{found.mean_queue_ms:.1f}",
        ]
        if found
        else [""] * 7
    )
    return (
        "*" if row is result.best else "",
        str(serving.instances),
        threads if result.target == "cpu" else "",
        str(serving.queue_delay_us),
        *numbers,
        row.remark or ("as served now" if row.as_served else ""),
    )
