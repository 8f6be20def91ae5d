"""Posts as a measurement of speed sends them: the lengths of ordinary posts, and few requests of each."""

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tritonclient.grpc import InferInput

from export.evidence.encoding import TokenIds, bucket_of
from export.evidence.sample_posts import of_length
from export.gates.candidate import Candidate
from export.gates.load import inputs

# How many of ordinary posts have so many tokens; most are a sentence or two.
SHARES: Mapping[int, float] = {16: 0.25, 32: 0.40, 64: 0.25, 128: 0.08, 256: 0.015, 512: 0.005}
# Rows of each length in a round: enough short ones to measure them, and few long ones, which take seconds.
ROWS: Mapping[int, int] = {16: 16, 32: 32, 64: 16, 128: 4, 256: 2, 512: 2}
REQUESTS_AT_ONCE = 4
# Seconds for all requests of each length, as often as they were sent.
Times = Mapping[int, Sequence[float]]


@dataclass(frozen=True)
class Mix:
    """Posts of each length, and what part of ordinary posts each length stands for."""

    texts: Mapping[int, Sequence[str]]
    shares: Mapping[int, float]

    def seconds_a_post(self, times: Times) -> float:
        """Mean time of an ordinary post. Medians of each length, because a busy machine or server pauses at times."""
        return sum(self.shares[length] * self.seconds_a_row(times, length) for length in self.texts)

    def seconds_a_row(self, times: Times, length: int) -> float:
        return statistics.median(times[length]) / len(self.texts[length])


def ordinary_posts(candidate: Candidate) -> Mix:
    lengths = candidate.spec.lengths
    texts, shares = {}, {}
    for before, length in itertools.pairwise((0, *lengths)):
        covered = [usual for usual in SHARES if before < usual <= length or (usual > length == lengths[-1])]
        shares[length] = sum(SHARES[usual] for usual in covered)
        count = ROWS.get(length) or next((rows for usual, rows in ROWS.items() if usual >= length), ROWS[512])
        # Counts in the upper half of what the length is for.
        targets = np.linspace((before + length + 1) // 2, length, count).round().astype(int)
        texts[length] = [
            of_length(candidate.posts, candidate.encoder, target, start=i) for i, target in enumerate(targets)
        ]
    return Mix(texts, shares)


def requests_of(version: Candidate, mix: Mix) -> dict[int, list[list[InferInput]]]:
    """By the length in the mix. Each version has its own tokenizer, which may put a text into another bucket."""
    requests: dict[int, list[list[InferInput]]] = {}
    for length, texts in mix.texts.items():
        buckets: dict[int, list[TokenIds]] = {}
        for row in version.encoder.encode(texts):
            buckets.setdefault(bucket_of(len(row), version.spec.lengths), []).append(row)
        size = max(1, len(texts) // REQUESTS_AT_ONCE)
        requests[length] = [
            inputs(rows[i : i + size], padded) for padded, rows in buckets.items() for i in range(0, len(rows), size)
        ]
    return requests
