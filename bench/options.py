"""The command line of `python -m bench`."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.gpu.parts import PARTS
from bench.models import SIZES

EXAMPLES = """examples:
  python -m bench                                      everything, then the document (well under an hour)
  python -m bench --quick                              the same in little: whether it works, not how fast it is
  python -m bench inference --rounds 3 --posts posts.jsonl.gz
  python -m bench pipeline --size starter              one set of models only
  python -m bench latency --capacity 900               posts a second; default: what `pipeline` measured
  python -m bench queries --count 10000000 --keep DIR  ten million posts: filled once, in half an hour
  python -m bench soak --count 200000
  python -m bench backfill --size starter --count 20000
  python -m bench gpu                                  on a machine with an NVIDIA GPU; python3 -m bench.gpu --help
  python -m bench gpu --parts peak,shapes              some parts of it; what others measured stays
  python -m bench gpu --device cpu --quick             its code, tried out without a GPU
  python -m bench document                             docs/benchmarks.md again, from the figures of the last runs
"""
MEASUREMENTS = ("inference", "pipeline", "latency", "queries", "fanout", "soak", "backfill", "queue_policy")
# Needs another machine than the others.
GPU = "gpu"


@dataclass(frozen=True)
class Options:
    """`rounds`, `count`, `seconds`, `size`: None takes the measurement's own, smaller ones with `quick`."""

    command: str
    quick: bool = False
    rounds: int | None = None
    posts: Path | None = None
    json: Path | None = None
    size: str | None = None
    count: int | None = None
    seconds: float | None = None
    capacity: float | None = None
    keep: Path | None = None
    device: Literal["cuda", "cpu"] = "cuda"
    parts: tuple[str, ...] = ()
    clients: int | None = None


def parse(arguments: Sequence[str] | None = None) -> Options:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measures Undertone side by side with its alternatives, in turns on the same machine.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "command",
        nargs="?",
        default="all",
        choices=["all", *MEASUREMENTS, GPU, "document"],
        help="default: %(default)s",
    )
    parser.add_argument("--quick", action="store_true", help="small models, few posts: a smoke run of a minute or two")
    parser.add_argument("--rounds", type=positive, metavar="N", help="how often each alternative has its turn")
    parser.add_argument("--posts", type=Path, metavar="FILE", help="posts as JSON lines, plain or .gz; else generated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="figures; default: .local/bench/<command>.json")
    parser.add_argument("--size", choices=SIZES, help="the models: starter, full size, or tiny (of no cost)")
    parser.add_argument(
        "--count", type=positive, metavar="N", help="posts (pipeline, soak, backfill); the most of them (queries)"
    )
    parser.add_argument("--seconds", type=float, metavar="S", help="of each load (latency, fanout)")
    parser.add_argument("--capacity", type=float, metavar="N", help="posts a second that are 100 %% (latency)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="filled databases, for another time (queries)")
    gpu = parser.add_argument_group("gpu")
    gpu.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: only whether the code works")
    gpu.add_argument("--parts", type=parts, default=(), metavar="LIST", help=f"of {', '.join(PARTS)}; default: all")
    gpu.add_argument(
        "--clients", type=positive, metavar="N", help="processes that call Triton; default: half the cores"
    )
    options = Options(**vars(parser.parse_args(arguments)))
    if options.posts is not None and not options.posts.is_file():
        parser.error(f"there is no file {options.posts}")
    if options.json is not None and options.command == "all":
        parser.error("--json is for one measurement")
    return options


def parts(text: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in text.split(","))
    if unknown := [part for part in found if part not in PARTS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(PARTS)}")
    return found


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number")
    return int(text)
