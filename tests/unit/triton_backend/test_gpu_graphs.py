"""Which small batches are replayed, and that their rows get their own answers: in the processor's memory, where a run
is bound as on a GPU and recorded by nothing."""

# The backend's folder is on the module path only while these tests run.
# mypy: disable-error-code="import-not-found"

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from tests.integration.triton_models import classifier, model
from tests.unit.triton_backend.test_gpu_session import CPU, HIDDEN, attending

LABELS = 3
LENGTHS = (8, 16, 256)


class Clock:
    """Time that passes when a run says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Recording:
    """ONNX Runtime's session, of which each run takes as long as `seconds` says of its shape; it may spoil the logits
    and keeps the number of the graph of each run."""

    def __init__(self, clock: Clock, seconds: Callable[[tuple[int, int]], float], spoilt: float = 0.0) -> None:
        self._session = ort.InferenceSession(model(classifier(LABELS)), providers=[CPU])
        self._clock, self._seconds, self._spoilt = clock, seconds, spoilt
        self.graphs: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run_with_iobinding(self, binding: Any, options: Any) -> None:
        self.graphs.append(options.get_run_config_entry("gpu_graph_id"))
        self._session.run_with_iobinding(binding, options)
        (logits,) = binding.get_outputs()
        if self._spoilt:
            logits.update_inplace(logits.numpy() + np.float32(self._spoilt))
        self._clock.now += self._seconds((logits.shape()[0], 0))


class Plain:
    """Runs that take a second each, and how many rows each had."""

    def __init__(self, clock: Clock) -> None:
        self._session = ort.InferenceSession(model(classifier(LABELS)), providers=[CPU])
        self._clock = clock
        self.rows: list[int] = []

    def run(self, feeds: Any) -> Sequence[Any]:
        self.rows.append(len(feeds["input_ids"]))
        self._clock.now += 1.0
        outputs: Sequence[Any] = self._session.run(["logits"], dict(feeds))
        return outputs


def chosen(
    seconds: Callable[[int], float] = lambda rows: 0.5, *, spoilt: float = 0.0, lengths: Sequence[int] = LENGTHS
) -> tuple[Any, Plain, Recording, list[str]]:
    from gpu_graphs import with_graphs
    from gpu_memory import Device, ordinary

    clock, told = Clock(), list[str]()
    plain, recording = Plain(clock), Recording(clock, lambda shape: seconds(shape[0]), spoilt)
    session = with_graphs(
        plain,
        lambda: recording,
        lengths=lengths,
        labels=LABELS,
        device=Device("cpu", 0),
        allocate=ordinary,
        name="sentiment",
        tell=told.append,
        clock=clock,
    )
    plain.rows.clear()
    recording.graphs.clear()
    return session, plain, recording, told


def answered(session: Any, rows: int, length: int, seed: int = 0) -> None:
    """The logits are those of each row alone."""
    from gpu_graphs import texts

    feeds = texts((rows, length), seed)
    reference = ort.InferenceSession(model(classifier(LABELS)), providers=[CPU])
    (logits,) = session.run(feeds)
    np.testing.assert_allclose(logits, reference.run(["logits"], feeds)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rows", [1, 2, 8, 16])
def test_a_small_batch_is_replayed_and_gets_its_own_answers(rows: int) -> None:
    session, plain, recording, _ = chosen()
    for length in (8, 16):
        for seed in range(3):
            answered(session, rows, length, seed)
    assert not plain.rows
    assert len(set(recording.graphs)) == 2, "one graph for each length"


def test_what_has_no_graph_is_run_plainly() -> None:
    session, plain, recording, told = chosen()
    for rows, length in ((18, 8), (4, 256), (4, 12), (3, 8)):
        answered(session, rows, length)
    assert plain.rows == [18, 4, 4, 3]
    assert not recording.graphs
    sizes = "10 of 10 shapes of up to 16 rows and 128 tokens"
    assert told == [f"sentiment replays CUDA graphs for {sizes}, 2.00 to 2.00 times as fast as plain runs"]


def test_every_shape_has_a_graph_of_its_own_number_beyond_0() -> None:
    session, _, recording, _ = chosen()
    for rows in (1, 2, 4, 8, 16):
        for length in (8, 16):
            answered(session, rows, length)
    assert sorted(map(int, recording.graphs)) == list(range(1, 11))


def test_only_shapes_that_are_a_twentieth_faster_keep_their_graph() -> None:
    session, plain, recording, told = chosen(lambda rows: {1: 0.25, 2: 0.94, 4: 0.97, 8: 1.5, 16: 0.5}[rows])
    for rows in (1, 2, 4, 8, 16):
        answered(session, rows, 8)
    assert plain.rows == [4, 8]
    assert len(recording.graphs) == 3
    assert "for 6 of 10 shapes" in told[0]
    assert "1.06 to 4.00 times as fast" in told[0]


def test_a_moment_in_which_the_machine_is_busy_does_not_decide() -> None:
    """Of eleven runs, the middle one counts."""
    runs = iter(range(10_000))
    session, plain, _, _ = chosen(lambda rows: 50.0 if next(runs) % 4 == 0 else 0.5)
    answered(session, 1, 8)
    assert not plain.rows


def test_a_graph_with_other_answers_is_never_taken_however_fast() -> None:
    session, plain, _, told = chosen(lambda rows: 0.01, spoilt=0.1)
    answered(session, 4, 8)
    assert plain.rows == [4]
    assert told[0].startswith("sentiment replays no CUDA graphs: none is worth it for 10 shapes")
    assert told[0].endswith("; 10 gave other answers")


def test_without_a_gain_the_plain_session_is_all_that_is_kept() -> None:
    session, plain, _, told = chosen(lambda rows: 1.25)
    assert session is plain
    assert "at best 0.80 times as fast as a plain run" in told[0]


def test_whatever_fails_there_are_no_graphs_a_sentence_and_a_service() -> None:
    from gpu_graphs import with_graphs
    from gpu_memory import Device, ordinary

    def unable() -> Any:
        raise RuntimeError("This session cannot use the graph capture feature\nas requested")

    def breaking(rows: int) -> float:
        raise RuntimeError("operation not permitted when stream is capturing")

    told = list[str]()
    plain = Plain(Clock())
    options = {"lengths": LENGTHS, "labels": LABELS, "device": Device("cpu", 0), "allocate": ordinary}
    assert with_graphs(plain, unable, **options, name="emotion", tell=told.append) is plain
    assert told == ["emotion replays no CUDA graphs: This session cannot use the graph capture feature"]
    session, plain, _, told = chosen(breaking)
    assert session is plain
    assert told == ["sentiment replays no CUDA graphs: operation not permitted when stream is capturing"]


def config_of(**parameters: str) -> dict[str, Any]:
    return {
        "name": "sentiment",
        "input": [
            {"name": name, "data_type": "TYPE_INT64", "dims": ["-1"]} for name in ("input_ids", "attention_mask")
        ],
        "output": [{"name": "logits", "data_type": "TYPE_FP32", "dims": [str(HIDDEN)]}],
        "max_batch_size": 1_024,
        "parameters": {name: {"string_value": value} for name, value in parameters.items()},
    }


def opened(path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str], **environment: str) -> tuple[Any, list[Any]]:
    """The session of a GPU instance, on a machine whose CUDA provider is the processor's, and all that were opened."""
    import ort_contract
    import ort_providers
    import sessions
    from gpu_memory import Device

    monkeypatch.setattr(ort_providers, "CUDA", CPU)
    monkeypatch.setattr(ort_providers, "providers", lambda *_: [(CPU, {})])
    opening, plain = list[Any](), ort.InferenceSession

    def noting(path: Any, options: Any = None, **more: Any) -> Any:
        opening.append(more["providers"])
        return plain(path, options, **more)

    session = plain(path, providers=[CPU])
    monkeypatch.setattr(ort, "InferenceSession", noting)
    bound = sessions.on_gpu(
        path,
        session,
        config=config_of(),
        contract=ort_contract.check(config_of(), session),
        device=Device("cpu", 0),
        lengths=(8, 16),
        environment=environment,
        tell=told.append,
    )
    return bound, opening


def test_a_classifier_on_a_gpu_is_bound_and_its_graphs_are_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gpu_graphs import texts

    told = list[str]()
    path = attending(tmp_path, fused=True)
    bound, opening = opened(path, monkeypatch, told)
    assert opening == [[(CPU, {})], [(CPU, {"enable_cuda_graph": "1"})]], "the profile's session, then the graphs'"
    assert "sentiment: the GPU is filled from ordinary memory" in told[0]
    assert "10 shapes" in told[1]
    feeds = texts((3, 8), 0)
    expected = ort.InferenceSession(path, providers=[CPU]).run(["logits"], feeds)[0]
    np.testing.assert_allclose(bound.run(feeds)[0], expected, rtol=1e-5, atol=1e-6)


def test_what_is_switched_off_is_not_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ort_options import OptionError

    told = list[str]()
    switches = {"UNDERTONE_GPU_GRAPHS": "off", "UNDERTONE_GPU_PINNED": "off"}
    _, opening = opened(attending(tmp_path, fused=True), monkeypatch, told, **switches)
    assert (len(opening), told) == (1, [])
    with pytest.raises(OptionError, match="UNDERTONE_GPU_GRAPHS: 'always' is neither auto nor off"):
        opened(attending(tmp_path, fused=True), monkeypatch, told, UNDERTONE_GPU_GRAPHS="always")
