"""Small batches on a GPU as CUDA graphs: a run that was recorded once and is started by one launch instead of hundreds.

A batch of few rows is computed in less time than its launches take. A graph is of one shape, in memory of its own:
there is one for each of the few numbers of rows that runs are padded to (gpu_session) and each short length. Each is
checked and timed beside the plain run when the model is loaded, and only those that are faster stay.
"""

# The Python backend puts this folder on the module path; a type checker may not know it.
# mypy: disable-error-code="import-not-found,import-untyped"

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnxruntime as ort
import ort_options
from cpu_runtimes import FIRST_ID, LAST_ID, Session
from gpu_memory import Allocate, Buffer, Device
from ort_batches import Array, Arrays

# Whoever measures sets it: auto or off.
SETTING = "UNDERTONE_GPU_GRAPHS"
# With more rows or longer ones a run computes for longer than its launches take.
ROWS, MAX_LENGTH = (1, 2, 4, 8, 16), 128
MASK = "attention_mask"
ROUNDS = 11
# A graph that is faster by less is not worth its memory.
MIN_GAIN = 1.05
# From the plain run, of the largest logit or of 1: the kernels are the same, so what is further off is broken.
MAX_DIFFERENCE = 1e-3
_DTYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(float)": np.float32}
# 0 is what ONNX Runtime takes for runs that say nothing.
FIRST_GRAPH_ID = 1

Shape = tuple[int, int]


class Graph:
    """The run of one shape, recorded by its first call and replayed by all others."""

    def __init__(
        self,
        session: ort.InferenceSession,
        shape: Shape,
        *,
        labels: int,
        number: int,
        device: Device,
        allocate: Allocate,
    ) -> None:
        """`session`: of a classifier, with `enable_cuda_graph`. `number`: another one for each graph of it."""
        (output,) = session.get_outputs()
        dtypes = {entry.name: np.dtype(_DTYPES[entry.type]) for entry in session.get_inputs()}
        self._session = session
        self._inputs = {name: Buffer(shape, dtype, device, allocate) for name, dtype in dtypes.items()}
        self._logits = ort.OrtValue.ortvalue_from_shape_and_type([shape[0], labels], _DTYPES[output.type], *device)
        self._binding = session.io_binding()
        for name, buffer in self._inputs.items():
            self._binding.bind_ortvalue_input(name, buffer.value)
        self._binding.bind_ortvalue_output(output.name, self._logits)
        # Not the configuration's options: an arena that shrinks would take the graph's memory away.
        self._options = ort_options.run_options({})
        self._options.add_run_config_entry("gpu_graph_id", str(number))

    def run(self, feeds: Arrays) -> Sequence[Array]:
        """The logits of as many rows as the graph has."""
        for name, buffer in self._inputs.items():
            buffer.fill(feeds[name])
        self._session.run_with_iobinding(self._binding, self._options)
        logits: Array = self._logits.numpy()
        return [logits.copy()]


class GraphsWherePossible:
    """Replays the graph of a batch's shape; what has none is run plainly."""

    def __init__(self, plain: Session, graphs: Mapping[Shape, Session]) -> None:
        self._plain = plain
        self._graphs = graphs

    def run(self, feeds: Arrays) -> Sequence[Array]:
        return self._graphs.get(feeds[MASK].shape, self._plain).run(feeds)


class Trial(NamedTuple):
    """`gain`: how many times as fast as the plain run; 0 where the answers differ."""

    graph: Graph
    gain: float


def with_graphs(
    plain: Session,
    open_session: Callable[[], ort.InferenceSession],
    *,
    lengths: Sequence[int],
    labels: int,
    device: Device,
    allocate: Allocate,
    name: str,
    tell: Callable[[str], None],
    clock: Callable[[], float] = time.perf_counter,
) -> Session:
    """`plain`, with graphs for the small batches that they are faster for. What was found is told in a sentence.

    `open_session`: the same model once more, with `enable_cuda_graph`. `lengths`: those that texts are padded to, in
    tokens. `name`: the model's. Nothing that fails here ends the service: there are no graphs then.
    """
    shapes = [(rows, length) for length in lengths if length <= MAX_LENGTH for rows in ROWS]
    try:
        session = open_session()
        trials = {}
        for number, shape in enumerate(shapes, start=FIRST_GRAPH_ID):
            graph = Graph(session, shape, labels=labels, number=number, device=device, allocate=allocate)
            trials[shape] = Trial(graph, _gain(plain, graph, shape, clock))
    # Neither ONNX Runtime's errors nor CUDA's share a base class.
    except Exception as error:
        tell(f"{name} replays no CUDA graphs: {str(error).strip().partition(chr(10))[0]}")
        return plain
    kept = {shape: trial.graph for shape, trial in trials.items() if trial.gain >= MIN_GAIN}
    tell(_sentence(name, [trial.gain for trial in trials.values()]))
    return GraphsWherePossible(plain, kept) if kept else plain


def _gain(plain: Session, graph: Session, shape: Shape, clock: Callable[[], float]) -> float:
    """How many times as fast the graph is, both in turns, so that a busy moment meets each alike; 0: it is wrong."""
    first, second = texts(shape, 0), texts(shape, 1)
    graph.run(first)  # which records it
    for feeds in (second, first):
        (expected,), (found,) = plain.run(feeds), graph.run(feeds)
        if not np.abs(found - expected).max() <= MAX_DIFFERENCE * max(1.0, float(np.abs(expected).max())):
            return 0.0
    seconds: dict[Session, list[float]] = {plain: [], graph: []}
    for _ in range(ROUNDS):
        for session, measured in seconds.items():
            begun = clock()
            session.run(first)
            measured.append(clock() - begun)
    return statistics.median(seconds[plain]) / statistics.median(seconds[graph])


def texts(shape: Shape, seed: int) -> dict[str, Any]:
    """Made-up texts of one to all tokens."""
    rows, length = shape
    random = np.random.default_rng(seed)
    mask = (np.arange(length) < random.integers(1, length + 1, (rows, 1))).astype(np.int64)
    return {"input_ids": random.integers(FIRST_ID, LAST_ID, shape) * mask, MASK: mask}


def _sentence(name: str, gains: Sequence[float]) -> str:
    kept = [gain for gain in gains if gain >= MIN_GAIN]
    wrong = gains.count(0.0)
    others = f"; {wrong} gave other answers" if wrong else ""
    of = f"{len(gains)} shapes of up to {ROWS[-1]} rows and {MAX_LENGTH} tokens"
    if not kept:
        best = f" (at best {max(gains):.2f} times as fast as a plain run)" if gains else ""
        return f"{name} replays no CUDA graphs: none is worth it for {of}{best}{others}"
    return (
        f"{name} replays CUDA graphs for {len(kept)} of {of}, {min(kept):.2f} to {max(kept):.2f} times as fast as "
        f"plain runs{others}"
    )
