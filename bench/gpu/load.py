"""Latency against load: single texts of 32 tokens that arrive at random times, whatever became of those before."""

from typing import Any

from bench.gpu.plan import Plan
from bench.gpu.served import served
from bench.progress import Progress
from bench.rounds import quantiles

MODEL, LENGTH = "sentiment", 32
# Callers of one process that wait for their answers, to find the rate that single texts can have at all.
IN_FLIGHT = 64


def measure(plan: Plan) -> dict[str, Any]:
    progress = Progress("latency against load", len(plan.loads) + 1)
    with served(plan, plan.models(), [MODEL]) as ours:
        progress.step("what single texts can have")
        order = {"name": MODEL, "rows": 1, "length": LENGTH}
        ours.clients.rate(do="shape", **order, in_flight=IN_FLIGHT, seconds=plan.seconds)
        most = ours.clients.rate(do="shape", **order, in_flight=IN_FLIGHT, seconds=plan.seconds)
        loads = []
        for share in plan.loads:
            progress.step(f"{share:.0%} of {most:,.0f} texts/s")
            before = ours.counters(MODEL)
            rate = share * most / len(ours.clients)
            answers = ours.clients.ask(do="load", **order, rate=rate, seconds=2 * plan.seconds)
            counted = ours.counters(MODEL).since(before)
            loads.append(
                {
                    "share": share,
                    "texts_per_s": share * most,
                    "latency_ms": quantiles([1_000 * each for answer in answers for each in answer["latencies_s"]]),
                    "mean_batch": counted.mean_batch,
                    "queue_ms": counted.queue_ms,
                }
            )
    progress.done()
    return {"most_texts_per_s": most, "loads": loads}
