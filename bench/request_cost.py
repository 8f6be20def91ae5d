"""What a request costs beside its tokens, with the starter models on this machine: `python -m bench.request_cost`.

Milliseconds of single requests of several sizes, and the line through them: so many for a request, so many for a token.
Their ratio says how much padding would be cheaper than another request: why clients send texts of all lengths in one.
"""

import argparse

import numpy as np

from bench.inference.client import Ours, connected
from bench.paths import STARTER_MODELS
from bench.report import table
from bench.servers import triton
from services.inference.models import Model

# Rows and tokens a row, as few posts and as a backlog give them.
SHAPES = ((1, 8), (1, 16), (1, 32), (1, 64), (2, 16), (4, 16), (8, 16), (4, 24), (8, 24), (16, 24), (32, 24), (32, 32))
ROUNDS, TIMES = 5, 8


def line(tokens: list[int], milliseconds: list[float]) -> tuple[float, float]:
    """Milliseconds of a request and of a token, by least squares of the relative errors."""
    weights = 1 / np.array(milliseconds)
    columns = np.stack([np.ones(len(tokens)), np.array(tokens, float)], axis=1)
    (request, token), *_ = np.linalg.lstsq(columns * weights[:, None], np.ones(len(tokens)))
    return float(request), float(token)


def measure(ours: Ours, model: Model) -> list[float]:
    """Milliseconds of a request of each shape, the least of several rounds, one request after the other."""
    rounds = [[ours.shape(model, *shape, TIMES, in_flight=1) / TIMES for shape in SHAPES] for _ in range(ROUNDS)]
    return [min(each) * 1_000 for each in zip(*rounds, strict=True)]


def main() -> None:
    argparse.ArgumentParser(prog="python -m bench.request_cost", description="The cost of a request.").parse_args()
    print("starting Triton and measuring (1 minute) ...", flush=True)
    with triton(STARTER_MODELS) as url, connected(url, STARTER_MODELS) as ours:
        found = {name: measure(ours, ours.model(name)) for name in ("sentiment", "emotion")}
    rows = [[f"{rows} x {length}", *each] for (rows, length), *each in zip(SHAPES, *found.values(), strict=True)]
    print(table(["rows x tokens", *(f"{name}, ms" for name in found)], rows))
    for name, milliseconds in found.items():
        request, token = line([rows * length for rows, length in SHAPES], milliseconds)
        print(f"{name}: {request:.2f} ms a request, {token:.4f} ms a token: {request / token:.0f} tokens a request")


if __name__ == "__main__":
    main()
