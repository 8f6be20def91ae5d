"""Which words are more frequent than before, and how surely.

The score is the z-score of the log-odds ratio with an informative Dirichlet prior (Monroe, Colaresi & Quinn 2008,
"Fightin' Words: Lexical Feature Selection and Evaluation for Identifying the Content of Political Conflict", Political
Analysis 16(4), equations 15, 16, 20 and 22). The prior, what both windows have in common, pulls rare words towards no
change: a word seen twice instead of once does not come before one seen two hundred times instead of one hundred.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import log, sqrt

from services.api.words.tokens import words_of

# Words in fewer posts of the sample are left out: their share is as good as unknown.
MIN_POSTS = 5
# So much is chance in one of fifty words that are as frequent as before.
MIN_SCORE = 2.0
# What the prior weighs against a window.
PRIOR_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Sampled:
    """One post of a sample. An `author` of "" is unknown."""

    source: str
    author: str
    content: str
    label: str


@dataclass
class Counted:
    """How many posts of a window have a word; of one author's posts with it only the first counts."""

    posts: int = 0
    words: Counter[str] = field(default_factory=Counter)
    by_label: dict[str, Counter[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Rise:
    word: str
    posts: int
    posts_before: int
    score: float
    labels: Counter[str]


def count(sample: Iterable[Sampled]) -> Counted:
    counted = Counted()
    known: dict[tuple[str, str], set[str]] = {}
    for post in sample:
        words = words_of(post.content)
        if post.author:
            of_author = known.setdefault((post.source, post.author), set())
            words -= of_author
            of_author |= words
        counted.posts += 1
        counted.words.update(words)
        counted.by_label.setdefault(post.label, Counter()).update(words)
    return counted


def rising(
    current: Sequence[Sampled], previous: Sequence[Sampled], at_most: int
) -> tuple[list[Rise], Counted, Counted]:
    """Words on the rise, the surest first, up to `at_most` of each kind; and what was counted in both windows."""
    now, before = count(current), count(previous)
    size, size_before = now.words.total(), before.words.total()
    prior_size = PRIOR_SHARE * (size + size_before) / 2
    rises = []
    for word, posts in now.words.items():
        if posts < MIN_POSTS:
            continue
        posts_before = before.words[word]
        prior = prior_size * (posts + posts_before) / (size + size_before)
        score = z_score((posts, size), (posts_before, size_before), (prior, prior_size))
        if score >= MIN_SCORE:
            labels = Counter({label: of_label[word] for label, of_label in now.by_label.items() if of_label[word]})
            rises.append(Rise(word, posts, posts_before, score, labels))
    rises.sort(key=lambda rise: (-rise.score, -rise.posts, rise.word))
    hashtags = [rise for rise in rises if rise.word.startswith("#")]
    words = [rise for rise in rises if not rise.word.startswith("#")]
    kept = {rise.word for rise in (*hashtags[:at_most], *words[:at_most])}
    return [rise for rise in rises if rise.word in kept], now, before


def z_score(now: tuple[int, int], before: tuple[int, int], prior: tuple[float, float]) -> float:
    """Each pair is how often the word occurs, and how many words there are."""
    (count_now, size_now), (count_before, size_before), (weight, prior_size) = now, before, prior
    odds = (count_now + weight) / (size_now + prior_size - count_now - weight)
    odds_before = (count_before + weight) / (size_before + prior_size - count_before - weight)
    variance = 1 / (count_now + weight) + 1 / (count_before + weight)
    return log(odds / odds_before) / sqrt(variance)
