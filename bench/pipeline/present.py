"""The figures of the pipeline as tables and charts."""

import statistics
from typing import Any

from bench.charts import Chart, Series
from bench.report import table

TITLES = {"full": "DistilBERT-base and RoBERTa-base", "starter": "starter models", "tiny": "models of negligible cost"}


def tables(results: dict[str, Any]) -> str:
    rates = [
        [TITLES[size], name, values["median"], values["low"], values["high"], _ratio(found["ratio"].get(name))]
        for size, found in results.items()
        for name, values in found["posts_per_s"].items()
    ]
    sizes = list(results)
    wrong = {size: len(found["errors"]) for size, found in results.items() if found["errors"]}
    return "\n\n".join(
        [
            *(f"**{count} lines of the log speak of errors ({TITLES[size]}).**" for size, count in wrong.items()),
            "Posts a second, from a full stream to rows, frames and acknowledgements:",
            table(["models", "", "posts a second", "lowest", "highest", "Undertone to it"], rates),
            *(_usual(found["usual_runs"]) for found in results.values() if found["usual_runs"]),
            "CPU milliseconds a post, by process:",
            table(["", *(TITLES[size] for size in sizes)], _rows(results, "cpu_ms_per_post")),
            "Bytes a post, as each server counts them:",
            table(["", *(TITLES[size] for size in sizes)], _rows(results, "bytes_per_post")),
            "Frames to one browser; where it cannot follow, the feed drops the oldest, by design:",
            table(
                ["models", "posts", "received", "dropped", "last frame after the last acknowledgement, s"],
                [
                    [
                        TITLES[size],
                        run["count"],
                        run["frames_received"],
                        int(run["frames_dropped"]),
                        max(0.0, run["last_frame_s"] - run["seconds"]),
                    ]
                    for size, found in results.items()
                    for run in found["runs"][-1:]
                ],
            ),
        ]
    )


def _usual(runs: list[dict[str, float]]) -> str:
    cpu_ms = statistics.median(run["cpu_ms_per_post"] for run in runs)
    return f"The worker of the usual design spends {cpu_ms:,.0f} CPU milliseconds a post."


def charts(results: dict[str, Any]) -> list[Chart]:
    names = list(dict.fromkeys(name for found in results.values() for name in found["posts_per_s"]))
    return [
        Chart(
            name="pipeline",
            title="From a full stream to rows and frames",
            kind="bar",
            x_label="",
            y_label="posts a second",
            y_log=True,
            series=[
                Series(
                    name,
                    [TITLES[size] for size, found in results.items() if name in found["posts_per_s"]],
                    [f["posts_per_s"][name]["median"] for f in results.values() if name in f["posts_per_s"]],
                )
                for name in names
            ],
        ),
        Chart(
            name="cpu",
            title="CPU time of a post, by process",
            kind="stacked",
            x_label="",
            y_label="milliseconds",
            series=[
                Series(name, [TITLES[size] for size in results if size != "full"], [value or 0.0 for value in values])
                for name, *values in _rows({s: f for s, f in results.items() if s != "full"}, "cpu_ms_per_post")
            ],
        ),
    ]


def _rows(results: dict[str, Any], what: str) -> list[list[Any]]:
    """A row for each process or store: the median of its runs for each set of models."""
    names = dict.fromkeys(name for found in results.values() for run in found["runs"] for name in run[what])
    return [
        [
            name,
            *(
                statistics.median([run[what][name] for run in found["runs"] if name in run[what]] or [0.0])
                for found in results.values()
            ),
        ]
        for name in names
    ]


def _ratio(values: dict[str, float] | None) -> str | None:
    return f"{values['median']:.2f}" if values else None
