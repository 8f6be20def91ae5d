"""Reports: read back as they were written, and readable."""

import json
import socket
from pathlib import Path

from export.evidence.machine import environment
from export.report import Gate, Report

PASSED = Gate("files", True, "7 files", {"files": 7})
FAILED = Gate("parity", False, "fp32: logits within 2.0e-01 | too much", {"worst": 0.2, "by": {"16": [1, 2]}})
UNCHECKED = Gate("speed", None, "no version is in service")
SPEED = Gate(
    "speed",
    True,
    "twice as fast",
    {"lengths": [{"tokens": 16, "share": 0.25, "candidate": 1234.56, "in_service": 617.2}]},
)


def report(*gates: Gate) -> Report:
    return Report("sentiment", 3, "acme/model", "0123abcd", "2026-01-31T12:00:00+00:00", {"CPU": "any"}, gates)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    written = report(PASSED, FAILED, UNCHECKED)
    written.write(tmp_path)
    assert Report.from_json((tmp_path / "report.json").read_text()) == written
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.json", "report.md"]
    assert json.loads((tmp_path / "report.json").read_text())["passed"] is False


def test_figures_that_are_no_numbers_are_json_all_the_same() -> None:
    text = report(Gate("parity", False, "", {"worst": [float("nan"), float("inf")]})).to_json()
    assert json.loads(text, parse_constant=lambda name: 1 / 0)["gates"][0]["figures"]["worst"] == ["nan", "inf"]


def test_the_verdict_comes_first_and_names_what_failed() -> None:
    text = report(PASSED, FAILED, UNCHECKED).to_markdown()
    assert text.startswith("# Verification of sentiment version 3\n\n**FAILED: parity**\n")
    assert "| parity | FAILED | fp32: logits within 2.0e-01 \\| too much |" in text
    assert "| speed | not checked | no version is in service |" in text
    assert report(PASSED, UNCHECKED).verdict == "Passed; not checked: speed"
    assert report(PASSED).verdict == "Passed"


def test_what_was_not_checked_forbids_nothing() -> None:
    assert report(PASSED, UNCHECKED).passed
    assert not report(PASSED, FAILED).passed
    assert report(PASSED, FAILED).failures() == "parity: fp32: logits within 2.0e-01 | too much"


def test_speeds_have_a_table() -> None:
    assert "| 16 | 25.0% | 1234.6 | 617.2 |" in report(SPEED).to_markdown()
    assert "rows/s" not in report(PASSED).to_markdown()


def test_the_environment_names_the_processor_and_nobody() -> None:
    found = environment()
    assert int(found["physical cores"]) >= 1
    assert found["CPU"]
    assert found["onnxruntime"]
    told = " ".join(found.values())
    assert socket.gethostname() not in told
    assert str(Path.home()) not in told
    assert str(Path.cwd()) not in told
