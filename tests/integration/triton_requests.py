"""Requests to a Triton server, one and many at once."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput, InferResult
from tritonclient.utils import np_to_triton_dtype

from tests.integration.triton_models import VOCABULARY

Arrays = Mapping[str, NDArray[Any]]
TIMEOUT_S = 20.0


def inputs_of(arrays: Arrays) -> list[InferInput]:
    inputs = []
    for name, array in arrays.items():
        inputs.append(InferInput(name, array.shape, np_to_triton_dtype(array.dtype)))
        inputs[-1].set_data_from_numpy(array)
    return inputs


def infer(
    client: InferenceServerClient, model: str, arrays: Arrays, outputs: Sequence[InferRequestedOutput] | None = None
) -> InferResult:
    return client.infer(model, inputs_of(arrays), outputs=outputs, client_timeout=TIMEOUT_S)


class Together:
    """Requests sent at once; `answers` has each one's result or exception, None before it came."""

    def __init__(self, client: InferenceServerClient, model: str, requests: Sequence[Arrays]) -> None:
        self.answers: list[Any] = [None] * len(requests)
        for index, arrays in enumerate(requests):
            client.async_infer(model, inputs_of(arrays), self._keep(index), client_timeout=TIMEOUT_S)

    def _keep(self, index: int) -> Callable[[InferResult | None, Exception | None], None]:
        def callback(result: InferResult | None, error: Exception | None) -> None:
            self.answers[index] = error or result

        return callback

    def wait(self, until: Callable[[list[Any]], bool] = all) -> list[Any]:
        """The answers, as soon as they are such; by default when all are there."""
        deadline = time.monotonic() + TIMEOUT_S + 1
        while not until(self.answers):
            assert time.monotonic() < deadline, self.answers
            time.sleep(0.005)
        return self.answers


def posts(rows: int, length: int, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Random token ids and right-padded masks: INT64 [rows, length] each."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, length + 1, (rows, 1))
    return {
        "input_ids": random.integers(0, VOCABULARY, (rows, length)),
        "attention_mask": (np.arange(length) < lengths).astype(np.int64),
    }
