"""Which faults strike when: made from a seed, the same ones at the same moments each time."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.chaos.kinds import KINDS

# The system works undisturbed for a moment first, so that every fault falls into the middle of something.
BEGIN_S = 2.0


@dataclass(frozen=True)
class Fault:
    """What strikes: after `at_s` seconds, for `lasts_s` (0: it has no length)."""

    at_s: float
    kind: str
    target: str
    lasts_s: float

    @property
    def name(self) -> str:
        return f"{self.kind} {self.target}"

    def __str__(self) -> str:
        lasts = f" for {self.lasts_s:.1f} s" if self.lasts_s else ""
        return f"{self.at_s:6.1f} s  {self.name}{lasts}"


def cards() -> list[tuple[str, str]]:
    """Every kind with each of its targets."""
    return [(kind, target) for kind, about in KINDS.items() for target in about.targets]


def make_schedule(seed: int, count: int, seconds: float, longest_s: float = 30.0) -> list[Fault]:
    """`count` faults within `seconds`, in their order, none longer than `longest_s`.

    They are dealt from a shuffled deck that has every kind with each target once; when it is used up, from a new one.
    Their moments are independent of each other, so they overlap.
    """
    chance = random.Random(seed)
    faults = []
    for _, (kind, target) in zip(range(count), _dealt(chance), strict=False):
        shortest_s, most_s = KINDS[kind].seconds
        lasts_s = min(longest_s, chance.uniform(shortest_s, most_s))
        faults.append(Fault(round(chance.uniform(BEGIN_S, seconds), 2), kind, target, round(lasts_s, 2)))
    return sorted(faults, key=lambda fault: fault.at_s)


def _dealt(chance: random.Random) -> Iterator[tuple[str, str]]:
    while True:
        deck = cards()
        chance.shuffle(deck)
        yield from deck
