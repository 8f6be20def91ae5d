"""The parts of the measurement, one after the other."""

from typing import Any

from bench import posts
from bench.inference import mix, shapes
from bench.inference.peaks import peaks
from bench.models import model_set
from bench.options import Options

CELLS = (
    *((length, rows) for length in (16, 32) for rows in (1, 8, 64, 256)),
    *((length, rows) for length in (64, 128) for rows in (1, 8, 64)),
)
QUICK_CELLS = ((32, 1), (32, 64))


def measure(options: Options) -> dict[str, Any]:
    quick = options.quick
    models = model_set(options.size or ("tiny" if quick else "full"), print)
    rounds = options.rounds or (2 if quick else 5)
    found: dict[str, Any] = {"peaks": peaks()}
    highest = {precision: float(peak["flops"]) for precision, peak in found["peaks"].items()}
    cells, seconds = (QUICK_CELLS, 0.2) if quick else (CELLS, 0.7)
    found["shapes"] = shapes.measure(shapes.Plan(models, cells, rounds, options.seconds or seconds, highest))
    found["mix"] = mix.measure(models, posts.texts(options.posts, 200 if quick else 600), rounds=rounds)
    few = posts.texts(options.posts, 64 if quick else 400)
    found["independence"] = mix.independence(model_set("starter", print), few)
    if not quick:
        found["independence"] += mix.independence(models, few)
    return found
