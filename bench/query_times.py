"""`python -m bench queries`: what the API asks the database, at several sizes of it. Measured by `bench.queries`.

That is a program of its own (`python -m bench.queries --posts 10000,1000000 --json FILE`); here its figures become a
part of the document. Every list of records in them is a table.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from bench.charts import Chart
from bench.options import Options
from bench.paths import PROJECT
from bench.report import table
from bench.servers import scratch_folder

MODULE = "bench.queries"
POSTS, QUICK_POSTS = "10000,1000000", "2000,10000"


class NotThere(Exception):
    """This measurement cannot be made from this checkout."""


def measure(options: Options) -> Any:
    if find_spec(MODULE) is None:
        raise NotThere(f"there is no {MODULE}")
    sizes = str(options.count) if options.count else QUICK_POSTS if options.quick else POSTS
    with scratch_folder("queries") as folder:
        file = folder / "queries.json"
        subprocess.run([sys.executable, "-m", MODULE, "--posts", sizes, "--json", str(file)], cwd=PROJECT, check=True)
        return json.loads(file.read_text())


def tables(results: Any) -> str:
    return "\n\n".join(_tables(results, ""))


def _tables(value: Any, title: str) -> Iterator[str]:
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        columns = list(dict.fromkeys(name for row in value for name, cell in row.items() if _is_plain(cell)))
        if columns:
            if title:
                yield f"{title}:"
            yield table([c.replace("_", " ") for c in columns], [[row.get(c) for c in columns] for row in value])
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _tables(inner, str(name).replace("_", " "))


def _is_plain(cell: Any) -> bool:
    return cell is None or isinstance(cell, str | int | float)


def charts(results: Any) -> list[Chart]:
    del results  # its tables say it all
    return []
