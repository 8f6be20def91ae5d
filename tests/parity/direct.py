"""ONNX Runtime called directly, on each text alone and without padding: what every other path is compared with."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

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
    folder = ROOT / "model_repository" / model
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(folder / "1" / "model.onnx", options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(folder / "1" / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)

    def score(text: str) -> NDArray[np.float32]:
        ids = np.array([tokenizer.encode(text).ids], np.int64)
        (logits,) = session.run(["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        scores: NDArray[np.float32] = probabilities(logits, "softmax")[0]
        return scores

    with ThreadPoolExecutor(THREADS) as threads:
        return np.stack(list(threads.map(score, texts)))
