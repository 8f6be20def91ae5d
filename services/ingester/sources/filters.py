"""Which posts of a live source are wanted."""

import re
import unicodedata
from collections.abc import Collection, Sequence
from typing import Literal

from services.common.errors import ConfigurationError

_LANGUAGE = re.compile(r"[a-z]{2,3}", re.ASCII)


class Filters:
    """Languages and keywords; without any of a kind, all are wanted. ConfigurationError if one cannot be meant."""

    def __init__(self, languages: Collection[str] = (), keywords: Collection[str] = ()) -> None:
        self._languages = frozenset(map(primary, languages))
        for language in self._languages:
            if not _LANGUAGE.fullmatch(language):
                raise ConfigurationError(f"a language is a code as en or pt, not {language!r}")
        if not all(keyword.strip() for keyword in keywords):
            raise ConfigurationError("a keyword has at least one character that is not a space")
        pattern = "|".join(_whole(keyword.strip()) for keyword in keywords)
        self._keywords = re.compile(pattern, re.IGNORECASE) if pattern else None

    def refusal(self, text: str, languages: Sequence[str]) -> Literal["language", "keyword"] | None:
        """Why a post is not wanted; `languages` as its author or the author's program says, which may be none."""
        if self._languages and self._languages.isdisjoint(map(primary, languages)):
            return "language"
        if self._keywords and not self._keywords.search(text):
            return "keyword"
        return None


def primary(language: str) -> str:
    """`pt` of `pt-BR`."""
    return language.replace("_", "-").partition("-")[0].lower()


def _whole(keyword: str) -> str:
    """Finds it as whole words; at a letter of a script without capitals (中, ไ, א), whose words often have no space
    between them, anywhere.
    """
    before = r"(?<!\w)" if _ends_words(keyword[0]) else ""
    after = r"(?!\w)" if _ends_words(keyword[-1]) else ""
    return before + re.escape(keyword) + after


def _ends_words(char: str) -> bool:
    return char.isalnum() and unicodedata.category(char) != "Lo"
