"""`python -m bench.plots FOLDER`: the charts on standard input as SVG files, the same bytes for the same figures.

A white card with its own background: it reads the same on a light and on a dark page.
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot, ticker

STYLE = {
    # Ids in the file are hashes: of this, instead of a random number.
    "svg.hashsalt": "undertone",
    # Small, and text stays text.
    "svg.fonttype": "none",
    "figure.figsize": (8.0, 4.2),
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": "#94a3b8",
    "axes.labelcolor": "#334155",
    "axes.titlecolor": "#0f172a",
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#e2e8f0",
    "text.color": "#334155",
    "xtick.color": "#475569",
    "ytick.color": "#475569",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    # Told apart by those who do not see all colours, too (Okabe and Ito).
    "axes.prop_cycle": matplotlib.cycler(
        color=["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8c8c8c", "#000000", "#b8a800"]
    ),
}


def draw(chart: dict[str, Any], folder: Path) -> None:
    figure, axes = pyplot.subplots(layout="constrained")
    {"line": lines, "bar": bars, "stacked": stacks}[chart["kind"]](axes, chart["series"])
    axes.set(title=chart["title"], xlabel=chart["x_label"], ylabel=chart["y_label"])
    if chart["x_log"]:
        axes.set_xscale("log", base=2)
        ticks = sorted({x for series in chart["series"] for x in series["x"]})
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.margins(y=0.15)
    if chart["y_log"]:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_formatter(ticker.NullFormatter())
        if chart["kind"] == "bar":
            axes.set_ylim(bottom=1)
    else:
        axes.set_ylim(bottom=0)
    for axis in (axes.yaxis, axes.xaxis):
        if isinstance(axis.get_major_formatter(), ticker.ScalarFormatter | ticker.LogFormatter):
            axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.10g}"))
    if len(axes.get_legend_handles_labels()[1]) > 1:
        figure.legend(loc="outside lower center", ncols=5)
    # No date in the file: it changes only where the figures do.
    figure.savefig(folder / f"{chart['name']}.svg", metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


def lines(axes: Any, series: list[dict[str, Any]]) -> None:
    for each in series:
        strong = {"linewidth": 3.0, "zorder": 3} if each["strong"] else {"linewidth": 1.5}
        marker = "o" if len(each["x"]) < 40 else None
        axes.plot(each["x"], each["y"], label=each["label"], marker=marker, markersize=4, **strong)


def bars(axes: Any, series: list[dict[str, Any]]) -> None:
    """Groups by what stands below the axis; a series without a value there leaves its place free."""
    groups = list(dict.fromkeys(x for each in series for x in each["x"]))
    # Where every series has a group of its own, bars need not stand side by side.
    side_by_side = any(len(each["x"]) > 1 for each in series) or len(groups) == 1
    width = 0.8 / (len(series) if side_by_side else 1)
    for number, each in enumerate(series):
        shift = (number - (len(series) - 1) / 2) * width if side_by_side else 0.0
        places = [groups.index(x) + shift for x in each["x"]]
        # Without groups, the name below the bar is that of the series already.
        drawn = axes.bar(places, each["y"], width * 0.92, label=each["label"] if side_by_side else None)
        axes.bar_label(drawn, [f"{y:,.0f}" if y >= 10 else f"{y:.2g}" for y in each["y"]], fontsize=8, padding=2)
    axes.set_xticks(range(len(groups)), groups)
    axes.grid(axis="x", visible=False)


def stacks(axes: Any, series: list[dict[str, Any]]) -> None:
    groups = list(dict.fromkeys(x for each in series for x in each["x"]))
    below = [0.0] * len(groups)
    for each in series:
        values = dict(zip(each["x"], each["y"], strict=True))
        heights = [values.get(group, 0.0) for group in groups]
        axes.bar(groups, heights, 0.5, bottom=below, label=each["label"])
        below = [a + b for a, b in zip(below, heights, strict=True)]
    axes.grid(axis="x", visible=False)


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        for chart in json.load(sys.stdin):
            draw(chart, folder)


if __name__ == "__main__":
    main()
