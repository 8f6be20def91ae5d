"""The callers of the GPU's measurement and what they count, against a real Triton on the processor."""

import time
from collections.abc import Callable

import numpy as np
import pytest

from bench.gpu.clients import clients
from bench.gpu.device import CPU
from bench.gpu.plan import Plan
from bench.gpu.served import Served
from bench.inference.client import connected
from bench.paths import STARTER_MODELS
from bench.rival import RivalFailed
from services.inference.statistics import Counters

SENTIMENT = "sentiment"
TEXTS = ["a good day", "what a mess", "the bus stops here"]
CALLERS = 2


def counted_once(served: Served, before: Counters, holds: Callable[[Counters], bool]) -> Counters:
    """What Triton counted since then, when that is so: it counts a request after it has answered it."""
    until = time.monotonic() + 10.0
    while not holds(counted := served.counters(SENTIMENT).since(before)):
        assert time.monotonic() < until, counted
    return counted


def test_several_processes_of_callers_are_counted_together(triton: str) -> None:
    plan = Plan(device=CPU, quick=True, rounds=1, seconds=0.3, clients=CALLERS, texts=TEXTS)
    with connected(triton, STARTER_MODELS) as ours, clients(CALLERS, triton, STARTER_MODELS) as callers:
        served = Served(plan, ours, callers)
        before = served.counters(SENTIMENT)
        shape = {"do": "shape", "rows": 4, "length": 16, "in_flight": 2}
        found = served.measured(SENTIMENT, **shape, seconds=plan.seconds)
        # Every row that was answered is one of Triton's, and all of them are ours.
        counted = counted_once(served, before, lambda c: c.requests >= CALLERS and c.inferences == 4 * c.requests)
        assert counted.executions <= counted.requests
        assert found["rows_per_s"] > 0
        assert found["mean_batch"] >= 4
        assert found["client_cpu_us_per_row"] > 0
        assert found["gpu_percent"] is None, "there is none"

        answers = callers.ask(do="load", name=SENTIMENT, rows=1, length=16, rate=60.0, seconds=0.5)
        latencies = [latency for answer in answers for latency in answer["latencies_s"]]
        # Random times of the same mean; none is left out because it was late.
        assert 20 <= len(latencies) <= 120
        assert min(latencies) > 0
        assert answers[0]["latencies_s"] != answers[1]["latencies_s"], "each process has times of its own"

        callers.ask(do="texts", texts=TEXTS)
        texts = callers.rate(do="analyse", a_call=2, at_once=1, seconds=plan.seconds)
        assert texts > 0
        logits = callers.ask_one(do="logits")
        expected = [ours.run(ours.analyzer.score([text], ("sentiment", "emotion"), "right")) for text in TEXTS]
        for place, name in enumerate(("sentiment", "emotion")):
            alone = np.concatenate([scored.answers[place].logits for scored in expected])
            assert np.array(logits[name]) == pytest.approx(alone, abs=1e-4)

        single = callers.ask_one(do="single", name=SENTIMENT, rows=1, length=16, times=5)
        assert len(single["latencies_s"]) == 5
        with pytest.raises(RivalFailed, match="nothing is known of dance"):
            callers.ask_one(do="dance")


def test_rows_that_a_model_does_not_take_at_once_go_in_several_requests(triton: str) -> None:
    with connected(triton, STARTER_MODELS) as ours, clients(1, triton, STARTER_MODELS) as callers:
        most = ours.model(SENTIMENT).max_rows
        plan = Plan(device=CPU, quick=True, rounds=1, seconds=0.1, clients=1, texts=TEXTS)
        served = Served(plan, ours, callers)
        before = served.counters(SENTIMENT)
        callers.ask_one(do="single", name=SENTIMENT, rows=2 * most + 1, length=8, times=1)
        counted_once(served, before, lambda c: (c.requests, c.inferences) == (3, 2 * most + 1))
