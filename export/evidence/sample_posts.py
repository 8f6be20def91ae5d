"""Posts to verify a model with: our own inventions, or a file of the user's."""

import gzip
import io
import itertools
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeGuard

from export.errors import ExportError
from export.evidence.encoding import Encoder

OWN_POSTS = Path(__file__).with_name("sample_posts.txt")
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")


def read_posts(path: Path | None = None) -> list[str]:
    """The posts of a file: plain lines, or JSON lines with "text" or "content"; .gz as well. By default our own.

    ExportError where a line is no post or nothing is in the file.
    """
    source = path or OWN_POSTS
    json_lines = ".jsonl" in source.suffixes
    lines = [(number, line.strip()) for number, line in numbered_lines(source) if line.strip()]
    posts = [_text(line, f"{source}, line {number}") if json_lines else line for number, line in lines]
    if not posts:
        raise ExportError(f"{source} has no text in it")
    return posts


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(1, first line), … of a UTF-8 file, plain or .gz; ExportError where it cannot be read."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            # Only \n ends a line: posts may contain other separators.
            text = io.TextIOWrapper(file, encoding="utf-8", newline="\n")
            for number, line in enumerate(text, 1):
                yield number, line.rstrip("\r\n")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ExportError(f"{path} cannot be read: {reason}") from None


def is_text(value: object) -> TypeGuard[str]:
    """Without half a pair of surrogates, which JSON can spell and no tokenizer takes."""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False


def _text(line: str, where: str) -> str:
    try:
        post = json.loads(line)
    except (ValueError, RecursionError):
        post = None
    text = (post.get("text") or post.get("content")) if isinstance(post, dict) else None
    if not is_text(text):
        raise ExportError(f'{where}: expected a JSON object with "text" or "content"')
    return text


def many(posts: Sequence[str], count: int) -> list[str]:
    """`count` different short texts: the posts, their sentences, then sentences paired; fewer where that is all."""
    sentences = [sentence for post in posts for sentence in _SENTENCE_END.split(post)]
    shifts = range(1, len(sentences))
    pairs = (
        f"{first} {second}"
        for shift in shifts
        for first, second in zip(sentences, sentences[shift:] + sentences[:shift], strict=True)
    )
    # A dict, because it keeps the order.
    return list(itertools.islice(dict.fromkeys([*posts, *sentences, *itertools.islice(pairs, count)]), count))


def of_length(posts: Sequence[str], encoder: Encoder, tokens: int, start: int = 0) -> str:
    """Posts joined, from number `start` on, and cut between words: as near to `tokens` as that gets, never above it.

    One word is left in any case, even where it has more tokens.
    """
    words: list[str] = []
    # A tokenizer that drops what it does not know may need many posts, and must not need endlessly many.
    for index in range(start, start + 4 * tokens + len(posts)):
        words += posts[index % len(posts)].split()
        if encoder.count(" ".join(words)) >= tokens:
            break
    low, high = 1, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        if encoder.count(" ".join(words[:middle])) <= tokens:
            low = middle
        else:
            high = middle - 1
    return " ".join(words[:low])
