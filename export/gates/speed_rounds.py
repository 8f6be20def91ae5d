"""Two versions in the same Triton, asked in turns."""

import queue
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tritonclient.grpc import InferenceServerClient, InferInput

from export.gates.load import REQUEST_TIMEOUT_S
from export.gates.speed_posts import REQUESTS_AT_ONCE, Mix, Times

MIN_ROUND_S = 0.5
MIN_ROUNDS = 4


@dataclass(frozen=True)
class Side:
    """One version under load: its name in Triton, and its requests for the posts of each length."""

    client: InferenceServerClient
    name: str
    requests: Mapping[int, Sequence[list[InferInput]]]

    def seconds(self, length: int) -> float:
        """To answer all requests of that length."""
        answers: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

        def done(result: Any, error: Exception | None) -> None:
            answers.put(error)

        requests = self.requests[length]
        start = time.perf_counter()
        for index, request in enumerate(requests):
            if index >= REQUESTS_AT_ONCE:
                _raise(answers.get())
            self.client.async_infer(self.name, request, done, client_timeout=REQUEST_TIMEOUT_S)
        for _ in range(min(REQUESTS_AT_ONCE, len(requests))):
            _raise(answers.get())
        return time.perf_counter() - start


def _raise(error: Exception | None) -> None:
    if error is not None:
        raise error


@dataclass(frozen=True)
class Rounds:
    """The same posts for both sides, in turns: what slows the machine down slows both down."""

    one: list[Times]
    other: list[Times]

    def together(self) -> tuple[Times, Times]:
        """All rounds of each side as one."""
        one, other = (
            {length: [seconds for times in rounds for seconds in times[length]] for length in rounds[0]}
            for rounds in (self.one, self.other)
        )
        return one, other

    def ratio(self, mix: Mix) -> float:
        """How many times as fast the first one is."""
        one, other = self.together()
        return mix.seconds_a_post(other) / mix.seconds_a_post(one)

    def quartiles(self, mix: Mix) -> tuple[float, float]:
        """The middle half of the rounds' own ratios."""
        ratios = [
            mix.seconds_a_post(other) / mix.seconds_a_post(one) for one, other in zip(self.one, self.other, strict=True)
        ]
        low, _, high = statistics.quantiles(ratios, n=4)
        return low, high


def measure(one: Side, other: Side, seconds: float) -> Rounds:
    # These warm up, and tell how often a round has to be repeated to last long enough.
    first = [_round(side, 3) for side in (one, other)]
    slowest = max(sum(map(statistics.median, times.values())) for times in first)
    repeats = max(1, round(MIN_ROUND_S / slowest))
    rounds = Rounds([], [])
    start = time.monotonic()
    while len(rounds.one) < MIN_ROUNDS or time.monotonic() - start < seconds:
        turns = [(one, rounds.one), (other, rounds.other)]
        # Who begins changes too.
        for side, kept in turns if len(rounds.one) % 2 else reversed(turns):
            kept.append(_round(side, repeats))
    return rounds


def _round(side: Side, repeats: int) -> Times:
    return {length: [side.seconds(length) for _ in range(repeats)] for length in side.requests}
