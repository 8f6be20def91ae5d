"""The parts of the measurement, each saved as soon as it is made: a machine that is lent by the hour may go at any
time, and what a later call does not measure again stays as it was.
"""

import platform
from collections.abc import Callable
from typing import Any

from bench import posts
from bench.gpu import load, mix, parity, pipeline, shapes, variants
from bench.gpu.device import DEVICES, GPU, NoGpu, gpu_facts
from bench.gpu.parts import PARTS
from bench.gpu.plan import Plan, default_clients
from bench.options import Options
from bench.paths import RIVALS_PYTHON, results_file
from bench.query_times import NotThere
from bench.report import load as load_figures
from bench.rival import started
from services.local.cores import physical_cores

TEXTS, QUICK_TEXTS = 4_000, 96


def measure(options: Options, save: Callable[[Any], None]) -> dict[str, Any]:
    """NotThere where a GPU is asked for and there is none."""
    plan = plan_of(options)
    try:
        facts = gpu_facts() if plan.device is GPU else {"name": f"none: tried out on {physical_cores()} cores"}
    except NoGpu as error:
        raise NotThere(str(error)) from None
    found: dict[str, Any] = {"device": facts, "python": platform.python_version(), "cores": physical_cores()}
    earlier = load_figures(options.json or results_file("gpu", quick=options.quick))
    if earlier and earlier["results"]["device"] == facts:
        found = {**earlier["results"], **found}
    makers: dict[str, Callable[[], Any]] = {
        "peak": lambda: peak(plan),
        "parity": lambda: parity.measure(plan),
        "shapes": lambda: shapes.measure(plan, found["peak"]["flops"] if "peak" in found else None),
        "mix": lambda: mix.measure(plan),
        "load": lambda: load.measure(plan),
        "variants": lambda: variants.measure(plan),
        "pipeline": lambda: pipeline.measure(plan, options.posts),
    }
    for part in options.parts or PARTS:
        found[part] = makers[part]()
        save(found)
    return found


def plan_of(options: Options) -> Plan:
    quick = options.quick
    return Plan(
        device=DEVICES[options.device],
        quick=quick,
        rounds=options.rounds or (1 if quick else 3),
        seconds=options.seconds or (0.3 if quick else 2.0),
        clients=options.clients or default_clients(),
        texts=posts.texts(options.posts, QUICK_TEXTS if quick else TEXTS),
    )


def peak(plan: Plan) -> dict[str, Any]:
    """Operations and bytes a second that the device reaches at nothing but products and copies."""
    with started(RIVALS_PYTHON, "bench.rivals", log=shapes.LOG) as torch:
        return torch.ask(do="gpu_peak", device=plan.device.name)
