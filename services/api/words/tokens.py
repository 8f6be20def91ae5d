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

# Vowel signs and accents belong to the letter before them; `\w` of Python's `re` has none of them. (Those beyond the
# basic plane, of scripts that few write, would make every look at a character slow.)
_MARKS = "".join(chr(code) for code in range(0x300, 0x1_0000) if unicodedata.category(chr(code))[0] == "M")
# Possessive: nothing is tried twice.
_RUN = rf"\w++[{_MARKS}]*+"
# Joiners bind letters in Persian and in Indic scripts, apostrophes in don't and o'clock.
_WORD = rf"(?:{_RUN})++(?:['\u200c\u200d](?:{_RUN})++)*+"
_REMOVED = re.compile(r"(?:https?://|www\.)\S+|(?<![a-z0-9._+-])[a-z0-9._+-]*@[\w.@-]+|(?<!\w)/?u/[\w-]+")
_MAY_BE_REMOVED = re.compile(r"@|://|www\.|u/")
_TOKEN = re.compile(rf"#?{_WORD}")
# Chinese and Japanese put no spaces between words. Of Chinese characters any two neighbours are taken for a word;
# katakana spells whole words; hiragana is mostly grammar, and left out.
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3005\U00020000-\U0003ffff]+")
_UNSPACED = re.compile(rf"{_HAN.pattern}|[\u30a1-\u30fa\u30fc]+|[\u3041-\u309f]+|[^\u3041-\u30ff\u3400-\u9fff]+")


def words_of(text: str) -> set[str]:
    """Each once, folded to lower case and to plain letters; hashtags begin with #. No URLs, mentions, stop words."""
    plain = html.unescape(text[:MAX_TEXT_CHARS]) if "&" in text else text[:MAX_TEXT_CHARS]
    # Full-width and mathematical letters, with which some write in bold, are letters.
    folded = unicodedata.normalize("NFKC", plain).casefold().replace("\u2019", "'")
    tokens = set(_TOKEN.findall(_REMOVED.sub(" ", folded) if _MAY_BE_REMOVED.search(folded) else folded))
    if not folded.isascii():
        tokens = {part for token in tokens for part in _split(token)}
    # A hashtag ends where an apostrophe begins.
    tokens = {token.partition("'")[0] if token[0] == "#" else token for token in tokens} - STOP_WORDS
    return {
        token for token in tokens if MIN_CHARS <= len(token) - (token[0] == "#") <= MAX_CHARS and _has_letters(token)
    }


def _split(token: str) -> Iterator[str]:
    """The token itself, in scripts that have spaces, and hashtags in any."""
    if token[0] == "#" or not any("\u3041" <= char <= "\u9fff" or char >= "\U00020000" for char in token):
        yield token
        return
    for run in _UNSPACED.findall(token):
        if _HAN.fullmatch(run):
            yield from (run[at : at + 2] for at in range(len(run) - 1))
        elif not "\u3041" <= run[0] <= "\u309f":
            yield run


def _has_letters(token: str) -> bool:
    return token.isalpha() or any(map(str.isalpha, token))
