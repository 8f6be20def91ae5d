"""ONNX Runtime called directly, on each text alone and without padding: what every other path is compared with."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from services.inference.scoring import probabilities
from tests.conftest import ROOT

MAX_TOKENS = 512
THREADS = 2


def direct_scores(model: str, texts: Sequence[str]) -> NDArray[np.float32]:
    """Probabilities `[texts, labels]` of the project's model of that name."""
    _loaded(model)  # once, before the threads ask for it
    with ThreadPoolExecutor(THREADS) as threads:
        return np.stack(list(threads.map(partial(_scores, model), texts)))


@cache
def _scores(model: str, text: str) -> NDArray[np.float32]:
    """Kept, since several tests compare the same texts."""
    session, tokenizer = _loaded(model)
    ids = np.array([tokenizer.encode(text).ids], np.int64)
    (logits,) = session.run(["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    scores: NDArray[np.float32] = probabilities(logits, "softmax")[0]
    return scores


@cache
def _loaded(model: str) -> tuple[onnxruntime.InferenceSession, Tokenizer]:
    folder = ROOT / "model_repository" / model / "1"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    return session, tokenizer
