"""The whole verification as far as no server is needed, and what stops it before it begins."""

import statistics
from pathlib import Path

import pytest

from export.errors import ExportError
from export.evidence.private_triton import place, reason, require_environment
from export.evidence.sample_posts import read_posts
from export.gates.candidate import Candidate
from export.gates.findings import plain
from export.gates.speed_posts import Mix
from export.gates.speed_rounds import Rounds
from export.verify import VerifyOptions, verify, verify_against
from export.version_folder import MANIFEST, TOKENIZER
from tests.version_folders import Original, make_version

NO_SERVER = VerifyOptions(without_triton=True)


def test_every_gate_is_announced_and_reported(tmp_path: Path) -> None:
    folder = make_version(tmp_path)
    said: list[str] = []
    reference = Original(Candidate.read(folder, read_posts()))
    report = verify_against(folder, reference=reference, in_service=None, options=NO_SERVER, progress=said.append)
    assert len(said) == len(report.gates)
    assert {gate.name: gate.passed for gate in report.gates} == {
        "files": True,
        "parity": True,
        "batch independence": True,
        "accuracy": None,
        "load": None,
        "speed": None,
    }
    assert report.passed
    assert (report.model, report.version, report.source) == ("tiny", 1, "made-for-a-test")


def test_a_published_version_can_be_verified_without_its_checkpoint(tmp_path: Path) -> None:
    folder = make_version(tmp_path)
    report = verify(folder, checkpoint=None, in_service=folder, options=NO_SERVER, progress=lambda _: None)
    assert next(gate for gate in report.gates if gate.name == "parity").passed is None
    assert report.passed


def test_a_gate_that_cannot_be_tried_has_failed(tmp_path: Path) -> None:
    folder = make_version(tmp_path)
    (folder / TOKENIZER).write_text("{}")
    report = verify(folder, checkpoint=None, in_service=None, options=NO_SERVER, progress=lambda _: None)
    failed = {gate.name: gate.summary for gate in report.gates if gate.passed is False}
    assert set(failed) == {"files", "batch independence"}
    assert all("\n" not in summary and summary for summary in failed.values())


def test_a_damaged_version_in_service_forbids_no_better_one(tmp_path: Path) -> None:
    folder, other = make_version(tmp_path), make_version(tmp_path, version=2)
    (other / MANIFEST).unlink()
    assert verify(folder, checkpoint=None, in_service=other, options=NO_SERVER, progress=lambda _: None).passed


def test_what_the_user_got_wrong_stops_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_version(tmp_path)
    (tmp_path / "labelled.tsv").write_text("text\tunheard-of\n")
    said: list[str] = []

    def run(options: VerifyOptions) -> None:
        verify(folder, checkpoint=None, in_service=None, options=options, progress=said.append)

    with pytest.raises(ExportError, match="line 1: the model has no label"):
        run(VerifyOptions(labelled=tmp_path / "labelled.tsv", without_triton=True))
    with pytest.raises(ExportError, match=r"missing\.txt cannot be read"):
        run(VerifyOptions(texts=tmp_path / "missing.txt", without_triton=True))
    monkeypatch.setenv("LOCAL_DIR", str(tmp_path / "nothing"))
    with pytest.raises(ExportError, match=r"python -m services\.local\.triton_env"):
        run(VerifyOptions())
    (folder / MANIFEST).unlink()
    with pytest.raises(ExportError, match="not a whole version"):
        run(NO_SERVER)
    assert said == []


def test_an_installed_triton_is_found(tmp_path: Path) -> None:
    (tmp_path / "lib" / "python3.12" / "site-packages" / "pytriton").mkdir(parents=True)
    require_environment(tmp_path)
    with pytest.raises(ExportError, match="--without-triton"):
        require_environment(tmp_path / "lib")


def test_of_a_servers_log_the_reason_is_kept() -> None:
    assert reason("warning: old\nerror: model x: no such file\n  I1123 details\n") == "model x: no such file"
    assert reason("Traceback:\n  File …\nKeyError: 'x'\n") == "KeyError: 'x'"
    assert reason("") == ""


def test_errors_are_told_without_folders_of_this_machine() -> None:
    error = ValueError("Load model from /tmp/a-b/models/1/model.onnx failed: bad.\nsecond line")
    assert plain(ValueError("")) == "ValueError"
    assert plain(error) == "Load model from model.onnx failed: bad"
    assert plain(ValueError("'/srv/x/model.onnx': no (see https://onnx.ai/a/b)")) == (
        "'model.onnx': no (see https://onnx.ai/a/b)"
    )


def test_a_model_lies_in_a_private_repository_as_in_a_public_one(tmp_path: Path) -> None:
    folder = make_version(tmp_path / "versions", version=3)
    place(tmp_path / "repository", "alone", folder, 'name: "alone"')
    model = tmp_path / "repository" / "alone"
    assert (model / "config.pbtxt").read_text() == 'name: "alone"'
    assert (model / "3" / "model.onnx").read_bytes() == (folder / "model.onnx").read_bytes()


def test_speed_is_the_weighted_median_and_survives_pauses() -> None:
    """Ten posts of each length; a pause of half a second in a third of the measurements of one side."""
    mix = Mix({16: ["x"] * 10, 32: ["x"] * 10}, {16: 0.75, 32: 0.25})
    quick = [{16: [0.1, 0.1, 0.6], 32: [0.2, 0.7, 0.2]} for _ in range(4)]
    slow = [{16: [0.2, 0.2, 0.2], 32: [0.4, 0.4, 0.4]} for _ in range(4)]
    rounds = Rounds(list(quick), list(slow))
    assert rounds.ratio(mix) == pytest.approx(2)
    assert rounds.quartiles(mix) == pytest.approx((2, 2))
    assert mix.seconds_a_post(quick[0]) == pytest.approx(0.75 * 0.01 + 0.25 * 0.02)
    assert statistics.median(quick[0][16]) == 0.1
