"""Where measurements keep what they make, and the Pythons that run them."""

import os
from pathlib import Path

PROJECT = Path(__file__).parents[1]
# Models, running systems and results; all of it can be removed at any time.
WORK = PROJECT / ".local" / "bench"
# torch, transformers, OpenVINO and matplotlib are here (requirements/bench.txt), not where the services run.
RIVALS_PYTHON = PROJECT / ".venv-export" / "bin" / "python"
TRITON_ENV = PROJECT / os.environ.get("LOCAL_DIR", ".local") / "triton" / "env"
# With ONNX Runtime for GPUs.
TRITON_GPU_ENV = TRITON_ENV.with_name("env-gpu")
# The very ONNX Runtime that Triton's backend runs.
TRITON_PYTHON = TRITON_ENV / "bin" / "python"
# Ray (requirements/ray.txt).
RAY_PYTHON = PROJECT / ".venv-ray" / "bin" / "python"
STARTER_MODELS = PROJECT / "model_repository"
DOCUMENT = PROJECT / "docs" / "benchmarks.md"
PLOTS = PROJECT / "docs" / "benchmarks"


def results_file(name: str, *, quick: bool = False) -> Path:
    """Where the measurement `name` leaves its figures, unless told otherwise."""
    return WORK / f"{name}{'-quick' if quick else ''}.json"
