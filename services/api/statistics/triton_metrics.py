"""What Triton tells Prometheus of its machine, and of what waits: its gRPC statistics have neither."""

import asyncio
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from services.common.errors import Transient
from services.inference.statistics import Version

TIMEOUT_S = 2.0
# A server with a hundred models has a tenth of it.
MAX_BYTES = 4_000_000
# Of the many others nothing is read, so they need not be parsed.
_PREFIXES = ("nv_gpu_", "nv_cpu_", "nv_inference_pending_request_count")


@dataclass(frozen=True)
class Gpu:
    """`id`: NVIDIA's UUID. A share of 1 is all of it; None where Triton cannot tell."""

    id: str
    utilization: float | None
    memory_used_bytes: int | None
    memory_total_bytes: int | None
    power_w: float | None


@dataclass(frozen=True)
class Hardware:
    """The machine that Triton runs on, or those of several: their shares in the mean, the rest together.

    `pending`: requests that wait in the queues of its models.
    """

    cpu_utilization: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    gpus: tuple[Gpu, ...] = ()
    pending: Mapping[Version, int] = field(default_factory=dict)


async def read_all_hardware(client: httpx2.AsyncClient, urls: Sequence[str]) -> Hardware:
    """Of the machines that answer; Transient where none does."""
    found = await asyncio.gather(*(read_hardware(client, url) for url in urls), return_exceptions=True)
    machines = [each for each in found if isinstance(each, Hardware)]
    for failure in found:
        if isinstance(failure, BaseException) and not (machines and isinstance(failure, Transient)):
            raise failure
    return merged(machines)


def merged(machines: Sequence[Hardware]) -> Hardware:
    shares = [each.cpu_utilization for each in machines if each.cpu_utilization is not None]
    pending = Counter[Version]()
    for each in machines:
        pending.update(each.pending)
    return Hardware(
        cpu_utilization=sum(shares) / len(shares) if shares else None,
        memory_used_bytes=_sum(each.memory_used_bytes for each in machines),
        memory_total_bytes=_sum(each.memory_total_bytes for each in machines),
        gpus=tuple(gpu for each in machines for gpu in each.gpus),
        pending=pending,
    )


def _sum(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


async def read_hardware(client: httpx2.AsyncClient, url: str) -> Hardware:
    """Transient where the endpoint does not answer within TIMEOUT_S, or not with metrics."""
    try:
        async with client.stream("GET", url) as response:
            response.raise_for_status()
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise ValueError(f"more than {MAX_BYTES:,} bytes")
        return parse_hardware(body.decode())
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        # Not the address: a URL may hold a password.
        raise Transient(f"Triton's metrics cannot be read: {type(error).__name__}", service="Triton") from error


def parse_hardware(text: str) -> Hardware:
    """ValueError if it is no exposition of Prometheus."""
    lines = "\n".join(line for line in text.splitlines() if line.startswith(_PREFIXES))
    machine: dict[str, float] = {}
    gpus: dict[str, dict[str, float]] = {}
    pending: dict[Version, int] = {}
    for family in text_string_to_metric_families(lines + "\n"):
        for sample in family.samples:
            if not math.isfinite(sample.value):
                continue
            if sample.name.startswith("nv_gpu_"):
                gpus.setdefault(sample.labels.get("gpu_uuid", ""), {})[sample.name] = sample.value
            elif sample.name.startswith("nv_cpu_"):
                machine[sample.name] = sample.value
            elif (version := sample.labels.get("version", "")).isdecimal():
                pending[sample.labels.get("model", ""), int(version)] = int(sample.value)
    # Until it has looked for the first time, two seconds after its start, the server says 0 of everything.
    if not machine.get("nv_cpu_memory_total_bytes"):
        machine = {}
    return Hardware(
        cpu_utilization=machine.get("nv_cpu_utilization"),
        memory_used_bytes=_whole(machine.get("nv_cpu_memory_used_bytes")),
        memory_total_bytes=_whole(machine.get("nv_cpu_memory_total_bytes")),
        gpus=tuple(
            Gpu(
                id=uuid,
                utilization=of.get("nv_gpu_utilization"),
                memory_used_bytes=_whole(of.get("nv_gpu_memory_used_bytes")),
                memory_total_bytes=_whole(of.get("nv_gpu_memory_total_bytes")),
                power_w=of.get("nv_gpu_power_usage"),
            )
            for uuid, of in sorted(gpus.items())
        ),
        pending=pending,
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
