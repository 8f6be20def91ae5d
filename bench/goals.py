"""What we want to reach, beside what the last runs measured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.report import table, text

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Goal:
    """`measured` finds the figure in the results of `section`; a missing one raises LookupError or ValueError."""

    section: str
    what: str
    bound: float
    measured: Callable[[Any], float]
    at_most: bool = False
    unit: str = ""

    def row(self, results: Any) -> list[object]:
        """What, goal, measured, and whether that is enough."""
        goal = f"{'at most' if self.at_most else 'at least'} {text(self.bound)}{self.unit}"
        try:
            value = self.measured(results)
        except (LookupError, ValueError, TypeError):
            return [self.what, goal, NOT_MEASURED, ""]
        met = value <= self.bound if self.at_most else value >= self.bound
        return [self.what, goal, f"{text(value)}{self.unit}", "yes" if met else "no"]


def _cell(results: Any) -> Any:
    (cell,) = (cell for cell in results["shapes"]["cells"] if (cell["length"], cell["rows"]) == (32, 64))
    return cell


def _p99_at_half(results: Any) -> float:
    return 1_000 * max(float(load["latency_s"]["p99"]) for load in results["loads"] if load["share"] == 0.5)


def _slowest_p95_ms(results: Any) -> float:
    """Of all queries, with the most posts."""
    sizes = results["sizes"]
    return max(float(query["p95_ms"]) for query in sizes[max(sizes, key=int)].values())


def _worst_growth(results: Any) -> float:
    """Of all queries: p95 with the most posts to that with the fewest."""
    sizes = results["sizes"]
    fewest, most = sizes[min(sizes, key=int)], sizes[max(sizes, key=int)]
    return max(float(most[name]["p95_ms"]) / float(fewest[name]["p95_ms"]) for name in fewest)


def _growth_percent(name: str, results: Any) -> float:
    return 100 * float(results["growth"][name]["growth"])


GOALS = (
    Goal(
        "inference",
        "Triton and client to the same runtime in process, 32 tokens x 64",
        0.95,
        lambda r: float(_cell(r)["to_same_runtime"]["median"]),
    ),
    Goal(
        "inference",
        "the same to the best of torch bf16, OpenVINO bf16 and dynamic int8 in process",
        1.0,
        lambda r: float(_cell(r)["to_best_rival"]["median"]),
    ),
    Goal(
        "inference",
        "real lengths, both models, to torch bf16 in batches",
        1.5,
        lambda r: min(float(ratio["median"]) for ratio in r["mix"]["ratio"].values()),
    ),
    Goal(
        "pipeline",
        "both full-size models, to the usual design",
        10.0,
        lambda r: float(r["full"]["ratio"]["usual design"]["median"]),
    ),
    Goal(
        "pipeline",
        "starter models, to both models alone",
        0.8,
        lambda r: float(r["starter"]["ratio"]["both models alone"]["median"]),
    ),
    Goal(
        "pipeline",
        "models of negligible cost, one worker, everything on the same cores",
        6_000.0,
        lambda r: float(r["tiny"]["posts_per_s"]["Undertone"]["median"]),
        unit=" posts/s",
    ),
    Goal("latency", "p99 from XADD to the frame at half of the load", 150.0, _p99_at_half, at_most=True, unit=" ms"),
    Goal("queries", "slowest p95 of a query, with the most posts", 50.0, _slowest_p95_ms, at_most=True, unit=" ms"),
    Goal("queries", "p95 with the most posts to p95 with the fewest, worst query", 2.0, _worst_growth, at_most=True),
    *(
        Goal(
            "soak",
            f"growth of the {name} after the first tenth of the posts",
            2.0,
            partial(_growth_percent, name),
            at_most=True,
            unit=" %",
        )
        for name in ("worker", "api")
    ),
)


def goals_table(results: Mapping[str, Any]) -> str:
    """`results` by section; a section that was not measured may be missing."""
    return table(["", "goal", "measured", "reached"], [goal.row(results.get(goal.section)) for goal in GOALS])
