"""The GPU's path where there is none: bound tensors in the processor's memory, and which attention is called fused."""

# The backend's folder is on the module path only while these tests run.
# mypy: disable-error-code="import-not-found"

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from tests.integration.triton_models import classifier, identities, model

CPU = "CPUExecutionProvider"
HIDDEN = 8


def attending(folder: Path, *, fused: bool) -> Path:
    """A model with ids and mask, an embedding and one attention, fused or with a softmax of its own."""
    weights = np.random.default_rng(0).normal(size=(500, HIDDEN)).astype(np.float32)
    constants = {"table": weights, "qkv": weights[:HIDDEN].repeat(3, 1), "bias": np.zeros(3 * HIDDEN, np.float32)}
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["x"])]
    if fused:
        nodes += [
            helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.INT32),
            helper.make_node("Attention", ["x", "qkv", "bias", "mask"], ["y"], domain="com.microsoft", num_heads=2),
        ]
    else:
        nodes += [
            helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
            helper.make_node("MatMul", ["x", "t"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["shares"]),
            helper.make_node("MatMul", ["shares", "x"], ["y"]),
        ]
    nodes.append(helper.make_node("ReduceMean", ["y"], ["logits"], axes=[1], keepdims=0))
    shape = ["batch", "sequence"]
    graph = helper.make_graph(
        nodes,
        "attending",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", HIDDEN])],
        [helper.make_tensor(name, TensorProto.FLOAT, value.shape, value.ravel()) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    path = folder / "model.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    return path


def check(path: Path, provider: str) -> None:
    from gpu_session import check_fused_attention

    check_fused_attention(path, ort.SessionOptions(), [CPU], provider)


def test_fused_attention_is_seen_in_what_ran(tmp_path: Path) -> None:
    check(attending(tmp_path, fused=True), CPU)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


def test_attention_in_pieces_is_refused(tmp_path: Path) -> None:
    from ort_options import OptionError

    with pytest.raises(OptionError, match=r"fused: none; in pieces: 1"):
        check(attending(tmp_path, fused=False), CPU)


def test_attention_that_another_provider_computes_is_refused(tmp_path: Path) -> None:
    from ort_options import OptionError

    with pytest.raises(OptionError, match=rf"fused: 1 by {CPU}"):
        check(attending(tmp_path, fused=True), "CUDAExecutionProvider")


def test_bound_tensors_give_the_same_answers(tmp_path: Path) -> None:
    from gpu_memory import Device
    from gpu_session import BoundSession

    session = ort.InferenceSession(model(classifier(3)), providers=[CPU])
    bound = BoundSession(session, ["logits"], ort.RunOptions(), Device("cpu", 0))
    for rows, length in ((1, 16), (5, 32), (1, 16)):
        ids = np.random.default_rng(rows).integers(0, 40, (rows, length)).astype(np.int64)
        # A slice of a merged batch is not contiguous.
        feeds = {"input_ids": ids[:, ::2], "attention_mask": np.ones_like(ids)[:, ::2]}
        (logits,) = bound.run(feeds)
        np.testing.assert_array_equal(logits, session.run(["logits"], feeds)[0])


def test_memory_of_the_inputs_is_kept_and_what_an_earlier_run_left_there_is_not_seen(tmp_path: Path) -> None:
    """A few sizes are enough for all shapes; text and what is very large are bound each time anew."""
    from gpu_memory import Device
    from gpu_session import MAX_BUFFER_BYTES, BoundSession

    sizes: list[int] = []

    def allocate(size: int) -> Any:
        sizes.append(size)
        return np.full(size, 255, np.uint8)

    session = ort.InferenceSession(model(classifier(3)), providers=[CPU])
    bound = BoundSession(session, ["logits"], ort.RunOptions(), Device("cpu", 0), allocate)
    random = np.random.default_rng(0)
    for rows, length in ((256, 64), (1, 8), (7, 24), (300, 56), (64, 16), (3, 8), (256, 64)):
        ids = random.integers(0, 1_000, (rows, length))
        feeds = {"input_ids": ids, "attention_mask": (ids % 3 > 0).astype(np.int64) | (np.arange(length) == 0)}
        (logits,) = bound.run(feeds)
        np.testing.assert_array_equal(logits, session.run(["logits"], feeds)[0])
    assert sorted(sizes) == [8 * 1_024] * 2 + [8 * 16_384] * 2 + [8 * 32_768] * 2
    large = np.ones((MAX_BUFFER_BYTES // 8 // 1_024 + 1, 1_024), np.int64)
    bound.run({"input_ids": large, "attention_mask": large})
    assert len(sizes) == 6


@pytest.mark.parametrize("text", [False, True])
def test_all_types_and_empty_tensors_are_computed(text: bool) -> None:
    from gpu_memory import Device
    from gpu_session import BoundSession

    arrays = {
        "BOOL": np.array([True, False]),
        "INT32": np.arange(2, dtype=np.int32),
        "FP16": np.ones(2, np.float16),
        **({"STRING": np.array(["a", "b"], np.object_)} if text else {}),
    }
    numbers = {"FP16": TensorProto.FLOAT16}
    graph = identities(["batch"], {name: numbers.get(name) or getattr(TensorProto, name) for name in arrays})
    session = ort.InferenceSession(model(graph), providers=[CPU])
    bound = BoundSession(session, [f"out_{name}" for name in arrays], ort.RunOptions(), Device("cpu", 0))
    for count in (2, 0, 1):
        found = bound.run({f"in_{name}": array[:count] for name, array in arrays.items()})
        for array, expected in zip(found, arrays.values(), strict=True):
            assert array.tolist() == expected[:count].tolist()


def test_runs_have_few_numbers_of_rows_and_every_row_its_own_answer() -> None:
    from gpu_session import PaddedRows

    class Noting:
        def __init__(self) -> None:
            self.rows: list[int] = []

        def run(self, feeds: Any) -> list[Any]:
            self.rows.append(len(feeds["input_ids"]))
            return [feeds["input_ids"] * 2, feeds["attention_mask"][:, 0]]

    plain = Noting()
    padded = PaddedRows(plain)
    for rows in range(600):
        ids = np.arange(rows * 2).reshape(rows, 2)
        doubled, mask = padded.run({"input_ids": ids, "attention_mask": ids + 1})
        np.testing.assert_array_equal(doubled, ids * 2)
        np.testing.assert_array_equal(mask, ids[:, 0] + 1)
    for rows, computed in enumerate(plain.rows):
        assert rows <= computed <= max(2 * rows - 1, 1) if rows <= 16 else rows <= computed < rows * 9 / 8
    assert len(set(plain.rows)) < 60
