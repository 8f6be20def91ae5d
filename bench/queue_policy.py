"""What a queue policy costs: requests that wait for Triton's 500 ms timer, with the policy and without, in turns.

`python -m bench queue_policy`: a real Triton with two small models; bursts of requests, each burst sent when the last
one is answered. Counted are those that take more than 400 ms; a request alone takes about one.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from tritonclient.grpc.aio import InferenceServerClient

from bench.charts import Chart
from bench.options import Options
from bench.progress import Progress
from bench.report import table
from export.repository import Repository
from tests.integration.exported import publish
from tests.integration.triton_requests import inputs_of, posts
from tests.integration.triton_server import running_triton

POLICY = "default_queue_policy { max_queue_size: 512 default_timeout_microseconds: 30000000 }"
MODELS = ("sentiment", "emotion")
BURSTS, ROUNDS = 50, 3
BURST_SIZES = (2, 8)
STALL_S = 0.4


async def bursts(port: int, size: int) -> list[float]:
    """Durations in seconds of the requests, half of each burst for each model."""
    durations = []
    client = InferenceServerClient(f"127.0.0.1:{port}")

    async def ask(number: int) -> None:
        begun = time.perf_counter()
        await client.infer(MODELS[number % 2], inputs_of(posts(4, 16)), client_timeout=30)
        durations.append(time.perf_counter() - begun)

    for _ in range(BURSTS):
        await asyncio.gather(*(ask(number) for number in range(size)))
    await client.close()
    return durations


def _measure(policy: str, size: int) -> list[float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for model in MODELS:
            version = publish(Repository(folder / "models"), model, ("a", "b", "c"))
            file = folder / "models" / model / str(version) / "configs" / "cpu.pbtxt"
            file.write_text(file.read_text().replace("dynamic_batching {", f"dynamic_batching {{ {policy}"))
        (folder / "work").mkdir()
        with running_triton(folder / "work", folder / "models") as running:
            return asyncio.run(bursts(running.grpc_port, size))


def measure(options: Options) -> list[dict[str, Any]]:
    """A row for each size of burst, with the policy and without."""
    rounds = options.rounds or (1 if options.quick else ROUNDS)
    progress = Progress("queue policy", 2 * len(BURST_SIZES) * rounds)
    rows = []
    for size in BURST_SIZES:
        found: dict[str, list[float]] = {"": [], POLICY: []}
        for _ in range(rounds):
            for policy, durations in found.items():
                progress.step(f"bursts of {size}, {'with' if policy else 'without'} the policy")
                durations.extend(_measure(policy, size))
        for policy, durations in found.items():
            rows.append(
                {
                    "policy": "with" if policy else "without",
                    "burst": size,
                    "requests": len(durations),
                    "stalled": sum(duration > STALL_S for duration in durations),
                    "median_ms": statistics.median(durations) * 1_000,
                }
            )
    progress.done()
    return rows


def tables(results: list[dict[str, Any]]) -> str:
    return table(
        ["queue policy", "burst", "requests", "over 400 ms", "median, ms"],
        [
            [
                row["policy"],
                row["burst"],
                row["requests"],
                f"{row['stalled']} ({row['stalled'] / row['requests']:.0%})",
                row["median_ms"],
            ]
            for row in results
        ],
    )


def charts(results: list[dict[str, Any]]) -> list[Chart]:
    del results  # the table says it all
    return []
