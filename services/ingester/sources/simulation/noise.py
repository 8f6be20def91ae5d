"""How people really type: slips of the finger, drawn-out vowels, capitals, no capitals, missing apostrophes."""

import re
from collections.abc import Callable

_WORD = re.compile(r"\b[a-z]{5,}\b")
_STRETCHABLE = re.compile(
    r"\b(so|no|yes|wow|love|please|really|why|what|ew|yay|ugh|sad|never|best|omg)\b", re.IGNORECASE
)
_STRESSED = re.compile(
    r"\b(never|always|again|love|hate|every|still|worst|best|nothing|everything|really|so|absolutely|scared|gross)\b"
)


def slip(text: str, random: Callable[[], float]) -> str:
    """One typing error in one longer word: two letters swapped, one lost, or one doubled."""
    words = list(_WORD.finditer(text))
    if not words:
        return text
    word = words[int(random() * len(words))]
    at = word.start() + 1 + int(random() * (word.end() - word.start() - 2))
    kind = int(random() * 3)
    if kind == 0:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + (text[at + 1 :] if kind == 1 else text[at] + text[at:])


def stretch(text: str, random: Callable[[], float]) -> str:
    """ "so" becomes "soooo": the first word that people like to draw out."""
    found = _STRETCHABLE.search(text)
    if not found:
        return text
    word = found.group()
    at = max((i for i, letter in enumerate(word) if letter.lower() in "aeiouy"), default=len(word) - 1)
    if word[at].lower() == "e" and at == len(word) - 1:
        at = 1
    drawn = word[: at + 1] + word[at].lower() * (2 + int(random() * 4)) + word[at + 1 :]
    return text[: found.start()] + drawn + text[found.end() :]


def stress(text: str) -> str:
    """The first stressable word in capitals."""
    return _STRESSED.sub(lambda found: found.group().upper(), text, count=1)


def drop_apostrophes(text: str) -> str:
    return text.replace("'", "")


def capitalise(text: str) -> str:
    """The first letter, and nothing else: names inside keep theirs."""
    return text[:1].upper() + text[1:]
