"""`python -m bench.gpu.client TRITON REPOSITORY`: one process of callers, asked by JSON lines on standard input.

{"do": "shape", "name": "sentiment", "rows": 64, "length": 32, "in_flight": 4, "at": …, "seconds": 1.0}
                                   as many requests as are answered         -> {"rows": …, "began": …, "ended": …}
{"do": "load", "name": …, "rows": 1, "length": 32, "rate": 200, "seed": 1, "at": …, "seconds": 5.0}
                                   requests at random times, `rate` a second -> {"latencies_s": […]}
{"do": "single", "name": …, "rows": 1, "length": 32, "times": 100}
                                   one request after the other              -> {"latencies_s": […]}
{"do": "texts", "texts": […]}      what `analyse` and `logits` read
{"do": "analyse", "a_call": 512, "at_once": 2, "at": …, "seconds": 5.0}
                                   texts through both models                -> {"rows": …, "began": …, "ended": …}
{"do": "logits"}                   of every text by both models             -> {"sentiment": [[…]], "emotion": [[…]]}

`at` and what is answered as `began` and `ended` are seconds of the monotonic clock, which all processes share.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.arrivals import poisson_times
from bench.inference.client import Ours, connected
from bench.rivals.runtime import random_batch
from services.inference.models import Model

LOGITS_A_CALL = 256


class Callers:
    def __init__(self, ours: Ours) -> None:
        self._ours = ours
        self._models: dict[str, Model] = {}
        self._texts: list[str] = ["a post"]

    def do(self, order: dict[str, Any]) -> dict[str, Any]:
        name = order.get("name")
        if name and name not in self._models:
            self._models[name] = self._ours.model(name)
        match order["do"]:
            case "texts":
                self._texts = order["texts"]
                return {"texts": len(self._texts)}
            case "shape":
                return self._ours.run(self._shape(order))
            case "load":
                return self._ours.run(self._load(order))
            case "single":
                return self._ours.run(self._single(order))
            case "analyse":
                return self._ours.run(self._analyse(order))
            case "logits":
                return self._ours.run(self._logits())
            case unknown:
                raise ValueError(f"nothing is known of {unknown}")

    def _request(self, order: dict[str, Any]) -> Callable[[], Awaitable[object]]:
        """Rows that the model does not take at once go in several requests."""
        model = self._models[order["name"]]
        ids, mask = random_batch(order["rows"], order["length"])
        parts = [slice(start, start + model.max_rows) for start in range(0, len(ids), model.max_rows)]

        async def ask() -> None:
            await asyncio.gather(
                *(self._ours.triton.infer(model.name, model.version, ids[part], mask[part]) for part in parts)
            )

        return ask

    async def _shape(self, order: dict[str, Any]) -> dict[str, Any]:
        request, rows = self._request(order), order["rows"]

        async def once() -> int:
            await request()
            return int(rows)

        return await _closed_loop(once, order["in_flight"], order["at"], order["seconds"])

    async def _single(self, order: dict[str, Any]) -> dict[str, Any]:
        request, latencies = self._request(order), []
        for _ in range(order["times"]):
            began = time.monotonic()
            await request()
            latencies.append(time.monotonic() - began)
        return {"latencies_s": latencies}

    async def _load(self, order: dict[str, Any]) -> dict[str, Any]:
        request = self._request(order)
        latencies: list[float] = []

        async def at(due: float) -> None:
            await request()
            # From when it was due: what a late sender made wait has waited.
            latencies.append(time.monotonic() - due)

        async with asyncio.TaskGroup() as tasks:
            for after in poisson_times(order["rate"], order["seconds"], order["seed"]):
                due = order["at"] + after
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                tasks.create_task(at(due))
        return {"latencies_s": latencies}

    async def _analyse(self, order: dict[str, Any]) -> dict[str, Any]:
        texts = itertools.cycle(self._texts)

        async def once() -> int:
            return len(await self._ours.analyzer.analyse(list(itertools.islice(texts, order["a_call"]))))

        return await _closed_loop(once, order["at_once"], order["at"], order["seconds"])

    async def _logits(self) -> dict[str, Any]:
        found: dict[str, list[Any]] = {"sentiment": [], "emotion": []}
        for start in range(0, len(self._texts), LOGITS_A_CALL):
            part = self._texts[start : start + LOGITS_A_CALL]
            scored = await self._ours.analyzer.score(part, ("sentiment", "emotion"), "right")
            for name, answer in zip(found, scored.answers, strict=True):
                found[name] += np.asarray(answer.logits).tolist()
        return found


async def _closed_loop(
    once: Callable[[], Awaitable[int]], at_once: int, begin: float, seconds: float
) -> dict[str, Any]:
    """So many callers, each asking again when it is answered; what was asked in time counts with its answer."""
    await asyncio.sleep(max(0.0, begin - time.monotonic()))
    began, rows = time.monotonic(), 0

    async def caller() -> None:
        nonlocal rows
        while time.monotonic() < began + seconds:
            rows += await once()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(at_once):
            tasks.create_task(caller())
    return {"rows": rows, "began": began, "ended": time.monotonic()}


def main() -> None:
    url, repository = sys.argv[1:3]
    pipe = sys.stdout
    with connected(url, Path(repository)) as ours:
        callers = Callers(ours)
        for line in sys.stdin:
            try:
                reply = callers.do(json.loads(line))
            except Exception as error:  # whatever it is, the one who asked decides what it means
                reply = {"error": f"{type(error).__name__}: {error}"[:2000]}
            print(json.dumps(reply), file=pipe, flush=True)


if __name__ == "__main__":
    main()
