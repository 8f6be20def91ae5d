"""The measured matrix-product peak of this machine, by precision."""

from bench.inference.alternatives import LOG
from bench.paths import RIVALS_PYTHON
from bench.rival import RivalFailed, started
from services.local.cores import physical_cores

PRECISIONS = ("fp32", "bf16", "int8")


def peaks() -> dict[str, float]:
    """Operations a second; a precision is left out where torch has no product for it."""
    found = {}
    with started(RIVALS_PYTHON, "bench.rivals", log=LOG) as rival:
        for precision in PRECISIONS:
            try:
                found[precision] = float(rival.ask(do="peak", precision=precision, threads=physical_cores())["flops"])
            except RivalFailed:
                continue
    return found
