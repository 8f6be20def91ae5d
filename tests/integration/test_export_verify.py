"""Verification with a real Triton: what loads and answers here, and which version is quicker."""

from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from tritonclient.grpc import InferenceServerClient

from export.evidence import encoding
from export.evidence.onnx_direct import Direct
from export.evidence.private_triton import LoadFailed, place, private_triton
from export.evidence.sample_posts import many, read_posts
from export.gates.candidate import Candidate
from export.gates.load import check_load
from export.gates.speed import SpeedOptions, check_speed
from export.report import Gate
from export.spec import Precision
from export.verify import VerifyOptions, verify_against
from export.version_folder import LABELS, TOKENIZER
from services.inference.tokenizer import PostTokenizer
from tests.integration.triton_models import model
from tests.integration.triton_server import environment
from tests.version_folders import LENGTHS, Original, classifier, make_version

# A request takes ten times as long: no noise makes it the quicker one.
SLOW = 4
SHORTLY = SpeedOptions(seconds=0.5)


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    environment()


def read(folder: Path) -> Candidate:
    return Candidate.read(folder, read_posts())


def the_only_model(gate: Gate) -> str:
    return str(gate.figures["precisions"]["fp32"]["summary"])


def test_texts_are_encoded_as_by_the_services(tmp_path: Path) -> None:
    folder = make_version(tmp_path)
    texts = many(read_posts(), 300)
    services = PostTokenizer((folder / TOKENIZER).read_bytes(), LENGTHS[-1])
    assert encoding.Encoder(folder / TOKENIZER, LENGTHS[-1]).encode(texts) == services.encode(texts)


def test_a_good_version_passes_every_gate(tmp_path: Path) -> None:
    good = {"fp32": model(classifier()), "int8": model(classifier())}
    folder = make_version(tmp_path, good)  # type: ignore[arg-type] # the keys are precisions
    other = make_version(tmp_path, {"fp32": model(classifier(products=SLOW))}, version=2)
    (tmp_path / "labelled.tsv").write_text("I love it\tpositive\n")
    report = verify_against(
        folder,
        reference=Original(read(folder)),
        in_service=other,
        options=VerifyOptions(labelled=tmp_path / "labelled.tsv", speed=SHORTLY),
        progress=lambda _: None,
    )
    assert [(gate.name, gate.passed) for gate in report.gates if not gate.passed] == []
    assert len(report.gates) == 6
    assert report.verdict == "Passed"
    assert str(tmp_path) not in report.to_json() + report.to_markdown()


def test_every_file_is_loaded_and_answers_as_when_called_directly(tmp_path: Path) -> None:
    files = {"fp32": model(classifier()), "int8": model(classifier(seed=2))}
    gate = check_load(read(make_version(tmp_path, files)), without_triton=False)  # type: ignore[arg-type] # precisions
    assert gate.passed, gate.summary
    assert {name: each["target"] for name, each in gate.figures["precisions"].items()} == {"fp32": "cpu", "int8": "cpu"}


def test_answers_that_differ_are_found(tmp_path: Path) -> None:
    """What is called directly is another file than Triton serves; a weight differs by a thousandth."""
    other = read(make_version(tmp_path / "other", {"fp32": model(classifier(bias=0.001))}))

    class Confused(Candidate):
        def open(self, precision: Precision) -> Direct:
            return other.open(precision)

    gate = check_load(Confused.read(make_version(tmp_path / "served"), read_posts()), without_triton=False)
    assert gate.passed is False
    assert gate.figures["precisions"]["fp32"]["max_relative_difference"] > 1e-5


def test_what_only_triton_refuses_is_refused_with_its_reason(tmp_path: Path) -> None:
    """NVIDIA's native backend reads files of IR version 10 at most; ONNX Runtime from the wheel reads newer ones."""
    candidate = read(make_version(tmp_path, {"fp32": model(classifier(), ir_version=11)}))
    candidate.open("fp32")
    gate = check_load(candidate, without_triton=False)
    assert gate.passed is False
    assert "IR version" in the_only_model(gate)
    assert str(tmp_path) not in gate.summary


def test_names_of_labels_come_from_the_file(tmp_path: Path) -> None:
    folder = make_version(tmp_path)
    (folder / LABELS).write_text("a\nb\nc\n")
    gate = check_load(read(folder), without_triton=False)
    assert gate.passed is False
    assert "Triton calls the likeliest label" in the_only_model(gate)


def test_a_cut_off_file_does_not_load(tmp_path: Path) -> None:
    folder = make_version(tmp_path)
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes()[:5_000])
    gate = check_load(read(folder), without_triton=False)
    assert gate.passed is False
    assert "model.onnx" in the_only_model(gate)


def test_a_slower_version_fails_unless_that_is_allowed(tmp_path: Path) -> None:
    slow = read(make_version(tmp_path, {"fp32": model(classifier(products=SLOW))}))
    quick = read(make_version(tmp_path, version=2))
    gate = check_speed(slow, quick, SHORTLY, without_triton=False)
    assert gate.passed is False, gate.summary
    assert gate.figures["ratio"] < 0.9
    assert [row["tokens"] for row in gate.figures["lengths"]] == list(LENGTHS)
    allowed = check_speed(slow, quick, replace(SHORTLY, allow_slower=True), without_triton=False)
    assert allowed.passed
    assert "slower, allowed" in allowed.summary


def test_the_server_ends_with_the_block_and_tells_why_it_did_not_start(tmp_path: Path) -> None:
    folder = make_version(tmp_path)
    place(tmp_path / "good", "tiny", folder, (folder / "configs" / "cpu.pbtxt").read_text())
    before = set(psutil.Process().children(recursive=True))
    with private_triton(tmp_path / "good") as triton, InferenceServerClient(triton.url) as client:
        assert client.is_model_ready("tiny")
        started = set(psutil.Process().children(recursive=True)) - before
        assert started
    assert not psutil.wait_procs(started, timeout=20)[1]
    text = (folder / "configs" / "cpu.pbtxt").read_text().replace("dims: [ 3 ]", "dims: [ 4 ]")
    place(tmp_path / "bad", "tiny", folder, text)
    with pytest.raises(LoadFailed, match="the model's shape"), private_triton(tmp_path / "bad"):
        pass
