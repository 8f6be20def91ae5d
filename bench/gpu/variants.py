"""What each part of the backend's way over the GPU brings: the same texts with it and without, in turns of servers."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.gpu.mix import MODELS, analyse
from bench.gpu.plan import Plan
from bench.gpu.served import served
from bench.gpu.shapes import in_flight
from bench.models import ModelSet
from bench.paths import WORK
from bench.progress import Progress
from bench.rounds import summary

SINGLE, BACKLOG = (32, 1), (128, 256)


@dataclass(frozen=True)
class Variant:
    """`settings`: the environment of the server; `instances` of each model."""

    title: str
    settings: Mapping[str, str] = field(default_factory=dict)
    instances: int = 1


VARIANTS = (
    Variant("as it is served"),
    Variant("no CUDA graphs", {"UNDERTONE_GPU_GRAPHS": "off"}),
    Variant("no pinned memory", {"UNDERTONE_GPU_PINNED": "off"}),
    Variant("two instances", instances=2),
)


def measure(plan: Plan) -> dict[str, Any]:
    """By variant: rows a second of single texts and of a backlog of `sentiment`, and texts of real lengths by both."""
    models = plan.models()
    progress = Progress("variants", len(VARIANTS) * plan.rounds)
    found: dict[str, dict[str, list[float]]] = {variant.title: {} for variant in VARIANTS}
    for _ in range(plan.rounds):
        for variant in VARIANTS:
            progress.step(variant.title)
            with served(plan, with_instances(models, plan, variant.instances), MODELS, variant.settings) as ours:
                ours.clients.ask(do="texts", texts=list(plan.texts))
                analyse(plan, ours)
                for what, (length, rows) in (("single", SINGLE), ("backlog", BACKLOG)):
                    order = {"do": "shape", "name": "sentiment", "length": length, "rows": rows}
                    rate = ours.clients.rate(**order, in_flight=in_flight(rows), seconds=plan.seconds)
                    found[variant.title].setdefault(what, []).append(rate)
                found[variant.title].setdefault("mix", []).append(float(analyse(plan, ours)["rows_per_s"]))
    progress.done()
    return {title: {what: summary(each) for what, each in values.items()} for title, values in found.items()}


def with_instances(models: ModelSet, plan: Plan, count: int) -> ModelSet:
    """The same models, each served by so many instances: a copy, the measured repository stays as it is."""
    if count == 1:
        return models
    copy = WORK / f"models-{models.size}-{count}-instances"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(models.repository, copy, symlinks=True)
    for name in MODELS:
        file = copy / name / "configs" / f"{plan.device.config}.pbtxt"
        text, changed = re.subn(r"(instance_group \[ \{ kind: \w+ count: )\d+", rf"\g<1>{count}", file.read_text())
        if not changed:
            raise ValueError(f"{file} has no instance_group of the form that `python -m export` writes")
        file.write_text(text)
    return ModelSet(models.size, copy, models.checkpoints)
