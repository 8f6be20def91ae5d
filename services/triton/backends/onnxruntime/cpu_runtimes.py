"""Which runtime computes a classifier on this CPU: each that the machine can run is checked and timed here, the fastest
is kept, and the choice is remembered.

Only runtimes whose answers do not depend on the batch are ever chosen, and that is tried out, too, before the choice.
"""

# The Python backend puts this folder on the module path; a type checker may not know it.
# mypy: disable-error-code="import-not-found,import-untyped"

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cpu_facts
import numpy as np
import ov_session
from ort_batches import Array, Arrays
from ort_options import Config, OptionError

AUTO, ONNX_RUNTIME = "auto", "onnxruntime"
NAMES = (AUTO, ONNX_RUNTIME, ov_session.BF16, ov_session.INT8)
# Whoever starts the server sets it; without it, ONNX Runtime computes the file of the configuration.
SETTING = "UNDERTONE_CPU_RUNTIME"
FULL_PRECISION_FILE, INT8_FILE = "model.onnx", "model.int8.onnx"
INPUTS = {"input_ids", "attention_mask"}

# What is timed: a batch as a backlog gives it. Ids that every vocabulary has.
ROWS, LENGTH = 16, 32
FIRST_ID, LAST_ID = 5, 400
MIN_ROUNDS, MAX_ROUNDS, BUDGET_S = 3, 15, 3.0
# A text's probabilities alone and in a batch, where clients pad it most: within a block of 16 tokens, in steps of 4
# (length_groups.py, export/spec.py).
MAX_DEPENDENCE = 1e-3
COMPANY_LENGTH, STEP = 28, 4
# From those of the configured file in ONNX Runtime, for made-up texts: what is further off is broken, not rounded.
MAX_DIFFERENCE = 0.1
# A runtime that is faster by less than this is not worth another arithmetic than the file's own.
MIN_GAIN = 1.02


class Session(Protocol):
    """Something that computes a model."""

    def run(self, feeds: Arrays) -> Sequence[Array]: ...


@dataclass(frozen=True)
class Candidate:
    """A runtime, and the file that it would compute."""

    name: str
    file: Path

    @property
    def title(self) -> str:
        return f"{self.name} of {self.file.name}"


@dataclass(frozen=True)
class Choice:
    """`rows_per_s` of each candidate that passed its checks, by title; why the others did not, likewise."""

    candidate: Candidate
    rows_per_s: Mapping[str, float]
    refused: Mapping[str, str]


def wanted(environment: Mapping[str, str]) -> str:
    """The runtime that was asked for; OptionError if there is no such."""
    name = environment.get(SETTING, "") or ONNX_RUNTIME
    if name not in NAMES:
        raise OptionError(f"environment variable {SETTING}: {name!r} is none of {', '.join(NAMES)}")
    return name


def is_classifier(config: Config) -> bool:
    """Whether it is one of the models that the choice is made for: token ids and mask in, logits out."""
    inputs = {entry["name"] for entry in config["input"]}
    return inputs == INPUTS and [entry["name"] for entry in config["output"]] == ["logits"]


def candidates(file: Path, name: str, flags: frozenset[str], *, openvino: bool) -> list[Candidate]:
    """What may compute the version whose configured file is `file`, that file in ONNX Runtime first.

    `name`: `AUTO`, or the only other one to be tried.
    """
    found = [Candidate(ONNX_RUNTIME, file)]
    plain = file.with_name(FULL_PRECISION_FILE)
    if not plain.is_file() or name == ONNX_RUNTIME:
        return found
    if plain != file and name == AUTO:
        found.append(Candidate(ONNX_RUNTIME, plain))
    for runtime, needed in ((ov_session.BF16, cpu_facts.BF16_FLAGS), (ov_session.INT8, cpu_facts.INT8_FLAGS)):
        # Asked for by name it is tried on any machine; by itself only where it can be fast.
        if openvino and (name == runtime or (name == AUTO and flags & needed)):
            found.append(Candidate(runtime, plain))
    return found


def may_quantize(file: Path, name: str) -> bool:
    """Whether weights may be rounded to int8 here: where the version was exported (and verified) as int8, too, or where
    int8 was asked for by name. Weights that are stored as int8 are in any case."""
    return name == ov_session.INT8 or file.with_name(INT8_FILE).is_file()


def choose(sessions: Mapping[Candidate, Session], softmax: bool, *, prefer: str = AUTO) -> Choice:
    """The fastest of the candidates that pass; the first one is the reference and always passes.

    `prefer`: one that is taken wherever it passes, whatever its speed.
    """
    reference, *others = sessions
    expected = _probabilities(sessions[reference].run(_texts()), softmax)
    refused = {}
    passed = [reference]
    for candidate in others:
        reason = _fault(sessions[candidate], expected, softmax)
        if reason:
            refused[candidate.title] = reason
        else:
            passed.append(candidate)
    seconds = _time({candidate: sessions[candidate] for candidate in passed})
    rows_per_s = {candidate.title: round(ROWS / each, 1) for candidate, each in seconds.items()}
    asked = [candidate for candidate in passed if candidate.name == prefer]
    fastest = min(asked or passed, key=lambda candidate: seconds[candidate])
    gain = seconds[reference] / seconds[fastest]
    return Choice(fastest if asked or gain >= MIN_GAIN else reference, rows_per_s, refused)


def _fault(session: Session, expected: Array, softmax: bool) -> str:
    """Why it must not be chosen; empty if it may be."""
    difference = float(np.abs(_probabilities(session.run(_texts()), softmax) - expected).max())
    if not difference <= MAX_DIFFERENCE:
        return f"probabilities differ by {difference:.2g}"
    feeds = _texts(COMPANY_LENGTH)
    together = _probabilities(session.run(feeds), softmax)
    alone = np.concatenate([session.run(_by_itself(feeds, row))[0] for row in range(ROWS)])
    dependence = float(np.abs(_probabilities([alone], softmax) - together).max())
    return "" if dependence <= MAX_DEPENDENCE else f"an answer depends on its batch, by {dependence:.2g}"


def _by_itself(feeds: Mapping[str, Any], row: int) -> dict[str, Any]:
    """One text of the batch, padded as a client pads it alone."""
    tokens = int(feeds["attention_mask"][row].sum())
    length = -(-tokens // STEP) * STEP
    return {name: np.ascontiguousarray(array[[row], :length]) for name, array in feeds.items()}


def _time(sessions: Mapping[Candidate, Session]) -> dict[Candidate, float]:
    """Median seconds of a batch, all of them in turns, so that a busy moment of the machine meets each alike."""
    feeds = _texts()
    seconds: dict[Candidate, list[float]] = {candidate: [] for candidate in sessions}
    end = time.monotonic() + BUDGET_S
    for number in range(MAX_ROUNDS):
        if number >= MIN_ROUNDS and time.monotonic() > end:
            break
        for candidate, session in sessions.items():
            began = time.perf_counter()
            session.run(feeds)
            seconds[candidate].append(time.perf_counter() - began)
    return {candidate: statistics.median(each) for candidate, each in seconds.items()}


def _texts(length: int = LENGTH) -> dict[str, Any]:
    """Token ids and mask of made-up texts, half full to full; always the same."""
    chance = np.random.default_rng(0)
    tokens = np.linspace(length // 2, length, ROWS).astype(int)
    mask = (np.arange(length) < tokens[:, None]).astype(np.int64)
    ids = chance.integers(FIRST_ID, LAST_ID, (ROWS, length)).astype(np.int64) * mask
    return {"input_ids": ids, "attention_mask": mask}


def _probabilities(outputs: Sequence[Array], softmax: bool) -> Array:
    logits = np.asarray(outputs[0], np.float64)
    if not softmax:
        return 1 / (1 + np.exp(-logits))
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Array = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities
