"""The starter models' tokenizer: MiniLM's WordPiece cut to what posts use, with emoji as tokens of their own.

Both models share it. Mentions and links become `@user` and `http` inside the tokenizer, as in the training text, so
that whoever loads `tokenizer.json` gets them; an emoji is always a token of its own, so that an unknown one cannot
turn the word beside it into `[UNK]`.
"""

import collections
import json
import string
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
VOCABULARY_SIZE = 16_000
# MiniLM's ids are ordered by frequency in its own corpus; the first 6,000 are general English.
COMMON_ID = 6_000
EMOJI_CLASS = "[\U0001f300-\U0001f3fa\U0001f400-\U0001faff\u2600-\u27bf\u2b50\u2b55\u203c\u2049]"
# Skin tones, the joiner and the variation selector vary an emoji without changing its mood.
EMOJI_VARIATION = "[\U0001f3fb-\U0001f3ff\u200d\ufe0e\ufe0f]"
EMOJI_MIN_COUNT = 5


@dataclass(frozen=True)
class Vocabulary:
    """`tokens[i]` is token i; its embedding starts as the mean of MiniLM's rows `sources[i]`."""

    tokens: list[str]
    sources: list[list[int]]


def is_emoji(character: str) -> bool:
    """Whether the character shows a picture and has a mood of its own (skin tones do not count)."""
    code = ord(character)
    pictured = 0x1F300 <= code <= 0x1FAFF or 0x2600 <= code <= 0x27BF or code in (0x2B50, 0x2B55, 0x203C, 0x2049)
    return pictured and unicodedata.category(character) == "So"


def build_vocabulary(base: Tokenizer, texts: Sequence[str]) -> Vocabulary:
    """The pruned vocabulary: special tokens, single characters, common English, then by frequency in `texts`."""
    ids = base.get_vocab()
    by_id = sorted(ids, key=lambda token: ids[token])
    counts: collections.Counter[str] = collections.Counter()
    for encoding in base.encode_batch(list(texts), add_special_tokens=False):
        counts.update(encoding.tokens)
    emoji_counts = collections.Counter(c for text in texts for c in text if is_emoji(c))
    emoji = [c for c, n in emoji_counts.most_common() if n >= EMOJI_MIN_COUNT]

    kept: dict[str, None] = dict.fromkeys(SPECIAL_TOKENS)
    ascii_characters = set(string.ascii_lowercase + string.digits + string.punctuation)
    for token in by_id:
        bare = token.removeprefix("##") or token
        if len(bare) == 1 and (bare in ascii_characters or (not bare.isalpha() and counts[token] > 0)):
            kept.setdefault(token)
    for token in by_id[:COMMON_ID]:
        if len(token) > 1 and token.isascii() and not token.startswith("[unused"):
            kept.setdefault(token)
    for token, _ in counts.most_common():
        if len(kept) >= VOCABULARY_SIZE - len(emoji):
            break
        if token in ids:
            kept.setdefault(token)

    tokens = list(kept)
    sources = [[ids[token]] for token in tokens]
    for character in emoji:
        if character not in kept:
            name = unicodedata.name(character).lower()
            tokens.append(character)
            sources.append(base.encode(name, add_special_tokens=False).ids)
    return Vocabulary(tokens, sources)


def build_tokenizer(base: Tokenizer, vocabulary: Vocabulary) -> Tokenizer:
    """MiniLM's lower-casing WordPiece over the pruned vocabulary, without padding or truncation."""
    index = {token: i for i, token in enumerate(vocabulary.tokens)}
    state: dict[str, Any] = json.loads(base.to_str())
    state["model"]["vocab"] = index
    state["truncation"] = state["padding"] = None
    for added in state["added_tokens"]:
        added["id"] = index[added["content"]]
    processor = state["post_processor"]
    if processor["type"] == "TemplateProcessing":
        for special in processor["special_tokens"].values():
            special["ids"] = [index[token] for token in special["tokens"]]
    else:
        processor["cls"][1], processor["sep"][1] = index["[CLS]"], index["[SEP]"]
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(r"https?://\S+"), "http"),
            normalizers.Replace(Regex(r"(?<![\w@.])@\w{1,50}"), "@user"),
            normalizers.Replace("&amp;", "&"),
            normalizers.Replace(Regex(EMOJI_VARIATION), ""),
            tokenizer.normalizer,
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [tokenizer.pre_tokenizer, pre_tokenizers.Split(Regex(EMOJI_CLASS), "isolated")]
    )
    return tokenizer
