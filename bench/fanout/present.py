"""The figures of the fan-out as a table and a chart."""

from typing import Any

from bench.charts import Chart, Series
from bench.report import table


def tables(results: list[dict[str, Any]]) -> str:
    return "\n\n".join(
        [
            "One feed to many browsers: frames a second with bursts, each sent when all have the one before. Latency "
            "from the announcement to each browser, with single posts at half of that rate:",
            table(
                [
                    "browsers",
                    "never read",
                    "of them sent away",
                    "frames a second",
                    "p50, ms",
                    "p99, ms",
                    "frames missing",
                    "API, MB",
                    "more than before, MB",
                    "API, cores",
                    "browsers, cores",
                ],
                [
                    [
                        f"{row['clients']:,}",
                        row["slow"],
                        int(row["slow_closed"]),
                        row["frames_per_s"],
                        row["latency_s"]["p50"] * 1_000,
                        row["latency_s"]["p99"] * 1_000,
                        row["frames_missing"],
                        row["api_memory_mb"],
                        row["api_memory_growth_mb"],
                        row["cpu_cores"]["api"],
                        row["cpu_cores"]["browsers"],
                    ]
                    for row in results
                ],
            ),
        ]
    )


def charts(results: list[dict[str, Any]]) -> list[Chart]:
    groups = {"all browsers read": False, "one of ten never reads": True}
    return [
        Chart(
            name="fanout",
            title="Frames a second to all browsers together",
            kind="bar",
            x_label="browsers",
            y_label="frames a second",
            series=[
                Series(
                    label,
                    [f"{row['clients']:,}" for row in results if bool(row["slow"]) is slow],
                    [row["frames_per_s"] for row in results if bool(row["slow"]) is slow],
                )
                for label, slow in groups.items()
            ],
        )
    ]
