"""Models to measure with: full-size ones, and some of negligible cost; exported as everybody exports theirs.

Made once below `.local/bench/`, and again when their recipe changes. `checkpoints/<model>` beside the versions holds
what they were exported from, `plain/<model>` the graph without our fusions: both for the rivals.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.paths import PROJECT, RIVALS_PYTHON, STARTER_MODELS, WORK

SENTIMENTS = ("negative", "neutral", "positive")
EMOTIONS = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
# Realistic splits into tokens; the vocabularies of the models are the published ones' all the same.
TOKENIZER = STARTER_MODELS / "sentiment" / "1" / "tokenizer.json"
SIZES = ("starter", "full", "tiny")

Report = Callable[[str], None]


@dataclass(frozen=True)
class Recipe:
    """The shape of an encoder with a classifier; `vocabulary` in tokens."""

    architecture: str
    labels: tuple[str, ...]
    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocabulary: int


RECIPES: Mapping[str, Mapping[str, Recipe]] = {
    "full": {
        "sentiment": Recipe("distilbert", SENTIMENTS, 6, 768, 12, 3072, 30_522),
        "emotion": Recipe("roberta", EMOTIONS, 12, 768, 12, 3072, 50_265),
    },
    "tiny": {
        "sentiment": Recipe("distilbert", SENTIMENTS, 1, 16, 2, 32, 30_522),
        "emotion": Recipe("roberta", EMOTIONS, 1, 16, 2, 32, 50_265),
    },
}
# What is measured on a GPU; the third only by itself.
RECIPES = {
    **RECIPES,
    "gpu": {**RECIPES["full"], "distilroberta": Recipe("roberta", EMOTIONS, 6, 768, 12, 3072, 50_265)},
}
PRECISIONS = {"full": "fp32,int8", "tiny": "fp32", "gpu": "fp16", "starter-gpu": "fp32,fp16"}


@dataclass(frozen=True)
class ModelSet:
    """A repository that Triton serves. `checkpoints`: what it was exported from; None for the starter models as they
    are in the repository."""

    size: str
    repository: Path
    checkpoints: Path | None

    def checkpoint(self, name: str) -> Path:
        return self._made(self.checkpoints) / name

    def plain_graph(self, name: str) -> Path:
        """The ONNX file before anything in it was fused."""
        return self._made(self.checkpoints).parent / "plain" / name / "model.onnx"

    def _made(self, folder: Path | None) -> Path:
        if folder is None:
            raise ValueError(f"there are no checkpoints of the {self.size} models")
        return folder


def model_set(size: str, report: Report, precisions: str | None = None) -> ModelSet:
    """The models of that size, exported first where they are missing or made from another recipe (minutes)."""
    if size == "starter":
        return ModelSet(size, STARTER_MODELS, None)
    precisions = precisions or PRECISIONS[size]
    folder = WORK / f"models-{size}"
    made_from = _stamp(size, precisions)
    stamp = folder / "recipe.json"
    if not (stamp.is_file() and stamp.read_text() == made_from):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, recipe in RECIPES[size].items():
            report(f"making the {size} {name} model")
            _export(folder, name, recipe, precisions)
        stamp.write_text(made_from)
    return ModelSet(size, folder / "repository", folder / "checkpoints")


def starter_for_gpu(report: Report) -> ModelSet:
    """The starter models in half precision with fused attention, exported from what their files hold."""
    size = "starter-gpu"
    folder = WORK / f"models-{size}"
    versions = [STARTER_MODELS / name / "1" / "version.json" for name in ("sentiment", "emotion")]
    made_from = "".join(version.read_text() for version in versions) + PRECISIONS[size]
    stamp = folder / "recipe.json"
    if not (stamp.is_file() and stamp.read_text() == made_from):
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("sentiment", "emotion"):
            report(f"exporting the starter model {name} for a GPU")
            checkpoint = folder / "checkpoints" / name
            checkpoint.parent.mkdir(parents=True, exist_ok=True)
            _run("export.starter.restore", name, str(checkpoint))
            _publish(folder, name, checkpoint, PRECISIONS[size])
        stamp.write_text(made_from)
    return ModelSet(size, folder / "repository", folder / "checkpoints")


def _stamp(size: str, precisions: str) -> str:
    recipes = {name: asdict(recipe) for name, recipe in RECIPES[size].items()}
    maker = (PROJECT / "bench" / "rivals" / "checkpoint.py").read_text()
    return json.dumps({"recipes": recipes, "precisions": precisions, "maker": maker}, indent=1)


def _export(folder: Path, name: str, recipe: Recipe, precisions: str) -> None:
    checkpoint = folder / "checkpoints" / name
    order = json.dumps({**asdict(recipe), "tokenizer": str(TOKENIZER)})
    _run("bench.rivals.checkpoint", order, str(checkpoint))
    if "fp16" not in precisions:
        # For rivals on the CPU.
        _run("bench.rivals.plain_onnx", str(checkpoint), str(folder / "plain" / name))
    _publish(folder, name, checkpoint, precisions)


def _publish(folder: Path, name: str, checkpoint: Path, precisions: str) -> None:
    # The load in Triton is left to the measurement: it comes next anyway.
    options = ["--repository", str(folder / "repository"), "--precisions", precisions, "--without-triton"]
    _run("export", name, "--model", str(checkpoint), *options)


def _run(module: str, *arguments: str) -> None:
    answer = subprocess.run(
        [str(RIVALS_PYTHON), "-m", module, *arguments], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    if answer.returncode:
        sys.exit(f"error: python -m {module} {arguments[0]} failed:\n{answer.stdout[-2000:]}{answer.stderr[-4000:]}")
