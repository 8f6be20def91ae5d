"""`python -m bench queries`: what the API asks the database, at several sizes of it. Measured by `bench.queries`.

That is a program of its own, `python -m bench.queries --posts 10000,1000000 --json FILE`; here its figures become a
part of the document: {"sizes": {posts: {query: {"p50_ms": …, "p95_ms": …, "p99_ms": …, "n": …}}}}.
"""

import json
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

from bench.charts import Chart, Series
from bench.options import Options
from bench.paths import PROJECT
from bench.report import table
from bench.servers import scratch_folder

MODULE = "bench.queries"
FEWEST, MOST = 10_000, 1_000_000
QUICK_POSTS = "2000,10000"
QUICK_REQUESTS = 20


class NotThere(Exception):
    """This measurement cannot be made from this checkout."""


def measure(options: Options) -> Any:
    if find_spec(MODULE) is None:
        raise NotThere(f"there is no {MODULE}")
    sizes = QUICK_POSTS if options.quick else f"{FEWEST},{options.count or MOST}"
    with scratch_folder("queries") as folder:
        file = folder / "queries.json"
        command = [sys.executable, "-m", MODULE, "--posts", sizes, "--json", str(file)]
        if options.keep:
            command += ["--keep", str(options.keep)]
        if options.quick:
            command += ["--requests", str(QUICK_REQUESTS)]
        subprocess.run(command, cwd=PROJECT, check=True)
        return json.loads(file.read_text())


def tables(results: Any) -> str:
    sizes = _by_size(results)
    fewest, most = min(sizes), max(sizes)
    rows = [
        [
            name,
            *(sizes[size][name][f"p{percent}_ms"] for size in sizes for percent in (50, 95, 99)),
            sizes[most][name]["p95_ms"] / sizes[fewest][name]["p95_ms"],
        ]
        for name in sizes[fewest]
    ]
    columns = [f"{size:,}: p{percent}" for size in sizes for percent in (50, 95, 99)]
    return "\n\n".join(
        [
            "Milliseconds by the number of stored posts, and how many times as long p95 takes with the most of them:",
            table(["", *columns, "p95, most to fewest"], rows),
        ]
    )


def charts(results: Any) -> list[Chart]:
    sizes = _by_size(results)
    return [
        Chart(
            name="queries",
            title="95th percentile of a request",
            kind="bar",
            x_label="stored posts",
            y_label="milliseconds",
            series=[
                Series(name, [f"{size:,}" for size in sizes], [sizes[size][name]["p95_ms"] for size in sizes])
                for name in sizes[min(sizes)]
            ],
        )
    ]


def _by_size(results: Any) -> dict[int, dict[str, dict[str, float]]]:
    return {int(size): results["sizes"][size] for size in sorted(results["sizes"], key=int)}
