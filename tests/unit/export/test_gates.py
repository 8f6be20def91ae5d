"""Gates that need no server: a good version passes each of them, and each damage fails at its own gate."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnxruntime.quantization import quantize_dynamic

from export.evidence.labelled import Example
from export.evidence.sample_posts import many, read_posts
from export.gates.accuracy import check_accuracy
from export.gates.candidate import Candidate
from export.gates.files import check_files
from export.gates.independence import check_independence
from export.gates.parity import check_parity
from export.gates.speed_posts import ordinary_posts, requests_of
from export.report import Gate
from export.spec import FILES, Precision
from export.version_folder import LABELS, MANIFEST, TOKENIZER, write_version
from tests.integration.triton_models import model
from tests.version_folders import Original, classifier, make_version


def read(folder: Path) -> Candidate:
    return Candidate.read(folder, read_posts())


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    return read(make_version(tmp_path_factory.mktemp("good")))


def changed(graph: onnx.GraphProto, name: str, change: Callable[[np.ndarray], np.ndarray]) -> bytes:
    """The graph with one of its weights changed."""
    weight = next(each for each in graph.initializer if each.name == name)
    weight.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(weight)), name))
    return model(graph)


def problems(gate: Gate) -> list[str]:
    assert gate.passed is False
    found: list[str] = gate.figures["problems"]
    return found


# --- files ---


def test_a_whole_version_has_no_problems(good: Candidate) -> None:
    gate = check_files(good)
    assert gate.passed
    assert "each with the size and SHA-256" in gate.summary


def test_a_cut_off_model_is_told(tmp_path: Path) -> None:
    folder = make_version(tmp_path)
    path = folder / FILES["fp32"]
    path.write_bytes(path.read_bytes()[:-1])
    assert "bytes, the manifest says" in problems(check_files(read(folder)))[0]


def test_another_byte_is_told(tmp_path: Path) -> None:
    folder = make_version(tmp_path)
    content = bytearray((folder / FILES["fp32"]).read_bytes())
    content[-1] ^= 1
    (folder / FILES["fp32"]).write_bytes(content)
    assert problems(check_files(read(folder))) == ["model.onnx has another SHA-256 than the manifest says"]


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    folder = make_version(tmp_path)
    (folder / FILES["fp32"]).unlink()
    assert problems(check_files(read(folder))) == ["model.onnx cannot be read (No such file or directory)"]


def test_other_labels_are_told(tmp_path: Path) -> None:
    folder = make_version(tmp_path)
    (folder / LABELS).write_text("positive\nneutral\nnegative\n")
    assert any("the spec says negative, neutral, positive" in each for each in problems(check_files(read(folder))))


def test_a_tokenizer_that_is_none_is_told(tmp_path: Path) -> None:
    folder = make_version(tmp_path)
    (folder / TOKENIZER).write_text("{}")
    spec = replace(read(folder).spec, tokenizer_sha256=hashlib.sha256(b"{}").hexdigest())
    write_version(folder, spec)
    assert any("tokenizer.json cannot be used" in each for each in problems(check_files(read(folder))))


@pytest.mark.parametrize(
    ("target", "before", "after", "says"),
    [
        ("cpu", "dims: [ 3 ]", "dims: [ 4 ]", "3 labels need one of that size"),
        (
            "cpu",
            'filename: "model.onnx"',
            'filename: "model.int8.onnx"',
            "serves model.int8.onnx instead of model.onnx",
        ),
        ("cpu", "KIND_CPU", "KIND_GPU", "is not for cpu"),
        ("cpu", "versions: [ 1 ]", "versions: [ 2 ]", "does not serve exactly version 1"),
        ("gpu", "negative,neutral", "neutral,negative", "describes another version"),
        ("gpu", 'key: "labels"', 'key: "names"', "lacks the parameter"),
        ("gpu", "KIND_GPU", "KIND", "is no Triton model configuration"),
        ("gpu-ort", "padded_lengths", "padding", "is not for gpu-ort"),
        ("gpu-trt", "gpu_execution_accelerator", "cpu_execution_accelerator", "is not for gpu-trt"),
        ("gpu-trt", "input_ids:1x16,", "", "has no TensorRT profile for 16 tokens"),
        ("gpu-trt", "tiny_1_", "tiny_", "its engines"),
    ],
)
def test_a_configuration_that_does_not_fit_is_told(
    tmp_path: Path, target: str, before: str, after: str, says: str
) -> None:
    folder = make_version(tmp_path)
    path = folder / "configs" / f"{target}.pbtxt"
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))
    found = problems(check_files(read(folder)))
    assert any(says in each and f"configs/{target}.pbtxt" in each for each in found), found


def test_a_missing_configuration_is_told(tmp_path: Path) -> None:
    folder = make_version(tmp_path)
    (folder / "configs" / "gpu.pbtxt").unlink()
    assert problems(check_files(read(folder))) == ["configs/gpu.pbtxt cannot be read"]


def test_a_manifest_that_lacks_a_file_is_told(tmp_path: Path) -> None:
    folder = make_version(tmp_path)
    manifest = read(folder).manifest
    del manifest.files["labels.txt"]  # type: ignore[attr-defined] # a dict, as it is read
    (folder / MANIFEST).write_text(manifest.to_json())
    assert problems(check_files(read(folder))) == ["the manifest lacks labels.txt"]


# --- parity ---


def test_the_same_model_has_parity(good: Candidate) -> None:
    gate = check_parity(good, Original(good))
    assert gate.passed
    assert gate.figures["precisions"]["fp32"]["same_top_label"] == gate.figures["precisions"]["fp32"]["texts"]


def test_without_a_checkpoint_there_is_nothing_to_compare_with(good: Candidate) -> None:
    assert check_parity(good, None).passed is None


def test_a_weight_that_is_slightly_off_is_found_where_it_matters(tmp_path: Path, good: Candidate) -> None:
    """Half a hundredth of one weight: too much in single precision, rounding in half precision."""

    def nudge(weight: np.ndarray) -> np.ndarray:
        weight = weight.copy()
        weight[0, 0] *= 1.005
        return weight

    files: dict[Precision, bytes] = dict.fromkeys(("fp32", "fp16"), changed(classifier(), "projection", nudge))
    gate = check_parity(read(make_version(tmp_path, files)), Original(good))
    assert {name: each["passed"] for name, each in gate.figures["precisions"].items()} == {"fp32": False, "fp16": True}
    assert gate.passed is False


def test_int8_is_judged_by_its_labels(tmp_path: Path, good: Candidate) -> None:
    graphs = {
        "good": changed(classifier(), "projection", lambda weight: weight * 1.05),
        "bad": changed(classifier(), "projection", lambda weight: weight + np.array([0.4, 0, 0])),
    }
    gates = {
        name: check_parity(read(make_version(tmp_path / name, {"int8": content})), Original(good))
        for name, content in graphs.items()
    }
    assert gates["good"].passed, gates["good"].summary
    assert gates["bad"].passed is False, gates["bad"].summary


def test_a_label_that_nobody_chooses_must_be_a_number_all_the_same(tmp_path: Path) -> None:
    original = read(make_version(tmp_path / "original", {"fp32": model(classifier(bias=-1e3))}))
    candidate = read(make_version(tmp_path / "int8", {"int8": model(classifier(bias=-np.inf))}))
    gate = check_parity(candidate, Original(original))
    figures = gate.figures["precisions"]["int8"]
    assert figures["same_top_label"] == figures["texts"]
    assert gate.passed is False


def test_of_many_labels_each_decision_and_the_likeliest_must_agree(tmp_path: Path) -> None:
    """The last label of 20 is chosen for every text, and the likeliest."""
    labels = tuple(f"label {number}" for number in range(20))

    def version(name: str, bias: float, seed: int = 1) -> Candidate:
        # Small logits: probabilities that can be told from 1.
        content = changed(
            classifier(labels=20, bias=bias, seed=seed), "projection", lambda weight: weight * np.float32(0.05)
        )
        return read(make_version(tmp_path / name, {"int8": content}, labels=labels, activation="sigmoid"))

    original = Original(version("original", 3.0), "int8")
    assert check_parity(version("same", 3.01), original).passed
    # Every decision is as before, but another label is the likeliest.
    lower = check_parity(version("lower", 0.8), original)
    found = lower.figures["precisions"]["int8"]
    assert found["decisions"] == 20 * found["texts"]
    assert found["same_decisions"] > 0.99 * found["decisions"]
    assert lower.passed is False
    # The likeliest label is as before, but the others are chosen for other texts.
    other = check_parity(version("other", 3.0, seed=2), original)
    found = other.figures["precisions"]["int8"]
    assert found["same_top_label"] > 0.99 * found["texts"]
    assert other.passed is False


def test_what_is_no_number_never_passes(tmp_path: Path, good: Candidate) -> None:
    content = changed(classifier(), "projection", lambda weight: weight * np.float32("nan"))
    files: dict[Precision, bytes] = dict.fromkeys(("fp32", "int8"), content)
    gate = check_parity(read(make_version(tmp_path, files)), Original(good))
    assert [each["passed"] for each in gate.figures["precisions"].values()] == [False, False]


def test_padding_that_leaks_is_found(tmp_path: Path, good: Candidate) -> None:
    """The mean over all positions instead of those of the text: equal as long as nothing is padded."""
    candidate = read(make_version(tmp_path, {"fp32": model(classifier(leaks=True))}))
    assert check_parity(candidate, Original(good)).passed is False
    assert check_independence(candidate).passed is False


def test_more_logits_than_labels_are_found(tmp_path: Path, good: Candidate) -> None:
    candidate = read(make_version(tmp_path, {"fp32": model(classifier(labels=4))}))
    gate = check_parity(candidate, Original(good))
    assert gate.passed is False
    assert "4 logits a row, but 3 labels" in gate.summary


def test_a_file_that_does_not_load_fails_alone_and_in_one_sentence(tmp_path: Path, good: Candidate) -> None:
    whole = model(classifier())
    candidate = read(make_version(tmp_path, {"fp32": whole, "int8": whole[:2000]}))
    gate = check_parity(candidate, Original(good))
    found = gate.figures["precisions"]
    assert (gate.passed, found["fp32"]["passed"], found["int8"]["passed"]) == (False, True, False)
    assert "model.int8.onnx" in found["int8"]["summary"]
    assert str(tmp_path) not in gate.summary
    assert "\n" not in gate.summary


# --- batch independence ---


def test_a_mean_over_the_text_is_independent(good: Candidate) -> None:
    gate = check_independence(good)
    assert gate.passed
    assert set(gate.figures["precisions"]["fp32"]["differences"]) == {
        "in batches of 2",
        "in batches of 8",
        "in batches of 32",
        "padded to 16 tokens",
        "padded to 32 tokens",
        "padded to 64 tokens",
    }


def test_one_scale_for_the_whole_batch_is_found(tmp_path: Path) -> None:
    """ONNX Runtime's own dynamic quantization: one loud text makes all the others coarse."""
    whole = tmp_path / "whole.onnx"
    whole.write_bytes(model(classifier(loud=20)))
    quantize_dynamic(whole, tmp_path / "int8.onnx")
    files: dict[Precision, bytes] = {
        "fp32": whole.read_bytes(),
        "int8": (tmp_path / "int8.onnx").read_bytes(),
    }
    gate = check_independence(read(make_version(tmp_path / "versions", files)))
    found = gate.figures["precisions"]
    assert (found["fp32"]["passed"], found["int8"]["passed"]) == (True, False)
    assert "in batches of" in found["int8"]["summary"]


# --- accuracy ---


@pytest.fixture(scope="module")
def labelled(good: Candidate) -> list[Example]:
    """What the good version itself answers."""
    texts = many(read_posts(), 200)
    answers = good.open("fp32").batched(good.encoder.encode(texts)).argmax(axis=1)
    return [Example(text, (int(label),)) for text, label in zip(texts, answers, strict=True)]


def test_a_version_as_good_as_the_others_passes(good: Candidate, labelled: list[Example]) -> None:
    gate = check_accuracy(good, labelled, Original(good), good, 0.0)
    assert gate.passed
    assert gate.figures["compared_with"]["PyTorch"]["accuracy"] == 1
    assert gate.figures["compared_with"]["in service"]["macro_f1"] == 1


def test_a_worse_version_fails_against_both(tmp_path: Path, good: Candidate, labelled: list[Example]) -> None:
    worse = read(make_version(tmp_path, {"fp32": model(classifier(seed=2))}))
    gate = check_accuracy(worse, labelled, Original(good), good, 1.0)
    assert gate.passed is False
    assert "points below PyTorch" in gate.summary
    assert "points below in service" in gate.summary
    alone = check_accuracy(worse, labelled, None, None, 1.0)
    assert alone.passed


def test_the_loss_that_is_allowed_is_the_users(tmp_path: Path, good: Candidate, labelled: list[Example]) -> None:
    worse = read(make_version(tmp_path, {"fp32": model(classifier(seed=2))}))
    assert check_accuracy(worse, labelled, None, good, 100.0).passed


def test_labels_in_another_order_are_the_same_labels(tmp_path: Path, good: Candidate, labelled: list[Example]) -> None:
    reverse = changed(classifier(), "projection", lambda weight: np.ascontiguousarray(weight[:, ::-1]))
    other = read(make_version(tmp_path, {"fp32": reverse}, labels=("positive", "neutral", "negative")))
    assert check_accuracy(good, labelled, None, other, 0.0).figures["compared_with"]["in service"]["accuracy"] == 1


def test_other_labels_are_not_compared(tmp_path: Path, good: Candidate, labelled: list[Example]) -> None:
    other = read(make_version(tmp_path, labels=("a", "b", "c")))
    gate = check_accuracy(good, labelled, None, other, 0.0)
    assert gate.passed
    assert "has other labels" in gate.summary
    assert gate.figures["compared_with"] == {}


def test_without_labelled_texts_there_is_no_accuracy(good: Candidate) -> None:
    assert check_accuracy(good, [], None, None, 1.0).passed is None


# --- speed, what is sent ---


def test_the_posts_of_a_measurement_stand_for_all(good: Candidate) -> None:
    mix = ordinary_posts(good)
    assert sum(mix.shares.values()) == pytest.approx(1)
    assert list(mix.texts) == list(good.spec.lengths)
    # The same number of rows is sent, whatever the tokenizer makes of them.
    for length, requests in requests_of(good, mix).items():
        assert sum(request[0].shape()[0] for request in requests) == len(mix.texts[length])
