"""How many operations a second the device reaches at what costs nothing but multiplying matrices in half precision, and
how many bytes a second it copies within its memory.

On `cpu` it runs the same code with small matrices, to try it out.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

# Rows, inner, columns: large square ones, and the products of a base encoder over 32,768 tokens.
SHAPES = ((8192, 8192, 8192), (4096, 4096, 4096), (32768, 768, 3072), (32768, 3072, 768), (32768, 768, 2304))
SHAPES_ON_CPU = ((512, 512, 512), (512, 768, 1024))
COPIED_BYTES, COPIED_BYTES_ON_CPU = 2**31, 2**24
# Products of one timing: launching one takes longer than some of them.
TIMES, ROUNDS = 20, 7


def measure(order: dict[str, Any]) -> dict[str, Any]:
    """The best shape by the median of its rounds; a multiply and an add count as two. A copy reads and writes."""
    device = order["device"]
    dtype = torch.float16 if device == "cuda" else torch.float32
    found: dict[str, float] = {}
    with torch.inference_mode():
        for rows, inner, columns in SHAPES if device == "cuda" else SHAPES_ON_CPU:
            # Zeros would be faster than what anybody multiplies.
            left = torch.randn(rows, inner, device=device).to(dtype)
            right = torch.randn(columns, inner, device=device).to(dtype).t()
            out = torch.empty(rows, columns, device=device, dtype=dtype)
            seconds = _median(device, partial(torch.mm, left, right, out=out))
            found[f"{rows} x {inner} x {columns}"] = 2 * rows * inner * columns / seconds
        size = COPIED_BYTES if device == "cuda" else COPIED_BYTES_ON_CPU
        source = torch.randint(0, 127, (size,), dtype=torch.int8, device=device)
        target = torch.empty_like(source)
        copied = 2 * size / _median(device, partial(target.copy_, source))
    best = max(found, key=lambda shape: found[shape])
    return {"flops": found[best], "shape": best, "all": found, "bytes_per_s": copied, "torch": torch.__version__}


def _median(device: str, run: Callable[[], object]) -> float:
    """Seconds of one run, over rounds of several: nothing is waited for within a round."""
    wait = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    for _ in range(3):
        run()
    seconds = []
    for _ in range(ROUNDS):
        wait()
        began = time.perf_counter()
        for _ in range(TIMES):
            run()
        wait()
        seconds.append((time.perf_counter() - began) / TIMES)
    return statistics.median(seconds)
