"""The measurements: where each is made, and how its figures are told."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.charts import Chart


@dataclass(frozen=True)
class Section:
    """`module` has `measure(options)`, `presenter` has `tables(results)` and `charts(results)`: imported when asked.

    `in_parts`: it is `measure(options, save)`, and `save(results)` is called with each part that is there.
    """

    module: str
    presenter: str
    in_parts: bool = False

    def tables(self, results: Any) -> str:
        return str(importlib.import_module(self.presenter).tables(results))

    def charts(self, results: Any) -> list[Chart]:
        return list(importlib.import_module(self.presenter).charts(results))


SECTIONS: Mapping[str, Section] = {
    "inference": Section("bench.inference.run", "bench.inference.present"),
    "pipeline": Section("bench.pipeline.run", "bench.pipeline.present"),
    "latency": Section("bench.latency", "bench.latency"),
    "queries": Section("bench.query_times", "bench.query_times"),
    "fanout": Section("bench.fanout.run", "bench.fanout.present"),
    "soak": Section("bench.soak", "bench.soak"),
    "gpu": Section("bench.gpu.run", "bench.gpu.present", in_parts=True),
    "backfill": Section("bench.backfill.run", "bench.backfill.run"),
    "queue_policy": Section("bench.queue_policy", "bench.queue_policy"),
}
