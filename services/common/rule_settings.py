"""RULE_LANGUAGES and RULE_MASK: lists with a comma between."""

import re
from typing import Literal, get_args

Masked = Literal["names", "emails", "phones", "authors"]
MASKED: tuple[Masked, ...] = get_args(Masked)
_CODE = re.compile(r"[a-z]{2,3}")


def read_languages(text: str) -> frozenset[str]:
    """The codes of "en,de". ValueError if one is none."""
    codes = frozenset(part.strip().lower() for part in text.split(",") if part.strip())
    wrong = sorted(code for code in codes if not _CODE.fullmatch(code))
    if wrong:
        raise ValueError(f"{', '.join(wrong)}: expected codes of ISO 639, as en,de,ja")
    return codes


def read_masked(text: str) -> frozenset[Masked]:
    """What "names,emails" names. ValueError if it is something else."""
    named = frozenset(part.strip() for part in text.split(",") if part.strip())
    unknown = named - set(MASKED)
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))} cannot be masked; known are {', '.join(MASKED)}")
    return frozenset(masked for masked in MASKED if masked in named)
