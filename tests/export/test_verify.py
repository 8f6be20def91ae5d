"""Verification against PyTorch itself, of real architectures with random weights."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from export.build import Order, describe
from export.checkpoint import Checkpoint, load_checkpoint
from export.evidence.sample_posts import read_posts
from export.evidence.torch_reference import TorchReference
from export.gates.candidate import Candidate
from export.report import Gate, Report
from export.spec import FILES, Precision
from export.to_onnx import export_variant
from export.verify import VerifyOptions, verify

PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "trt")
NO_SERVER = VerifyOptions(without_triton=True)
WEIGHTS = "model.safetensors"


@contextmanager
def exported(
    source: Path, root: Path, precisions: tuple[Precision, ...] = PRECISIONS
) -> Iterator[tuple[Checkpoint, Path]]:
    """(the checkpoint, the folder of the version made from it)."""
    with load_checkpoint(str(source), None) as checkpoint:
        folder = root / "1"
        folder.mkdir(parents=True)
        for precision in precisions:
            export_variant(checkpoint, precision, folder / FILES[precision], lambda _: None)
        describe(checkpoint, Order("tiny", str(source), None, None, precisions), folder)
        yield checkpoint, folder


def gates(report: Report) -> dict[str, Gate]:
    return {gate.name: gate for gate in report.gates}


@pytest.mark.parametrize("architecture", ["distilbert", "roberta"])
def test_an_export_passes(architecture: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with exported(request.getfixturevalue(architecture), tmp_path) as (checkpoint, folder):
        report = verify(folder, checkpoint=checkpoint, in_service=None, options=NO_SERVER, progress=lambda _: None)
    found = gates(report)
    assert report.passed, report.failures()
    assert found["parity"].passed
    assert found["batch independence"].passed
    assert list(found["parity"].figures["precisions"]) == list(PRECISIONS)
    # Every bucket of the version was compared.
    lengths = found["parity"].figures["precisions"]["fp32"]["max_difference_by_length"]
    assert list(map(int, lengths)) == list(Candidate.read(folder, read_posts()).spec.lengths)


def test_a_checkpoint_with_another_weight_is_found(distilbert: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(distilbert, other)
    weights = load_file(other / WEIGHTS)
    weights["distilbert.transformer.layer.1.attention.q_lin.bias"] += 0.01
    save_file(weights, other / WEIGHTS, metadata={"format": "pt"})
    with (
        exported(distilbert, tmp_path / "tiny", ("fp32",)) as (_, folder),
        load_checkpoint(str(other), None) as changed,
    ):
        report = verify(folder, checkpoint=changed, in_service=None, options=NO_SERVER, progress=lambda _: None)
    assert [name for name, gate in gates(report).items() if gate.passed is False] == ["parity"]


def test_it_is_served_from_this_environment_too(distilbert: Path, tmp_path: Path) -> None:
    """The private Triton is started with the Python that exports, which has torch and none of the services' extras."""
    with exported(distilbert, tmp_path, ("fp32",)) as (checkpoint, folder):
        report = verify(
            folder, checkpoint=checkpoint, in_service=None, options=VerifyOptions(), progress=lambda _: None
        )
    assert gates(report)["load"].passed, gates(report)["load"].summary


def test_the_reference_is_each_text_alone(roberta: Path) -> None:
    rows = [[0, 7, 8, 2], [0, 2], [0, 9, 10, 2], [0, *range(20, 80), 2]]
    with load_checkpoint(str(roberta), None) as checkpoint:
        threads = torch.get_num_threads()
        found = TorchReference(checkpoint).logits(rows)
        assert torch.get_num_threads() == threads
        model = checkpoint.load_model()
    with torch.inference_mode():
        alone = [model(input_ids=torch.tensor([row])).logits.numpy()[0] for row in rows]
    assert found.shape == (4, len(checkpoint.labels))
    assert np.abs(found - np.stack(alone)).max() < 1e-5
