"""The figures of inference as tables and charts."""

from typing import Any

from bench.charts import Chart, Series
from bench.inference.shapes import OURS, SAME
from bench.report import table


def tables(results: dict[str, Any]) -> str:
    shapes, mix = results["shapes"], results["mix"]
    titles = list(shapes["cells"][0]["rows_per_s"])
    parts = [
        f"Rows a second, {shapes['model']} model. In Triton: {shapes['served']}.",
        table(
            ["tokens x rows", *titles],
            [[_cell(cell), *(_median(cell["rows_per_s"].get(t)) for t in titles)] for cell in shapes["cells"]],
        ),
        "Triton and client against the others, and against arithmetic:",
        table(
            ["tokens x rows", f"to the {SAME}", "to the best of three", "share of the peak", *_limits(results)],
            [
                [
                    _cell(cell),
                    _range(cell["to_same_runtime"]),
                    _range(cell["to_best_rival"]),
                    None if cell["share_of_peak"] is None else f"{cell['share_of_peak']:.0%}",
                    *cell["limit_rows_per_s"].values(),
                ]
                for cell in shapes["cells"]
            ],
        ),
        "Latency of one row, milliseconds:",
        table(
            ["tokens", *titles],
            [
                [str(cell["length"]), *(_median(cell["latency_ms"].get(t)) for t in titles)]
                for cell in shapes["cells"]
                if cell["latency_ms"]
            ],
        ),
        f"{mix['texts']} texts of real lengths through both models, tokenization included:",
        table(
            ["", "texts a second", "ours to it"],
            [[t, values["median"], _range(mix["ratio"].get(t))] for t, values in mix["texts_per_s"].items()],
        ),
        "The same texts alone and in batches:",
        table(
            ["models", "runtime", "largest change of a probability", "likeliest labels changed"],
            [
                [r["models"], r["runtime"], f"{r['largest_change']:.1e}", f"{r['labels_changed']} of {r['texts']}"]
                for r in results["independence"]
            ],
        ),
        f"Matrix-product peak: {', '.join(_peak(name, peak) for name, peak in results['peaks'].items())}.",
    ]
    return "\n\n".join(parts)


def charts(results: dict[str, Any]) -> list[Chart]:
    cells = [cell for cell in results["shapes"]["cells"] if cell["length"] == 32]
    titles = list(cells[0]["rows_per_s"]) if cells else []
    return [
        Chart(
            name="inference",
            title="32 tokens: rows a second by batch",
            kind="line",
            x_label="rows in a batch",
            y_label="rows a second",
            x_log=True,
            series=[
                Series(
                    title,
                    [cell["rows"] for cell in cells if title in cell["rows_per_s"]],
                    [cell["rows_per_s"][title]["median"] for cell in cells if title in cell["rows_per_s"]],
                    strong=title == OURS,
                )
                for title in titles
            ],
        ),
        Chart(
            name="length-mix",
            title="Real post lengths, both models: texts a second",
            kind="bar",
            x_label="",
            y_label="texts a second",
            series=[
                Series(title, [title], [values["median"]]) for title, values in results["mix"]["texts_per_s"].items()
            ],
        ),
    ]


def _limits(results: dict[str, Any]) -> list[str]:
    return [f"limit {name}" for name in results["peaks"]]


def _peak(precision: str, peak: dict[str, Any]) -> str:
    unit = "TOP/s" if precision == "int8" else "TFLOP/s"
    return f"{peak['flops'] / 1e12:.2f} {unit} {precision} ({peak['library']})"


def _cell(cell: dict[str, Any]) -> str:
    return f"{cell['length']} x {cell['rows']}"


def _median(summary: dict[str, float] | None) -> float | None:
    return summary["median"] if summary else None


def _range(summary: dict[str, float] | None) -> str | None:
    """`0.97 (0.95 to 0.99)`: median, lowest and highest of the rounds."""
    return f"{summary['median']:.2f} ({summary['low']:.2f} to {summary['high']:.2f})" if summary else None
