"""ONNX Runtime called directly, on the CPU: what PyTorch and Triton are compared with."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

from export.evidence.encoding import TokenIds, bucket_of
from services.inference.batching import Batch, pad_right, plan_batches

MAX_ROWS = 32
MAX_TOKENS = 4_096


class NeedsGpu(Exception):
    """The file has operators that ONNX Runtime has for GPUs alone."""


class Direct:
    """One weights file. Padded as the services pad it: to the shortest of `lengths` that fits."""

    def __init__(self, path: Path, lengths: Sequence[int], threads: int) -> None:
        """NeedsGpu where the CPU cannot run it; ONNX Runtime's own exceptions where nothing can."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # errors; warnings about unused initializers help nobody
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except NoKernel as error:
            raise NeedsGpu(str(error).partition("\n")[0]) from None
        self._lengths = lengths

    def padded(self, rows: Sequence[TokenIds], length: int) -> NDArray[np.float32]:
        """Logits `[rows, labels]` of one batch, padded to `length` tokens."""
        return self._run(rows, Batch(tuple(range(len(rows))), length))

    def alone(self, rows: Sequence[TokenIds], lengths: Sequence[int] = ()) -> NDArray[np.float32]:
        """Logits `[rows, labels]`, each row in a batch of its own; `lengths`: other ones to pad to."""
        return np.concatenate([self.padded([row], bucket_of(len(row), lengths or self._lengths)) for row in rows])

    def batched(self, rows: Sequence[TokenIds]) -> NDArray[np.float32]:
        """Logits `[rows, labels]`, in batches of similar lengths."""
        answers: dict[int, NDArray[np.float32]] = {}
        counts = [len(row) for row in rows]
        for batch in plan_batches(counts, self._lengths, max_rows=MAX_ROWS, max_tokens=MAX_TOKENS):
            answers.update(zip(batch.rows, self._run(rows, batch), strict=True))
        return np.stack([answers[row] for row in range(len(rows))])

    def _run(self, rows: Sequence[TokenIds], batch: Batch) -> NDArray[np.float32]:
        ids, mask = pad_right(rows, batch)
        (logits,) = self._session.run(["logits"], {"input_ids": ids, "attention_mask": mask})
        return np.asarray(logits, dtype=np.float32)
