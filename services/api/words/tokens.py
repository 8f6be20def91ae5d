"""The words and hashtags of a text, in any script."""

import html
import re
import unicodedata
from collections.abc import Iterator

from services.api.words.stop_words import STOP_WORDS

# Shorter ones are letters, longer ones no words.
MIN_CHARS = 2
MAX_CHARS = 40
# A text has so many words at most that count: the rest of it would be work without an end.
MAX_TEXT_CHARS = 1_000

# Vowel signs and accents belong to the letter before them; `\w` of Python's `re` has none of them.
_MARKS = "".join(chr(code) for code in range(0x300, 0x1_F000) if unicodedata.category(chr(code))[0] == "M")
_PART = rf"(?:\w[{_MARKS}]*)"
# Joiners bind letters in Persian and in Indic scripts, apostrophes in don't and l'eau.
_WORD = rf"{_PART}(?:['\u200c\u200d]?{_PART})*"
_REMOVED = re.compile(r"(?:https?://|www\.)\S+|(?<![a-z0-9._+-])[a-z0-9._+-]*@[\w.@-]+|(?<!\w)/?u/[\w-]+")
_TOKEN = re.compile(rf"#(?P<hashtag>{_PART}+)|(?P<word>{_WORD})")
# Chinese and Japanese put no spaces between words. Of Chinese characters any two neighbours are taken for a word;
# katakana spells whole words; hiragana is mostly grammar, and left out.
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3005\U00020000-\U0003ffff]+")
_UNSPACED = re.compile(rf"{_HAN.pattern}|[\u30a1-\u30fa\u30fc]+|[\u3041-\u309f]+|[^\u3041-\u30ff\u3400-\u9fff]+")


def words_of(text: str) -> set[str]:
    """Each once, folded to lower case and to plain letters; hashtags begin with #. No URLs, mentions, stop words."""
    plain = html.unescape(text[:MAX_TEXT_CHARS]) if "&" in text else text[:MAX_TEXT_CHARS]
    # Full-width and mathematical letters, with which some write in bold, are letters.
    folded = unicodedata.normalize("NFKC", plain).casefold().replace("\u2019", "'")
    return set(_tokens(_REMOVED.sub(" ", folded)))


def _tokens(text: str) -> Iterator[str]:
    for found in _TOKEN.finditer(text):
        hashtag = found["hashtag"]
        if hashtag is None:
            yield from (word for word in _split(found["word"]) if _counts(word))
        elif MIN_CHARS <= len(hashtag) <= MAX_CHARS and _has_letters(hashtag):
            yield f"#{hashtag}"


def _split(word: str) -> Iterator[str]:
    """The word itself, in scripts that have spaces."""
    if word.isascii() or not any("\u3041" <= char <= "\u9fff" or char >= "\U00020000" for char in word):
        yield word
        return
    for run in _UNSPACED.findall(word):
        if _HAN.fullmatch(run):
            yield from (run[at : at + 2] for at in range(len(run) - 1))
        elif not "\u3041" <= run[0] <= "\u309f":
            yield run


def _counts(word: str) -> bool:
    return MIN_CHARS <= len(word) <= MAX_CHARS and word not in STOP_WORDS and _has_letters(word)


def _has_letters(word: str) -> bool:
    return any(map(str.isalpha, word))
