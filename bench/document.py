"""docs/benchmarks.md: the parts between its markers, written from the figures of the last runs, and its pictures.

A part looks like this in the document; what stands between the markers is replaced:

    <!-- bench: pipeline -->
    <!-- end -->
"""

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import machine
from bench.charts import Chart
from bench.goals import goals_table
from bench.options import Options
from bench.paths import DOCUMENT, PLOTS, PROJECT, RIVALS_PYTHON, results_file
from bench.report import load
from bench.sections import SECTIONS

_PART = re.compile(r"(<!-- bench: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
NOT_MEASURED = "*Not measured yet: run `make bench`.*"
NO_GPU = "**Not measured**: no machine with an NVIDIA GPU has run it yet."


def write_document(document: Path = DOCUMENT) -> Path:
    """Replaces the parts that have figures; one that has none keeps what it had, or says how to get some."""
    charts: list[Chart] = []
    measured = {name: content for name in SECTIONS if (content := load(results_file(name)))}

    def part(name: str, before: str) -> str:
        if name == "goals":
            return goals_table({name: content["results"] for name, content in measured.items()})
        content = measured.get(name)
        if content is None:
            return before.strip() or (NO_GPU if name == "gpu" else NOT_MEASURED)
        drawn = [chart for chart in SECTIONS[name].charts(content["results"]) if chart.series]
        charts.extend(drawn)
        return render(name, content, drawn)

    document.write_text(fill(document.read_text(), part))
    if charts:
        draw(charts, PLOTS)
    return document


def fill(text: str, part: Callable[[str, str], str]) -> str:
    """The text with `part(name, what is there)` between the markers of each part; again, it changes nothing."""

    def replace(found: re.Match[str]) -> str:
        begin, name, end = found.groups()
        before = found.group(0)[len(begin) : -len(end)]
        return f"{begin}{part(name, before)}\n{end}"

    return _PART.sub(replace, text)


def render(name: str, content: dict[str, Any], charts: list[Chart]) -> str:
    """Tables, pictures, and below them where the figures are from."""
    pictures = [f"![{chart.title}](benchmarks/{chart.name}.svg)" for chart in charts]
    usual = asdict(Options(command=""))
    options = {key: value for key, value in content["options"].items() if value and value != usual.get(key)}
    options.pop("command", None)
    asked = ", ".join(f"{key} {value}" for key, value in options.items())
    source = (
        f"<sub>`{content['command']}`{f' ({asked})' if asked else ''}, {content['taken_at'][:10]}: "
        f"{machine.sentence(content['machine'])}.</sub>"
    )
    return "\n\n".join([SECTIONS[name].tables(content["results"]), *pictures, source])


def draw(charts: list[Chart], folder: Path) -> None:
    """An SVG file each, by matplotlib, which is installed where the rivals are."""
    subprocess.run(
        [str(RIVALS_PYTHON), "-m", "bench.plots", str(folder)],
        cwd=PROJECT,
        input=json.dumps([asdict(chart) for chart in charts]),
        text=True,
        check=True,
    )
