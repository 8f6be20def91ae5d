"""Posts to measure with: those of a file, or generated ones of the same lengths."""

import gzip
import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path

from services.ingester.sources.simulation.feed import Feed

# Words of real posts, a tenth of them between two neighbours each.
WORDS = (2, 5, 7, 9, 11, 14, 17, 20, 22, 24, 32)
POSTS_PER_MINUTE = 6_000.0


def texts(file: Path | None, count: int, seed: int = 1) -> list[str]:
    """`count` texts: from a file of JSON lines (`content`), repeated where it is shorter, or generated."""
    if file is None:
        return list(itertools.islice(generated(seed), count))
    raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    lines = (line for line in raw.decode("utf-8").split("\n") if line.strip())
    found = [str(json.loads(line)["content"]) for line in itertools.islice(lines, count)]
    if not found:
        raise ValueError(f"{file} has no posts")
    return list(itertools.islice(itertools.cycle(found), count))


def generated(seed: int) -> Iterator[str]:
    """Texts of simulated people, cut or joined to the lengths of real posts; the same ones for the same seed."""
    feed = Feed(seed, POSTS_PER_MINUTE)
    chance = random.Random(seed)
    while True:
        words = draw_words(chance.random())
        text: list[str] = []
        while len(text) < words:
            text += feed.next().content.split()
        yield " ".join(text[:words])


def draw_words(where: float) -> int:
    """The number of words at this place, 0 to 1, of the distribution."""
    position = where * (len(WORDS) - 1)
    low = min(int(position), len(WORDS) - 2)
    return round(WORDS[low] + (WORDS[low + 1] - WORDS[low]) * (position - low))
