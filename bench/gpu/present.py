"""The figures of a GPU as tables and charts. Every part may be missing: it was not measured."""

from collections.abc import Mapping
from typing import Any

from bench.charts import Chart, Series
from bench.goals import NOT_MEASURED, Goal
from bench.gpu.parity import worst
from bench.gpu.shapes import COMPILED, DIRECT, OURS
from bench.report import table, text

LABELS = {"single": "single texts of 32 tokens", "backlog": "256 x 128 tokens", "mix": "real lengths, both models"}


def _cell(results: Mapping[str, Any], length: int, rows: int) -> Any:
    cells = results["shapes"]["sentiment"]["cells"]
    return next((cell for cell in cells if (cell["length"], cell["rows"]) == (length, rows)), {})


def _large(results: Mapping[str, Any]) -> Any:
    """128 tokens, the largest batch."""
    return _cell(results, 128, 1024)


GOALS = (
    Goal(
        "gpu",
        "Triton and client, DistilBERT-base, 128 tokens x 1,024: share of the measured peak of fp16 products",
        50.0,
        lambda r: 100 * float(_large(r)["share_of_peak"][OURS]),
        unit=" %",
    ),
    Goal("gpu", "the same to ONNX Runtime called directly", 0.9, lambda r: float(_large(r)["to"][DIRECT]["median"])),
    Goal("gpu", "the same to torch fp16, compiled", 1.0, lambda r: float(_large(r)["to"][COMPILED]["median"])),
    Goal(
        "gpu",
        "p50 of one row of 32 tokens over gRPC",
        3.0,
        lambda r: float(r["shapes"]["sentiment"]["single_request_ms"]["p50"]),
        at_most=True,
        unit=" ms",
    ),
    Goal("gpu", "labels in fp16 as in fp32, starter models", 99.5, lambda r: 100 * worst(r["parity"]), unit=" %"),
    Goal(
        "gpu",
        "the whole system with both full-size models",
        10_000.0,
        lambda r: float(r["pipeline"]["posts_per_s"]["median"]),
        unit=" posts/s",
    ),
)


def tables(results: Mapping[str, Any]) -> str:
    device = results["device"]
    said = ", ".join(f"{name} {value}" for name, value in device.items() if name != "name")
    parts = [f"{device['name']}{f' ({said})' if said else ''}, {results['cores']} cores, Python {results['python']}."]
    # Goals are a GPU's.
    if "driver" in device:
        parts.append(table(["", "goal", "measured", "reached"], [goal.row(results) for goal in GOALS]))
    for part, present in (
        ("peak", _peak),
        ("parity", _parity),
        ("shapes", _shapes),
        ("mix", _mix),
        ("load", _load),
        ("variants", _variants),
        ("pipeline", _pipeline),
    ):
        parts += present(results[part]) if part in results else [f"*{part}: {NOT_MEASURED}.*"]
    return "\n\n".join(parts)


def _peak(peak: Mapping[str, Any]) -> list[str]:
    return [
        f"Matrix-product peak: {peak['flops'] / 1e12:,.1f} TFLOP/s ({peak['shape']}, torch {peak['torch']}); copies "
        f"within its memory: {peak['bytes_per_s'] / 1e12:,.3f} TB/s."
    ]


def _parity(found: list[Mapping[str, Any]]) -> list[str]:
    return [
        "The same texts by fp32 PyTorch:",
        table(
            [
                "models",
                "model",
                "by",
                "texts",
                "labels agree",
                "others, though clear",
                "largest change of a probability",
            ],
            [
                [
                    each["models"],
                    each["model"],
                    each["by"],
                    each["texts"],
                    f"{each['labels_agree']:.2%}",
                    each["clear_disagreements"],
                    f"{each['largest_change']:.1e}",
                ]
                for each in found
            ],
        ),
    ]


def _shapes(shapes: Mapping[str, Any]) -> list[str]:
    parts = []
    for name, model in shapes.items():
        titles = list(dict.fromkeys(title for cell in model["cells"] for title in cell["rows_per_s"]))
        parts += [
            f"Rows a second, {name} ({model['model']}):",
            table(
                ["tokens x rows", *titles, "tokens/s", "TFLOP/s", "share of the peak", "to ONNX Runtime"],
                [
                    [
                        _title(cell),
                        *(_median(cell["rows_per_s"].get(title)) for title in titles),
                        cell["tokens_per_s"][OURS],
                        cell["tflops"][OURS],
                        _percent(cell["share_of_peak"][OURS]),
                        _ratio(cell["to"].get(DIRECT)),
                    ]
                    for cell in model["cells"]
                ],
            ),
            "In Triton meanwhile:",
            table(
                ["tokens x rows", "mean batch", "queue, ms", "compute, ms", "callers' CPU, µs a row", "GPU busy, %"],
                [
                    [
                        _title(cell),
                        *(
                            cell["ours"][what]
                            for what in ("mean_batch", "queue_ms", "compute_ms", "client_cpu_us_per_row", "gpu_percent")
                        ),
                    ]
                    for cell in model["cells"]
                ],
            ),
        ]
    return parts


def _mix(mix: Mapping[str, Any]) -> list[str]:
    return [
        f"{mix['texts']:,} texts of real lengths through both models, tokenization included:",
        table(
            ["", "texts a second", "ours to it"],
            [[title, values["median"], _ratio(mix["to"].get(title))] for title, values in mix["texts_per_s"].items()],
        ),
    ]


def _load(load: Mapping[str, Any]) -> list[str]:
    return [
        f"Latency of single texts of 32 tokens against load (callers that wait get {text(load['most_texts_per_s'])} a "
        "second), milliseconds:",
        table(
            ["texts a second", "p50", "p95", "p99", "mean batch", "queue"],
            [
                [
                    each["texts_per_s"],
                    *(each["latency_ms"][p] for p in ("p50", "p95", "p99")),
                    each["mean_batch"],
                    each["queue_ms"],
                ]
                for each in load["loads"]
            ],
        ),
    ]


def _variants(variants: Mapping[str, Any]) -> list[str]:
    return [
        "Rows a second, with each part of the way over the GPU and without:",
        table(
            ["", *LABELS.values()],
            [[title, *(_median(values.get(what)) for what in LABELS)] for title, values in variants.items()],
        ),
    ]


def _pipeline(pipeline: Mapping[str, Any]) -> list[str]:
    return [
        f"The whole system, {pipeline['workers']} workers on {pipeline['cores']} cores: "
        f"{text(pipeline['posts_per_s']['median'])} posts a second from a full stream to stored rows. What limits it: "
        f"{pipeline['limit']}.",
        table(["CPU milliseconds a post", ""], [[name, ms] for name, ms in pipeline["cpu_ms_per_post"].items()]),
    ]


def charts(results: Mapping[str, Any]) -> list[Chart]:
    found = []
    if "shapes" in results:
        cells = [cell for cell in results["shapes"]["sentiment"]["cells"] if cell["length"] == 128]
        titles = list(dict.fromkeys(title for cell in cells for title in cell["rows_per_s"]))
        found.append(
            Chart(
                name="gpu-shapes",
                title="DistilBERT-base, 128 tokens: TFLOP/s by batch",
                kind="line",
                x_label="rows",
                y_label="TFLOP/s",
                x_log=True,
                series=[
                    Series(
                        title,
                        [cell["rows"] for cell in cells if title in cell["tflops"]],
                        [cell["tflops"][title] for cell in cells if title in cell["tflops"]],
                        strong=title == OURS,
                    )
                    for title in titles
                ],
            )
        )
    if "load" in results:
        loads = results["load"]["loads"]
        found.append(
            Chart(
                name="gpu-latency",
                title="Single texts of 32 tokens: latency against load",
                kind="line",
                x_label="texts a second",
                y_label="milliseconds",
                y_log=True,
                series=[
                    Series(
                        p,
                        [each["texts_per_s"] for each in loads],
                        [each["latency_ms"][p] for each in loads],
                        strong=p == "p50",
                    )
                    for p in ("p50", "p95", "p99")
                ],
            )
        )
    if "variants" in results:
        found.append(
            Chart(
                name="gpu-variants",
                title="With each part of the way over the GPU, and without",
                kind="bar",
                x_label="",
                y_label="rows a second",
                y_log=True,
                series=[
                    Series(title, [LABELS[what] for what in values], [each["median"] for each in values.values()])
                    for title, values in results["variants"].items()
                ],
            )
        )
    return found


def _title(cell: Mapping[str, Any]) -> str:
    return f"{cell['length']} x {cell['rows']}"


def _median(values: Mapping[str, float] | None) -> float | None:
    return values["median"] if values else None


def _ratio(values: Mapping[str, float] | None) -> str | None:
    return f"{values['median']:.2f}" if values else None


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.0%}"
