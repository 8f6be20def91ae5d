"""A checkpoint's own answers, from PyTorch."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from export.checkpoint import Checkpoint
from export.cores import physical_cores
from export.evidence.encoding import TokenIds

# Texts of one length share a batch without padding.
MAX_TOKENS = 2_048


class TorchReference:
    """The classifier in fp32. Every text stands without padding, so nothing but the text is in its answer."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._model: Any = checkpoint.load_model()

    def logits(self, rows: Sequence[TokenIds]) -> NDArray[np.float32]:
        """`[rows, labels]`."""
        by_length: dict[int, list[int]] = {}
        for index, row in enumerate(rows):
            by_length.setdefault(len(row), []).append(index)
        batches = [
            indices[start : start + size]
            for length, indices in by_length.items()
            for size in [max(1, MAX_TOKENS // length)]
            for start in range(0, len(indices), size)
        ]
        answers: dict[int, NDArray[np.float32]] = {}
        # A thread a batch, not several in one: those wait for each other, on a busy machine ten times as long.
        former = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with ThreadPoolExecutor(physical_cores()) as threads:
                found = threads.map(self._batch, ([rows[index] for index in batch] for batch in batches))
                for batch, logits in zip(batches, found, strict=True):
                    answers.update(zip(batch, logits, strict=True))
        finally:
            torch.set_num_threads(former)
        return np.stack([answers[index] for index in range(len(rows))])

    def _batch(self, rows: Sequence[TokenIds]) -> NDArray[np.float32]:
        ids = torch.tensor(rows)
        with torch.inference_mode():
            logits = self._model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        return np.asarray(logits.numpy(), dtype=np.float32)
