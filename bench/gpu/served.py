"""Triton with the models of a measurement on the device, its callers, and what it counts of them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from bench.gpu.clients import Clients, clients
from bench.gpu.device import Sampler
from bench.gpu.plan import Plan
from bench.inference.client import Ours, connected
from bench.models import ModelSet
from bench.servers import triton
from services.inference.statistics import Counters, parse_statistics


@dataclass(frozen=True)
class Served:
    plan: Plan
    ours: Ours
    clients: Clients

    def counters(self, name: str) -> Counters:
        (response,) = self.ours.run(self.ours.triton.statistics()).values()
        return next(counters for (model, _), counters in parse_statistics(response).items() if model == name)

    def measured(self, name: str, **order: Any) -> dict[str, Any]:
        """Rows a second of all callers, and what it cost: Triton's own counters, the callers' CPU, the GPU."""
        before, cpu = self.counters(name), self.clients.cpu_s()
        with Sampler(self.plan.device) as sampler:
            rate = self.clients.rate(name=name, **order)
        counted = self.counters(name).since(before)
        return {
            "rows_per_s": rate,
            "mean_batch": counted.mean_batch,
            "queue_ms": counted.queue_ms,
            "compute_ms": counted.compute_ms,
            "client_cpu_us_per_row": (self.clients.cpu_s() - cpu) * 1e6 / max(1, counted.inferences),
            **sampler.medians(),
        }


@contextmanager
def served(
    plan: Plan, models: ModelSet, only: Sequence[str] = (), settings: Mapping[str, str] | None = None
) -> Iterator[Served]:
    device = plan.device
    with ExitStack() as stack:
        url = stack.enter_context(
            triton(
                models.repository, only, env_dir=device.triton_env, config_name=device.config, settings=settings or {}
            )
        )
        ours = stack.enter_context(connected(url, models.repository))
        yield Served(plan, ours, stack.enter_context(clients(plan.clients, url, models.repository)))
