"""Copies of the backends, where the server may write: it sets the execute bit of its Python stub at every start."""

import shutil
from pathlib import Path

OWN_BACKENDS = Path(__file__).parents[1] / "triton" / "backends"


def stage_backends(wheel: Path, stub: Path, work_dir: Path) -> Path:
    """`work_dir`/backends, filled anew: what to give to the server as its backend directory.

    `wheel`: the folder with `backends/python`; `stub`: the one of its Python.
    """
    backends = work_dir / "backends"
    shutil.rmtree(backends, ignore_errors=True)
    backends.mkdir(parents=True)
    shutil.copytree(wheel / "backends" / "python", backends / "python")
    shutil.copy(stub, backends / "python" / stub.name)
    shutil.copytree(OWN_BACKENDS, backends, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return backends
