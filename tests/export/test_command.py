"""One command from a folder to answers over gRPC; and what it refuses leaves the repository as it was."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tritonclient.grpc import InferenceServerClient

from export.checkpoint import load_checkpoint
from export.repository import Repository
from export.spec import Precision
from export.triton_config import render
from export.version_folder import check_files, facts_of
from tests.export.checkpoints import EMOTIONS, SENTENCES, SENTIMENT, make_distilbert, make_roberta
from tests.integration.triton_requests import infer
from tests.integration.triton_server import running_triton

ROOT = Path(__file__).parents[2]
LENGTH = 64
TOLERANCE = {"fp32": 1e-4, "fp16": 1e-2, "trt": 1e-2}


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """The real command."""
    command = [sys.executable, "-m", "export", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)


def torch_logits(checkpoint: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Of each sentence alone, without padding."""
    with load_checkpoint(str(checkpoint)) as loaded, torch.inference_mode():
        model, tokenizer = loaded.load_model(), Tokenizer.from_file(str(loaded.tokenizer))
        rows = [model(input_ids=torch.tensor([tokenizer.encode(text).ids])).logits[0].numpy() for text in SENTENCES]
    return np.stack(rows)


def ids_and_mask(tokenizer: Path) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]:
    """All sentences as clients send them: padded right with zeros."""
    ids = np.zeros((len(SENTENCES), LENGTH), np.int64)
    mask = np.zeros_like(ids)
    for row, text in enumerate(SENTENCES):
        tokens = Tokenizer.from_file(str(tokenizer)).encode(text).ids
        ids[row, : len(tokens)], mask[row, : len(tokens)] = tokens, 1
    return {"input_ids": ids, "attention_mask": mask}


def with_each_precision(folder: Path, repository: Path) -> dict[str, Precision]:
    """A model of its own for every precision of a version, so that one server serves them all at once."""
    manifest = check_files(folder)
    names: dict[str, Precision] = {}
    for precision in manifest.spec.precisions:
        name = f"of-{precision}"
        version = repository / name / str(manifest.spec.version)
        version.parent.mkdir(parents=True)
        version.symlink_to(folder)
        spec = type(manifest.spec)(**{**vars(manifest.spec), "name": name, "precisions": (precision,)})
        text = render(spec, "cpu", weights_sha256="")
        (repository / name / "config.pbtxt").write_text(text)
        names[name] = precision
    return names


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("make", "labels", "activation"),
    [
        pytest.param(make_distilbert, SENTIMENT, "softmax", id="DistilBERT"),
        pytest.param(make_roberta, EMOTIONS, "sigmoid", id="multi-label RoBERTa"),
    ],
)
def test_a_folder_becomes_answers_over_grpc_in_each_precision(
    make: Callable[[Path], Path], labels: tuple[str, ...], activation: str, tmp_path: Path
) -> None:
    checkpoint = make(tmp_path / "my-model")
    repository = Repository(tmp_path / "models")
    # Without int8: random weights decide too narrowly for its gate, 99 % of the labels.
    done = run("mine", "--model", str(checkpoint), "--repository", str(repository.folder), "--precisions", "fp32,fp16")
    assert done.returncode == 0, done.stderr
    assert "mine version 1 is published" in done.stdout
    spec = check_files(repository.version_folder("mine", 1)).spec
    assert (spec.labels, spec.activation, spec.source) == (labels, activation, "my-model")
    report = json.loads((repository.version_folder("mine", 1) / "report.json").read_text())
    assert report["passed"] is True
    # As it is published, by its own configuration, and then each of its files.
    (tmp_path / "work").mkdir()
    names = {"mine": spec.precision_for("cpu")} | with_each_precision(
        repository.version_folder("mine", 1), repository.folder
    )
    assert set(names.values()) == {"fp32", "fp16", "trt"}
    expected, sent = torch_logits(checkpoint), ids_and_mask(repository.version_folder("mine", 1) / "tokenizer.json")
    with (
        running_triton(tmp_path / "work", repository.folder) as running,
        InferenceServerClient(f"127.0.0.1:{running.grpc_port}") as client,
    ):
        for name, precision in names.items():
            answers = infer(client, name, sent).as_numpy("logits")
            np.testing.assert_allclose(answers, expected, atol=TOLERANCE[precision], rtol=0, err_msg=name)


def tree(folder: Path) -> dict[str, str]:
    """Every file's content and every link's target."""
    return {
        str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else facts_of(path).sha256
        for path in folder.rglob("*")
        if path.is_symlink() or (path.is_file() and path.suffix != ".lock")
    }


def truncate(checkpoint: Path) -> None:
    path = checkpoint / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1_000])


def another_label(checkpoint: Path) -> None:
    path = checkpoint / "config.json"
    config = json.loads(path.read_text())
    config["id2label"]["3"] = "mixed"
    config["label2id"]["mixed"] = 3
    path.write_text(json.dumps(config))


def text_instead_of_weights(checkpoint: Path) -> None:
    with (checkpoint / "model.safetensors").open("wb") as file:
        file.write(b"These are no weights. " * 1_000)
        file.truncate(2 * 2**30)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (truncate, "model.safetensors"),
        (another_label, "label"),
        (lambda checkpoint: (checkpoint / "tokenizer.json").unlink(), "tokenizer"),
        (text_instead_of_weights, "model.safetensors"),
        (shutil.rmtree, "damaged"),
    ],
    ids=["truncated weights", "wrong label count", "no tokenizer", "2 GB of text", "no folder"],
)
def test_a_broken_checkpoint_is_refused_in_a_sentence_and_changes_nothing(
    damage: Callable[[Path], None], told: str, distilbert: Path, tmp_path: Path
) -> None:
    repository = tmp_path / "models"
    place = ("--repository", str(repository), "--precisions", "fp32", "--without-triton")
    assert run("sentiment", "--model", str(distilbert), *place).returncode == 0
    before = tree(tmp_path)
    checkpoint = tmp_path / "damaged"
    shutil.copytree(distilbert, checkpoint)
    damage(checkpoint)
    refused = run("sentiment", "--model", str(checkpoint), *place)
    shutil.rmtree(checkpoint, ignore_errors=True)
    assert refused.returncode == 1
    last = refused.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert told in last
    assert "Traceback" not in refused.stderr
    assert tree(tmp_path) == before


def test_what_the_user_named_wrongly_is_told_before_the_work(distilbert: Path, tmp_path: Path) -> None:
    labelled = tmp_path / "labelled.tsv"
    labelled.write_text("a fine day\tecstatic\n")
    refused = run(
        "sentiment", "--model", str(distilbert), "--repository", str(tmp_path / "models"), "--data", str(labelled)
    )
    assert refused.returncode == 1
    assert "ecstatic" in refused.stderr
    assert "exporting" not in refused.stderr
    assert Repository(tmp_path / "models").names() == []
