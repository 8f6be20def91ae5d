"""The command line of `python -m tests.chaos`."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.options import positive

EXAMPLES = """examples:
  python -m tests.chaos                                          the long run: half an hour
  python -m tests.chaos --seeds 7                                another seed
  python -m tests.chaos --seeds 7 --keep /tmp/chaos              its logs and data stay, to look at
  python -m tests.chaos --posts 20000 --faults 60 --seeds 1      smaller; the document stays as it is
"""
POSTS, FAULTS, SEEDS = 100_000, 60, (1, 2, 3)


@dataclass(frozen=True)
class Options:
    posts: int
    faults: int
    seeds: tuple[int, ...]
    rate: int
    keep: Path | None
    document: bool

    @property
    def is_whole(self) -> bool:
        """Whether its figures may stand in the document."""
        return self.posts >= POSTS and self.faults >= FAULTS and len(self.seeds) >= len(SEEDS)

    @property
    def seconds(self) -> float:
        return self.posts / self.rate


def parse(arguments: Sequence[str] | None = None) -> Options:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description="Lets everything fail that can, at random moments and under load, and compares what was offered "
        "with what is there: post by post. The same seed gives the same faults at the same moments.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--posts", type=positive, default=POSTS, metavar="N", help="for each seed; default: %(default)s"
    )
    parser.add_argument(
        "--faults", type=positive, default=FAULTS, metavar="N", help="for each seed; default: %(default)s"
    )
    parser.add_argument("--seeds", type=_seeds, default=SEEDS, metavar="N,N", help="one run each; default: 1,2,3")
    parser.add_argument("--rate", type=positive, default=200, metavar="N", help="posts a second; default: %(default)s")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="logs and data stay there, a folder for each seed")
    parser.add_argument(
        "--document", action="store_true", help="write docs/reliability.md, also after a smaller run than the default"
    )
    return Options(**vars(parser.parse_args(arguments)))


def _seeds(text: str) -> tuple[int, ...]:
    return tuple(positive(part) for part in text.split(","))
