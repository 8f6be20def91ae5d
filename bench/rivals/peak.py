"""How many operations a second the machine reaches at what costs nothing but multiplying matrices."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

# Rows, inner, columns: a square one, and the products of a base encoder over 2,048 tokens.
SHAPES = ((2048, 2048, 2048), (2048, 768, 3072), (2048, 3072, 768), (2048, 768, 2304), (4096, 768, 768))
SECONDS_A_SHAPE = 0.6


def measure(order: dict[str, Any]) -> dict[str, Any]:
    """The best of the shapes, each by the median of its runs; a multiply and an add count as two."""
    torch.set_num_threads(order["threads"])
    best: dict[str, Any] = {"flops": 0.0, "shape": None}
    with torch.inference_mode():
        for shape in SHAPES:
            rows, inner, columns = shape
            seconds = _median(_product(order["precision"], rows, inner, columns))
            flops = 2 * rows * inner * columns / seconds
            if flops > best["flops"]:
                best = {"flops": flops, "shape": list(shape)}
    return best


def _product(precision: str, rows: int, inner: int, columns: int) -> Callable[[], object]:
    if precision == "int8":
        a = torch.randint(-127, 127, (rows, inner), dtype=torch.int8)
        # The right side as its library wants it: column by column.
        b = torch.randint(-127, 127, (columns, inner), dtype=torch.int8).t()
        return lambda: torch._int_mm(a, b)
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    layer = torch.nn.Linear(inner, columns, bias=False, dtype=dtype)
    x = torch.randn(rows, inner).to(dtype)
    return lambda: layer(x)


def _median(run: Callable[[], object]) -> float:
    run()
    durations: list[float] = []
    until = time.perf_counter() + SECONDS_A_SHAPE
    while time.perf_counter() < until or len(durations) < 3:
        began = time.perf_counter()
        run()
        durations.append(time.perf_counter() - began)
    return statistics.median(durations)
