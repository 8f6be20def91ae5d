"""What every alternative can do."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
Ids = NDArray[np.int64]
Logits = NDArray[np.float32]
# Below every vocabulary that is measured, above the special tokens.
TOKEN_IDS = (1_000, 15_000)
TRIAL_SHAPE = (16, 32)
TRIAL_RUNS = 3


class Runtime(ABC):
    """A model in some library. `setting` says in words how it was set up; `tokenizer` is its tokenizer.json."""

    setting: str
    tokenizer: Path | None = None

    @abstractmethod
    def run(self, ids: Ids, mask: Ids) -> Logits:
        """Logits `[rows, labels]` of `[rows, length]` token ids and mask."""

    def run_times(self, ids: Ids, mask: Ids, times: int) -> None:
        """The same batch so many times, as fast as the library can."""
        for _ in range(times):
            self.run(ids, mask)


def random_batch(rows: int, length: int) -> tuple[Ids, Ids]:
    """Full rows: nothing of them is padding. The same ones for every runtime."""
    ids = np.random.default_rng(rows * 1_000 + length).integers(*TOKEN_IDS, (rows, length), np.int64)
    return ids, np.ones_like(ids)


def fastest(candidates: Sequence[tuple[str, Callable[[], Runtime]]]) -> Runtime:
    """Of several ways to set a library up, the one that is fastest on an ordinary batch."""
    best: tuple[float, Runtime] | None = None
    ids, mask = random_batch(*TRIAL_SHAPE)
    for setting, make in candidates:
        runtime = make()
        runtime.setting = setting
        runtime.run_times(ids, mask, 1)
        began = time.perf_counter()
        runtime.run_times(ids, mask, TRIAL_RUNS)
        seconds = time.perf_counter() - began
        if best is None or seconds < best[0]:
            best = seconds, runtime
    if best is None:
        raise ValueError("there is nothing to choose from")
    return best[1]


def path_of(order: dict[str, Any], name: str) -> Path | None:
    """A path of an order, where it names one."""
    return Path(order[name]) if order.get(name) else None
