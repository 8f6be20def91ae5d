"""Whole texts, as they are usually run: in the order of their arrival, each batch padded to its longest text."""

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.rivals.runtime import Ids, Runtime

MAX_TOKENS = 512


def through_texts(runtimes: Iterable[Runtime], texts: Sequence[str], rows: int) -> None:
    """Every text through every model, tokenization included; a batch goes through one model after the other."""
    for start in range(0, len(texts), rows):
        batch = list(texts[start : start + rows])
        for runtime in runtimes:
            runtime.run(*encode(runtime, batch))


def probabilities(runtime: Runtime, texts: Sequence[str], rows: int) -> list[list[float]]:
    """Softmax of the logits of each text, in batches of `rows`."""
    found: list[list[float]] = []
    for start in range(0, len(texts), rows):
        logits = runtime.run(*encode(runtime, list(texts[start : start + rows])))
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        found += (powers / powers.sum(axis=1, keepdims=True)).tolist()
    return found


def encode(runtime: Runtime, batch: list[str]) -> tuple[Ids, Ids]:
    if runtime.tokenizer is None:
        raise ValueError("this model was prepared without a tokenizer")
    encodings = _tokenizer(runtime.tokenizer).encode_batch(batch)
    ids = np.array([encoding.ids for encoding in encodings], np.int64)
    mask = np.array([encoding.attention_mask for encoding in encodings], np.int64)
    return ids, mask


@cache
def _tokenizer(file: Path) -> Any:
    # Triton's environment, where whole texts are not asked for, has none.
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding(pad_id=0)
    return tokenizer
