"""The measured matrix-product peak of this machine, by precision."""

from typing import Any

from bench.inference.alternatives import LOG
from bench.paths import RIVALS_PYTHON
from bench.rival import RivalFailed, started
from services.local.cores import physical_cores

PRECISIONS = ("fp32", "bf16", "int8")


def peaks() -> dict[str, dict[str, Any]]:
    """`flops` (operations a second), `library` and `shape`; a precision that no library multiplies in is left out."""
    found = {}
    with started(RIVALS_PYTHON, "bench.rivals", log=LOG) as rival:
        for precision in PRECISIONS:
            try:
                found[precision] = rival.ask(do="peak", precision=precision, threads=physical_cores())
            except RivalFailed:
                continue
    return found
