"""The GPU's path where there is none: bound tensors in the processor's memory, and which attention is called fused."""

# The backend's folder is on the module path only while these tests run.
# mypy: disable-error-code="import-not-found"

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from tests.integration.triton_models import classifier, model

CPU = "CPUExecutionProvider"
HIDDEN = 8


def attending(folder: Path, *, fused: bool) -> Path:
    """A model with ids and mask, an embedding and one attention, fused or with a softmax of its own."""
    weights = np.random.default_rng(0).normal(size=(50, HIDDEN)).astype(np.float32)
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
    from gpu_session import BoundSession

    session = ort.InferenceSession(model(classifier(3)), providers=[CPU])
    bound = BoundSession(session, ["logits"], ort.RunOptions(), "cpu:0")
    for rows, length in ((1, 16), (5, 32), (1, 16)):
        ids = np.random.default_rng(rows).integers(0, 40, (rows, length)).astype(np.int64)
        # A slice of a merged batch is not contiguous.
        feeds = {"input_ids": ids[:, ::2], "attention_mask": np.ones_like(ids)[:, ::2]}
        (logits,) = bound.run(feeds)
        np.testing.assert_array_equal(logits, session.run(["logits"], feeds)[0])
