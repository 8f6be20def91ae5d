"""Texts of strangers on a terminal: nothing in them may move the cursor, colour the screen or turn the line round."""

import unicodedata

# Harmless, and what many emoji and scripts are joined with.
JOINERS = "\u200c\u200d"
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def visible(text: str) -> str:
    """One line: control characters, bidirectional overrides and what no font shows are spelled out, as `\\x1b`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _is_plain(character) else _spelled(character) for character in text)


def cells(text: str) -> int:
    """How wide it is on a terminal."""
    return sum(_width(character) for character in text)


def shortened(text: str, width: int) -> str:
    """`text` in `width` cells at most, with an ellipsis where it is longer."""
    if cells(text) <= width:
        return text
    kept, used = [], 1
    for character in text:
        used += _width(character)
        if used > width:
            break
        kept.append(character)
    return "".join(kept) + "…"


def padded(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def _is_plain(character: str) -> bool:
    return character in JOINERS or unicodedata.category(character) not in _HIDDEN


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _width(character: str) -> int:
    if character in JOINERS or unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
