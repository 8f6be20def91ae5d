"""`python -m bench.rivals`: one alternative in a process of its own, asked by JSON lines on standard input.

    {"do": "prepare", "name": "sentiment", "runtime": "torch", "precision": "bf16", "threads": 2, …}
    {"do": "shape", "rows": 64, "length": 32, "times": 3}      -> {"seconds": 0.41}, for all three
    {"do": "texts", "texts": [...], "rows": 32}                -> {"seconds": …}, by every model that was prepared
    {"do": "probabilities", "texts": [...], "rows": 1}         -> {"probabilities": [[...], ...]}
    {"do": "peak", "precision": "bf16", "threads": 2}          -> {"flops": …, "shape": [...]}
    {"do": "gpu_peak", "device": "cuda"}                       -> {"flops": …, "shape": [...], "bytes_per_s": …}

It sleeps while it is not asked, so that several of them take turns on the same cores.
"""

import importlib
import json
import os
import sys
import time
from typing import Any

from bench.rivals.runtime import Runtime, random_batch
from bench.rivals.texts import probabilities, through_texts

# Imported when one is asked for: each needs another library, and Triton's environment has but one of them.
RUNTIMES = {
    "torch": "bench.rivals.torch_runtime",
    "torch_on_device": "bench.rivals.torch_on_device",
    "openvino": "bench.rivals.openvino_runtime",
    "onnxruntime": "bench.rivals.onnx_runtime",
    "onnxruntime_on_device": "bench.rivals.onnx_on_device",
}


def answer(order: dict[str, Any], prepared: dict[str, Runtime]) -> dict[str, Any]:
    match order["do"]:
        case "prepare":
            runtime: Runtime = importlib.import_module(RUNTIMES[order["runtime"]]).prepare(order)
            prepared[order["name"]] = runtime
            return {"setting": runtime.setting}
        case "shape":
            (runtime,) = prepared.values()
            ids, mask = random_batch(order["rows"], order["length"])
            began = time.perf_counter()
            runtime.run_times(ids, mask, order["times"])
            return {"seconds": time.perf_counter() - began}
        case "texts":
            began = time.perf_counter()
            through_texts(prepared.values(), order["texts"], order["rows"])
            return {"seconds": time.perf_counter() - began}
        case "probabilities":
            (runtime,) = prepared.values()
            return {"probabilities": probabilities(runtime, order["texts"], order["rows"])}
        case "peak":
            return dict(importlib.import_module("bench.rivals.peak").measure(order))
        case "gpu_peak":
            return dict(importlib.import_module("bench.rivals.gpu_peak").measure(order))
        case unknown:
            raise ValueError(f"nothing is known of {unknown}")


def main() -> None:
    # Libraries print where they like: only answers may reach the pipe.
    pipe = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    prepared: dict[str, Runtime] = {}
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line), prepared)
        except Exception as error:  # whatever a library raises: the one who asked decides what it means
            reply = {"error": f"{type(error).__name__}: {error}"[:2000]}
        print(json.dumps(reply), file=pipe, flush=True)


if __name__ == "__main__":
    main()
