"""The measurements: where each is made, and how its figures are told."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.charts import Chart


@dataclass(frozen=True)
class Section:
    """`module` has `measure(options)`, `presenter` has `tables(results)` and `charts(results)`: imported when asked."""

    module: str
    presenter: str

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
    "queue_policy": Section("bench.queue_policy", "bench.queue_policy"),
}
