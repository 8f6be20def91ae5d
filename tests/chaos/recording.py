"""Files of posts for the ingester, unreadable lines among them."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from pathlib import Path

from bench.posts import draw_words
from services.common.messages import Post, encode_post
from tests.chaos.malformed import bad_lines
from tests.chaos.truth import Truth
from tests.integration.exported import WORDS

FIRST_CREATED_AT = datetime(2026, 1, 1, tzinfo=UTC)
# One line in so many is no post.
POSTS_PER_BAD_LINE = 100


def make_posts(seed: int, prefix: str, source: str) -> Iterator[Post]:
    """Posts of the lengths of real ones, each different from all others, the same ones for the same seed."""
    chance = random.Random(seed)
    for number in count():
        words = chance.choices(WORDS, k=draw_words(chance.random()))
        yield Post(
            post_id=f"{prefix}-{number}",
            source=source,
            content=" ".join([*words, str(number)]),
            author=f"author{number % 97}" if number % 13 else "",
            created_at=FIRST_CREATED_AT + timedelta(milliseconds=number),
        )


def write_files(folder: Path, seed: int, number: int, posts_per_file: int, truth: Truth) -> list[Path]:
    """`number` posts in files of JSON lines, to be read in the order of their names; what they hold is in `truth`."""
    folder.mkdir()
    chance = random.Random(seed)
    posts = make_posts(seed, f"file{seed}", "file")
    files = []
    for first in range(0, number, posts_per_file):
        some = list(islice(posts, min(posts_per_file, number - first)))
        lines = [json.dumps(encode_post(post)).encode() for post in some]
        for line, letter in bad_lines(max(1, len(some) // POSTS_PER_BAD_LINE), f"bad{seed}-{first}"):
            lines.insert(chance.randrange(len(lines) + 1), line)
            truth.letters.add(letter)
        truth.offer(some)
        files.append(folder / f"posts-{first:07}.jsonl")
        files[-1].write_bytes(b"\n".join(lines) + b"\n")
    return files
