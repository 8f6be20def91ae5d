"""Every precision of both architectures against PyTorch, and what each file is made of."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from export.checkpoint import Checkpoint, load_checkpoint
from export.errors import ExportError
from export.graphs.half import MASKED
from export.graphs.int8 import quantize_columns, quantize_rows
from export.spec import FILES, PRECISIONS, Precision
from export.to_onnx import export_variant

Logits = NDArray[np.float32]
Rows = list[list[int]]
ARCHITECTURES = ("distilbert", "roberta")
LENGTHS = (16, 32, 64)
TOLERANCES: dict[Precision, float] = {"fp32": 1e-4, "fp16": 1e-2, "trt": 1e-2}
ROBERTA_PADDING = 1


@dataclass(frozen=True)
class Exported:
    """One checkpoint, its files and its reference."""

    model: Any
    folder: Path
    vocabulary: int
    labels: int
    steps: list[str]

    def graph(self, precision: Precision) -> Any:
        return onnx.load(self.folder / FILES[precision])

    def ask(self, precision: Precision, rows: Rows, length: int, padding: int = 0) -> Logits:
        """Logits of one batch, padded right."""
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        path = self.folder / FILES[precision]
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        ids, mask = padded(rows, length, padding)
        (logits,) = session.run(["logits"], {"input_ids": ids, "attention_mask": mask})
        return np.asarray(logits)

    def reference(self, rows: Rows) -> Logits:
        """PyTorch's logits of each row alone, without padding."""
        with torch.inference_mode():
            answers = [
                self.model(input_ids=torch.tensor([row]), attention_mask=torch.ones(1, len(row))) for row in rows
            ]
        return np.concatenate([answer.logits.numpy() for answer in answers])

    def texts(self, length: int, count: int) -> Rows:
        """Rows of random tokens, 3 to `length` of them, the last one full; the same each time."""
        random = np.random.default_rng(length)
        counts = [*random.integers(3, length, count - 1), length]
        return [[2, *random.integers(5, self.vocabulary, n - 2).tolist(), 3] for n in counts]


def padded(rows: Rows, length: int, padding: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    ids = np.full((len(rows), length), padding, np.int64)
    mask = np.zeros((len(rows), length), np.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return ids, mask


@pytest.fixture(scope="module", params=ARCHITECTURES)
def exported(
    request: pytest.FixtureRequest, distilbert: Path, roberta: Path, tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    source = {"distilbert": distilbert, "roberta": roberta}[request.param]
    return export_all(source, tmp_path_factory.mktemp("exported"))


def export_all(source: Path, folder: Path) -> Exported:
    steps: list[str] = []
    with load_checkpoint(str(source), None) as checkpoint:
        for precision in PRECISIONS:
            export_variant(checkpoint, precision, folder / FILES[precision], steps.append)
        return Exported(checkpoint.load_model(), folder, checkpoint.vocab_size, len(checkpoint.labels), steps)


@pytest.fixture(scope="module")
def exported_roberta(roberta: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export_all(roberta, tmp_path_factory.mktemp("roberta"))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("precision", TOLERANCES)
def test_padded_texts_get_the_logits_of_pytorch(exported: Exported, precision: Precision, length: int) -> None:
    rows = exported.texts(length, 9)
    expected = exported.reference(rows)
    assert expected.std(0).mean() > 0.1  # or the texts would not be told apart at all
    np.testing.assert_allclose(exported.ask(precision, rows, length), expected, rtol=0, atol=TOLERANCES[precision])


def test_int8_mostly_agrees_with_pytorch(exported: Exported) -> None:
    """Random weights have no margins: where PyTorch's two best labels are further apart than int8 errs, it agrees."""
    rows = [row for length in LENGTHS for row in exported.texts(length, 40)]
    expected = exported.reference(rows)
    found = exported.ask("int8", rows, 64)
    assert np.abs(found - expected).mean() < 0.1 * expected.std(0).mean()
    ordered = np.sort(expected, 1)
    clear = ordered[:, -1] - ordered[:, -2] > 0.15
    assert clear.sum() >= 30
    assert (found.argmax(1) == expected.argmax(1))[clear].all()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_answer_does_not_depend_on_its_batch(exported: Exported, precision: Precision) -> None:
    rows = exported.texts(32, 9)
    together = exported.ask(precision, rows, 32)
    alone = np.concatenate([exported.ask(precision, [row], 32) for row in rows])
    in_reverse = exported.ask(precision, rows[::-1], 32)[::-1]
    many = exported.ask(precision, rows * 7, 32)[-9:]
    # int8: sums of integers are exact, and so is everything between them.
    tolerance = 0 if precision == "int8" else 1e-3
    for other in (alone, in_reverse, many):
        np.testing.assert_allclose(other, together, rtol=0, atol=tolerance)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_answer_hardly_depends_on_its_padding(exported: Exported, precision: Precision) -> None:
    rows = exported.texts(16, 9)
    expected = exported.ask(precision, rows, 16)
    # int8 rounds: a last bit that differs may become a step of 1/127 in one of the inputs.
    tolerance = 0.05 if precision == "int8" else 1e-2 if precision in ("fp16", "trt") else 1e-5
    for length in (17, 64, 128):
        np.testing.assert_allclose(exported.ask(precision, rows, length), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_roberta_may_be_padded_with_0(exported_roberta: Exported, precision: Precision) -> None:
    """Its own padding id is 1, and positions are counted over all other ids: zeros on the right get positions, too,
    but those of the real tokens stay, and the mask hides the rest.
    """
    rows = exported_roberta.texts(64, 9)
    with_0 = exported_roberta.ask(precision, rows, 128, padding=0)
    with_1 = exported_roberta.ask(precision, rows, 128, padding=ROBERTA_PADDING)
    np.testing.assert_array_equal(with_0, with_1)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_row_of_padding_alone_harms_nobody(exported: Exported, precision: Precision) -> None:
    """Servers warm up with zeros."""
    rows = exported.texts(16, 4)
    found = exported.ask(precision, [*rows, []], 16)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[:4], exported.ask(precision, rows, 16), rtol=0, atol=1e-3)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_longest_text_is_answered(exported: Exported, precision: Precision) -> None:
    rows = exported.texts(128, 2)
    tolerance = TOLERANCES.get(precision, 0.5)
    np.testing.assert_allclose(exported.ask(precision, rows, 128), exported.reference(rows), rtol=0, atol=tolerance)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_file_is_what_servers_know(exported: Exported, precision: Precision) -> None:
    model = exported.graph(precision)
    assert model.ir_version <= 10
    versions = {imported.domain: imported.version for imported in model.opset_import}
    assert versions.pop("") <= 21
    assert versions == ({} if precision == "trt" else {"com.microsoft": 1})
    onnx.checker.check_model(model, full_check=precision == "trt")
    inputs = {value.name: axes_of(value) for value in model.graph.input}
    assert inputs == dict.fromkeys(("input_ids", "attention_mask"), (onnx.TensorProto.INT64, "batch", "sequence"))
    outputs = {value.name: axes_of(value) for value in model.graph.output}
    assert outputs == {"logits": (onnx.TensorProto.FLOAT, "batch", exported.labels)}
    assert sorted(path.name for path in exported.folder.iterdir()) == sorted(FILES.values())


def axes_of(value: Any) -> tuple[Any, ...]:
    kind = value.type.tensor_type
    return kind.elem_type, *(axis.dim_param or axis.dim_value for axis in kind.shape.dim)


def test_every_layer_is_fused(exported: Exported) -> None:
    counts = {
        precision: Counter(node.op_type for node in exported.graph(precision).graph.node) for precision in PRECISIONS
    }
    for precision in ("fp32", "fp16"):
        assert counts[precision]["Attention"] == 2
        assert counts[precision]["SkipLayerNormalization"] == 4
        assert counts[precision]["BiasGelu"] == 2
        assert not counts[precision]["Softmax"]
    assert counts["int8"]["MultiHeadAttention"] == 2
    # Queries, keys and values are one product: 4 a layer.
    assert counts["int8"]["MatMulIntegerToFloat"] == 8
    assert not counts["int8"]["MatMul"]
    # One input of three products is quantized once.
    assert counts["int8"]["QuantizeLinear"] == 8
    assert counts["trt"]["Softmax"] == 2
    assert counts["trt"]["LayerNormalization"] == 5
    assert not counts["trt"]["Sqrt"]


def test_the_last_layer_works_for_the_first_token_alone(exported: Exported) -> None:
    """Of each precision: what follows the last attention gets `[batch, 1, hidden]`."""
    for precision in PRECISIONS:
        graph = exported.graph(precision).graph
        cut = [node.output[0] for node in graph.node if node.op_type == "Slice" and node.output[0].endswith(".first")]
        assert len(cut) == 2  # attention's output and the residual beside it
        last = [node for node in graph.node if node.op_type in ("Attention", "MultiHeadAttention", "Softmax")][-1]
        after = list(graph.node)[list(graph.node).index(last) :]
        assert any(cut[0] in node.input for node in after)
        assert any(cut[1] in node.input for node in after)


@pytest.mark.parametrize("precision", ["fp16", "trt"])
def test_half_precision_has_no_number_that_is_none(exported: Exported, precision: Precision) -> None:
    graph = exported.graph(precision).graph
    for tensor in graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        assert values.dtype != np.float32, tensor.name
        assert values.dtype != np.float16 or (np.isfinite(values).all() and values.min() >= MASKED)


def test_halves_are_half_and_int8_is_a_quarter(exported: Exported) -> None:
    """Small models have more graph than weights; the weights in them shrink."""
    sizes = {precision: weight_bytes(exported.graph(precision)) for precision in PRECISIONS}
    assert sizes["fp16"] == pytest.approx(sizes["fp32"] / 2, rel=0.02)
    assert sizes["trt"] == pytest.approx(sizes["fp32"] / 2, rel=0.02)
    assert sizes["int8"] < 0.7 * sizes["fp32"]  # the small tables of the embeddings stay fp32


def weight_bytes(model: Any) -> int:
    return sum(onnx.numpy_helper.to_array(tensor).nbytes for tensor in model.graph.initializer)


def test_what_precisions_share_is_done_once(exported: Exported) -> None:
    assert exported.steps == [
        "tracing the model",
        "folding constants",
        "fusing attention, norms and activations",
        "converting the weights to half precision",
        "quantizing the weights, with a scale for each channel",
        "converting the weights to half precision",
    ]


def test_the_same_checkpoint_gives_the_same_files(exported_roberta: Exported, roberta: Path, tmp_path: Path) -> None:
    again = export_all(roberta, tmp_path)
    for name in FILES.values():
        assert (again.folder / name).read_bytes() == (exported_roberta.folder / name).read_bytes()


def test_a_layer_that_is_not_fused_is_refused(
    distilbert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if a new transformers computed attention in another way: its "eager" one is such."""

    def other(checkpoint: Checkpoint) -> Any:
        kind = type(load_model(checkpoint))
        return kind.from_pretrained(checkpoint.folder, local_files_only=True, attn_implementation="eager").eval()

    load_model = Checkpoint.load_model
    monkeypatch.setattr(Checkpoint, "load_model", other)
    with load_checkpoint(str(distilbert), None) as checkpoint:
        with pytest.raises(ExportError, match="only 0 of 2 attention layers of small-distilbert"):
            export_variant(checkpoint, "fp32", tmp_path / "model.onnx", lambda _: None)
        assert not (tmp_path / "model.onnx").exists()
        export_variant(checkpoint, "trt", tmp_path / "model.trt.onnx", lambda _: None)  # which needs no fusion


EXPORT = """
import sys
from pathlib import Path
from export.checkpoint import load_checkpoint
from export.spec import FILES
from export.to_onnx import export_variant
with load_checkpoint(sys.argv[1], None) as checkpoint:
    for precision, name in FILES.items():
        export_variant(checkpoint, precision, Path(sys.argv[2], name), lambda line: None)
"""


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_libraries_keep_quiet(request: pytest.FixtureRequest, architecture: str, tmp_path: Path) -> None:
    """In a process of its own: most warnings come once."""
    source = str(request.getfixturevalue(architecture))
    command = [sys.executable, "-c", EXPORT, source, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False, env=dict(os.environ))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture(params=[(768, 40), (7, 3), (1, 1)], ids=str)
def weights(request: pytest.FixtureRequest) -> Logits:
    random = np.random.default_rng(5)
    drawn: Logits = random.standard_t(3, request.param).astype(np.float32)
    return drawn


def test_columns_are_rounded_to_their_own_scale(weights: Logits) -> None:
    quantized, scale = quantize_columns(weights)
    assert quantized.dtype == np.int8
    assert (np.abs(quantized * scale - weights) <= scale * 0.5001).all()
    assert (scale <= 2.001 * np.abs(weights).max(0) / 127).all()


def test_no_pair_of_weights_saturates_16_bits(weights: Logits) -> None:
    """x86 without VNNI multiplies two neighbours by up to 255 and adds them in 16 bits."""
    for extreme in (weights, np.abs(weights), np.sign(weights) * 3.0):
        quantized, _ = quantize_columns(extreme.astype(np.float32))
        rows, columns = quantized.shape
        pairs = np.concatenate([quantized, np.zeros((rows % 2, columns), np.int8)]).reshape(-1, 2, columns).astype(int)
        assert 255 * np.maximum(pairs, 0).sum(1).max() <= 32_767
        assert 255 * np.minimum(pairs, 0).sum(1).min() >= -32_768


def test_columns_and_rows_of_zeros_stay_zeros() -> None:
    for quantize in (quantize_columns, quantize_rows):
        quantized, scale = quantize(np.zeros((4, 6), np.float32))
        assert not quantized.any()
        assert np.isfinite(scale).all()


def test_rows_are_rounded_to_their_own_scale() -> None:
    table = np.random.default_rng(6).normal(size=(50, 16)).astype(np.float32) * np.logspace(-3, 3, 50)[:, None]
    quantized, scale = quantize_rows(table.astype(np.float32))
    assert scale.shape == (50, 1)
    assert (np.abs(quantized * scale - table) <= scale * 0.5001).all()
