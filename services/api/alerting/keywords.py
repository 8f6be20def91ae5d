"""Which posts have a keyword: whole words and phrases, whatever their case.

Text is brought into one form (NFKC, case folded) and cut into words: letters and digits with their marks. Signs between
words count as nothing, so "well-known" is two words, in a keyword and in a post. A # before a word is a word of its
own: the keyword `#nhs` finds the hashtag only, `nhs` finds both. What is written without spaces (Chinese, Japanese,
Thai, …) is cut into characters, and so are emoji: there a keyword is found wherever it stands.
"""

import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

# Blocks of Unicode. Emoji: arrows to dingbats, and the planes of pictures.
_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai and Lao, Burmese, Khmer
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # kana, Han
)
_EMOJI = "\u2190-\u2bff\U0001f000-\U0001faff"
_VARIATIONS = range(0xFE00, 0xFE10)  # whether an emoji is drawn in colour


def _ranges(codes: Iterable[int]) -> str:
    """The codes as they stand in a character class."""
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


# `\w` lacks the marks that Hindi, Arabic or a decomposed é have inside words, and the joiners between letters.
_MARKS = _ranges(
    code
    for code in range(min(0x20000, sys.maxunicode))
    if code not in _VARIATIONS and (unicodedata.category(chr(code)) in ("Mn", "Mc", "Me") or code in (0x200C, 0x200D))
)
_LETTER = rf"[^\W{_SPACELESS}]"
_WORDS = re.compile(rf"{_LETTER}+(?:[{_MARKS}]+{_LETTER}*)*|[{_SPACELESS}{_EMOJI}]|#(?=\w)")
_ASCII_WORDS = re.compile(r"\w+|#(?=\w)", re.ASCII)


def words_of(text: str) -> list[str]:
    """The words of a text or a keyword, in their order; none: nothing can be found by it."""
    if text.isascii():
        return _ASCII_WORDS.findall(text.lower())
    # Folding may leave what NFKC composes, and the other way round: as Unicode's toNFKC_Casefold, but for rarities.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _WORDS.findall(folded)


class Keywords:
    """Finds many keywords in a text at once: the time does not grow with those that it does not have."""

    def __init__(self, keywords: Mapping[int, str]) -> None:
        self._phrases: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for key, keyword in keywords.items():
            words = words_of(keyword)
            # Looked up by its longest word, which is the rarest, as a rule.
            self._phrases[max(words, key=len)].append((_joined(words), key))

    def find(self, text: str) -> Sequence[int]:
        """The keys of the keywords that the text has."""
        words = words_of(text)
        present = self._phrases.keys() & set(words)
        if not present:
            return ()
        joined = _joined(words)
        return [key for word in present for phrase, key in self._phrases[word] if phrase in joined]


def _joined(words: Sequence[str]) -> str:
    return f" {' '.join(words)} "
