"""Which runtime computes on the CPU: candidates, checks, the choice, and its memory. No server, no graph."""

# The backend's folder is on the module path only while these tests run.
# mypy: disable-error-code="import-not-found"

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.hostile import deep

ZEN5 = frozenset({"avx512_bf16", "avx512_vnni"})


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """A version's folder with both files."""
    for name in ("model.onnx", "model.int8.onnx"):
        (tmp_path / name).write_bytes(b"weights")
    return tmp_path


class Model:
    """Logits that are the sums of the ids, changed by what `fault` adds."""

    def __init__(self, fault: Any = lambda ids: 0.0) -> None:
        self._fault = fault

    def run(self, feeds: Mapping[str, Any]) -> Sequence[Any]:
        ids = feeds["input_ids"]
        sums = ids.sum(axis=1, keepdims=True) / 1e4
        return [np.concatenate([sums, 1 - sums], axis=1) + self._fault(ids)]


def titles(file: Path, name: str, flags: frozenset[str], *, openvino: bool = True) -> list[str]:
    from cpu_runtimes import candidates

    return [candidate.title for candidate in candidates(file, name, flags, openvino=openvino)]


def test_only_arithmetic_that_the_processor_has_units_for_is_tried(version: Path) -> None:
    file = version / "model.onnx"
    plain = "onnxruntime of model.onnx"
    assert titles(file, "auto", ZEN5) == [plain, "openvino-bf16 of model.onnx", "openvino-int8 of model.onnx"]
    assert titles(file, "auto", frozenset({"amx_bf16"})) == [plain, "openvino-bf16 of model.onnx"]
    assert titles(file, "auto", frozenset({"avx2"})) == [plain]
    assert titles(file, "auto", ZEN5, openvino=False) == [plain]
    assert titles(file, "onnxruntime", ZEN5) == [plain]
    # Asked for by name it is tried on any machine.
    assert titles(file, "openvino-bf16", frozenset()) == [plain, "openvino-bf16 of model.onnx"]


def test_the_configured_file_comes_first_and_the_full_precision_one_is_tried_beside_it(version: Path) -> None:
    file = version / "model.int8.onnx"
    assert titles(file, "auto", frozenset()) == ["onnxruntime of model.int8.onnx", "onnxruntime of model.onnx"]
    (version / "model.onnx").unlink()
    assert titles(file, "auto", ZEN5) == ["onnxruntime of model.int8.onnx"]


def test_weights_are_rounded_only_where_the_version_was_verified_as_int8_or_a_person_asks(version: Path) -> None:
    from cpu_runtimes import may_quantize

    file = version / "model.onnx"
    assert may_quantize(file, "auto")
    (version / "model.int8.onnx").unlink()
    assert not may_quantize(file, "auto")
    assert may_quantize(file, "openvino-int8")


@pytest.mark.parametrize("axis", [0, 1])
def test_each_output_channel_has_a_scale_of_its_own(axis: int) -> None:
    from ov_session import quantize

    weights = np.random.default_rng(0).normal(size=(64, 32)).astype(np.float32)
    # One loud channel: it must not coarsen the others.
    weights[(slice(None), 3) if axis == 0 else (3, slice(None))] *= 1_000
    quantized, scale = quantize(weights, axis)
    assert quantized.dtype == np.int8
    assert scale.shape == ((1, 32) if axis == 0 else (64, 1))
    assert np.all(np.abs(quantized * scale - weights) <= scale / 2 * 1.001)
    np.testing.assert_array_equal(np.abs(quantized).max(axis=axis), 127)


def choice(
    monkeypatch: pytest.MonkeyPatch, version: Path, others: Mapping[str, tuple[Any, float]], prefer: str = "auto"
) -> Any:
    """The choice among ONNX Runtime, 1 s a batch, and `others`: name -> (session, seconds)."""
    import cpu_runtimes
    from cpu_runtimes import Candidate

    file = version / "model.onnx"
    sessions = {Candidate("onnxruntime", file): Model()} | {Candidate(n, file): s for n, (s, _) in others.items()}
    seconds = {"onnxruntime": 1.0} | {name: taken for name, (_, taken) in others.items()}
    monkeypatch.setattr(cpu_runtimes, "_time", lambda timed: {each: seconds[each.name] for each in timed})
    return cpu_runtimes.choose(sessions, True, prefer=prefer)


def test_the_fastest_is_chosen(monkeypatch: pytest.MonkeyPatch, version: Path) -> None:
    found = choice(monkeypatch, version, {"openvino-bf16": (Model(), 0.5), "openvino-int8": (Model(), 0.4)})
    assert found.candidate.name == "openvino-int8"
    assert found.rows_per_s["openvino-int8 of model.onnx"] == 40
    assert found.refused == {}


def test_a_small_gain_is_not_worth_other_arithmetic(monkeypatch: pytest.MonkeyPatch, version: Path) -> None:
    assert choice(monkeypatch, version, {"openvino-bf16": (Model(), 0.99)}).candidate.name == "onnxruntime"


def test_what_was_asked_for_is_taken_though_it_is_slow(monkeypatch: pytest.MonkeyPatch, version: Path) -> None:
    others = {"openvino-bf16": (Model(), 3.0)}
    assert choice(monkeypatch, version, others, "openvino-bf16").candidate.name == "openvino-bf16"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        # As dynamic quantization with one scale for all of a batch: the loudest text coarsens the others.
        (lambda ids: ids.max() / 1e4 * np.array([[1, -1]]), "depends on its batch"),
        # Another order of sums where there is more padding.
        (lambda ids: ids.shape[1] / 1e3 * np.array([[1, -1]]), "depends on its batch"),
        (lambda ids: np.array([[0.0, 5.0]]), "differ by"),
        (lambda ids: np.nan, "differ by"),
    ],
)
def test_a_runtime_with_other_answers_is_refused_however_fast(
    monkeypatch: pytest.MonkeyPatch, version: Path, fault: Any, reason: str
) -> None:
    found = choice(monkeypatch, version, {"openvino-bf16": (Model(fault), 0.1)}, "openvino-bf16")
    assert found.candidate.name == "onnxruntime"
    assert reason in found.refused["openvino-bf16 of model.onnx"]


def test_sessions_are_timed_in_turns(version: Path) -> None:
    import cpu_runtimes
    from cpu_runtimes import Candidate

    order = []

    class Noting(Model):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def run(self, feeds: Mapping[str, Any]) -> Sequence[Any]:
            order.append(self.name)
            return super().run(feeds)

    seconds = cpu_runtimes._time({Candidate(name, version / "model.onnx"): Noting(name) for name in "ab"})
    assert order == ["a", "b"] * (len(order) // 2)
    assert min(seconds.values()) > 0


def test_a_choice_is_recalled_for_the_same_facts_alone(tmp_path: Path) -> None:
    from remembered import key_of, recall, remember

    path = tmp_path / "choices.json"
    remember(path, key_of("cpu", 1), {"runtime": "x"})
    remember(path, key_of("cpu", 2), {"runtime": "y"})
    assert recall(path, key_of("cpu", 1)) == {"runtime": "x"}
    assert recall(path, key_of("cpu", 3)) is None
    assert recall(None, key_of("cpu", 1)) is None
    assert [file.name for file in tmp_path.iterdir()] == ["choices.json"]


BROKEN = ["", "{", "[1]", '{"key": 3}', "\x00\xff", deep(100_000, "key").decode()]


@pytest.mark.parametrize("content", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_memory_is_made_anew(tmp_path: Path, content: str) -> None:
    from remembered import recall, remember

    path = tmp_path / "choices.json"
    path.write_text(content)
    assert recall(path, "key") is None
    remember(path, "key", {"runtime": "x"})
    assert json.loads(path.read_text())["key"] == {"runtime": "x"}


def test_the_memory_is_bounded(tmp_path: Path) -> None:
    from remembered import MAX_ENTRIES, recall, remember

    for number in range(MAX_ENTRIES + 3):
        remember(tmp_path / "choices.json", str(number), {"number": number})
    assert recall(tmp_path / "choices.json", "2") is None
    assert recall(tmp_path / "choices.json", "3") == {"number": 3}


def test_the_processors_flags_are_read(tmp_path: Path) -> None:
    from cpu_facts import read

    first = "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu avx512_bf16 amx_tile\n"
    text = first + "\nprocessor\t: 1\nflags\t\t: fpu\n"
    path = tmp_path / "cpuinfo"
    path.write_text(text)
    assert read(path) == ("Some CPU", frozenset({"fpu", "avx512_bf16", "amx_tile"}))
    assert read(tmp_path / "missing") == ("", frozenset())
