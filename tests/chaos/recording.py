"""Files of posts for the ingester, unreadable lines among them."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from bench.posts import generated
from services.common.messages import Post, encode_post
from tests.chaos.malformed import bad_lines
from tests.chaos.truth import Truth

FIRST_CREATED_AT = datetime(2026, 1, 1, tzinfo=UTC)
# One line in so many is no post.
POSTS_PER_BAD_LINE = 100


def make_posts(seed: int, prefix: str, source: str) -> Iterator[Post]:
    """Posts of the lengths of real ones, each different from all others, the same ones for the same seed."""
    for number, text in enumerate(generated(seed)):
        yield Post(
            post_id=f"{prefix}-{number}",
            source=source,
            content=f"{text} {number}",
            author=f"author{number % 97}" if number % 13 else "",
            created_at=FIRST_CREATED_AT + timedelta(milliseconds=number),
        )


def write_files(folder: Path, seed: int, count: int, posts_per_file: int, truth: Truth) -> list[Path]:
    """`count` posts in files of JSON lines, to be read in the order of their names; what they hold is in `truth`."""
    folder.mkdir()
    chance = random.Random(seed)
    posts = make_posts(seed, f"file{seed}", "file")
    files = []
    for first in range(0, count, posts_per_file):
        some = list(islice(posts, min(posts_per_file, count - first)))
        lines = [json.dumps(encode_post(post)).encode() for post in some]
        for line, letter in bad_lines(max(1, len(some) // POSTS_PER_BAD_LINE), f"bad{seed}-{first}"):
            lines.insert(chance.randrange(len(lines) + 1), line)
            truth.letters.add(letter)
        truth.offer(some)
        files.append(folder / f"posts-{first:07}.jsonl")
        files[-1].write_bytes(b"\n".join(lines) + b"\n")
    return files
