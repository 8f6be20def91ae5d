"""Texts that were there a short while ago, exactly or nearly.

In the memory of the ingester, not in Redis: a look costs no round trip, and what is forgotten with the process lets a
duplicate pass, no more. So an ingester knows its own posts only.
"""

import re
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from time import monotonic

import numpy as np
from numpy.typing import NDArray

# Texts that are remembered: of more within the window, the newest. About 20 MB.
MAX_TEXTS = 100_000
# Those that a text is compared with: 10 MB with posts of 120 characters, 40 MB with long ones.
MAX_NEAR_TEXTS = 10_000
# Of a longer text the beginning is compared.
MAX_NEAR_CHARS = 500
# Of shorter ones a word more is another text.
MIN_NEAR_CHARS = 40
# Nearly the same are texts that share so much of what they have together: with 100 characters, a word is different.
NEAR = 0.7
# Of such, as good as all differ in no more of their 64 bits; few others differ in so few.
NEAR_BITS = 10
_ROW_CHARS = 4

_VARIABLE = re.compile(r"https?://\S+|@\w+|\d+")
_SIGNS = re.compile(r"[\W_]+")
# Odd numbers with no pattern in their bits, so that every bit of a product depends on many of the other factor.
_ODD = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_HALF = np.uint64(32)

Rows = NDArray[np.uint64]


def normalized(text: str) -> str:
    """What is compared: without case, links, names, numbers, signs and emoji; empty where nothing is left."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return _SIGNS.sub(" ", _VARIABLE.sub(" ", text)).strip()


class Duplicates:
    """Exact ones. A post that comes again itself, by its id, is none: it may have been lost on its way."""

    def __init__(self, window_s: float, max_texts: int = MAX_TEXTS, clock: Callable[[], float] = monotonic) -> None:
        self._window_s = window_s
        self._max_texts = max_texts
        self._clock = clock
        # By the digest of a text: which post had it first, and when.
        self._seen: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()

    def is_new(self, post_id: str, text: str) -> bool:
        """False if another post had this text within the window; else it is remembered. `text`: normalized."""
        now, known_as = self._clock(), _digest(post_id)
        while self._seen and next(iter(self._seen.values()))[1] <= now - self._window_s:
            self._seen.popitem(last=False)
        first, _ = self._seen.setdefault(_digest(text), (known_as, now))
        if len(self._seen) > self._max_texts:
            self._seen.popitem(last=False)
        return first == known_as


class NearDuplicates:
    """Which differ little, among the newest of the window: by 64 bits of each (SimHash) first, then by the text."""

    def __init__(
        self, window_s: float, max_texts: int = MAX_NEAR_TEXTS, clock: Callable[[], float] = monotonic
    ) -> None:
        self._window_s = window_s
        self._clock = clock
        self._hashes = np.zeros(max_texts, np.uint64)
        self._times = np.full(max_texts, -np.inf)
        self._texts: list[tuple[bytes, Rows] | None] = [None] * max_texts
        self._next = 0

    def is_new(self, post_id: str, text: str) -> bool:
        """False if another post had nearly this text within the window; else it is remembered. `text`: normalized."""
        if len(text) < MIN_NEAR_CHARS:
            return True
        now, known_as = self._clock(), _digest(post_id)
        rows = rows_of(text)
        found = simhash(rows)
        alike = np.bitwise_count(self._hashes ^ found) <= NEAR_BITS
        for place in np.flatnonzero(alike & (self._times > now - self._window_s)):
            other = self._texts[place]
            if other is not None and likeness(rows, other[1]) >= NEAR:
                return other[0] == known_as
        self._hashes[self._next], self._times[self._next], self._texts[self._next] = found, now, (known_as, rows)
        self._next = (self._next + 1) % len(self._texts)
        return True


def rows_of(text: str) -> Rows:
    """Each four characters that stand in a row in it, once, as a number that looks like chance; sorted."""
    chars = np.frombuffer(text[:MAX_NEAR_CHARS].encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    count = len(chars) - _ROW_CHARS + 1
    rows = np.zeros(count, np.uint64)
    for at in range(_ROW_CHARS):
        rows = (rows + chars[at : at + count]) * _ODD[0]
    rows = (rows ^ rows >> _HALF) * _ODD[1]
    return np.unique(rows ^ rows >> _HALF)


def simhash(rows: Rows) -> np.uint64:
    """64 bits, each what most of the rows have there: of texts that share most rows, most bits are the same."""
    bits = np.unpackbits(rows.view(np.uint8).reshape(-1, 8), axis=1)
    majority: np.uint64 = np.packbits(2 * bits.sum(axis=0, dtype=np.int64) > len(rows)).view(np.uint64)[0]
    return majority


def likeness(one: Rows, other: Rows) -> float:
    """What both have, as a share of what either has (Jaccard); 0 to 1."""
    common = len(np.intersect1d(one, other, assume_unique=True))
    return common / (len(one) + len(other) - common)


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
