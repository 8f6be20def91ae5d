"""A starter model of the repository is a checkpoint again: the same answers, to be exported for a GPU."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from export.checkpoint import load_checkpoint
from export.errors import ExportError
from export.spec import FILES
from export.starter.restore import restore
from export.to_onnx import export_variant

STARTER = Path(__file__).parents[2] / "model_repository"


def logits(file: Path, ids: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> np.ndarray[tuple[int, ...], np.dtype]:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["logits"], {"input_ids": ids, "attention_mask": (ids != 0).astype(np.int64)})[0])


@pytest.mark.parametrize("name", ["sentiment", "emotion"])
def test_a_restored_model_answers_as_its_file_and_can_be_exported_for_a_gpu(name: str, tmp_path: Path) -> None:
    restore(STARTER / name / "1", tmp_path / name)
    ids = np.random.default_rng(1).integers(5, 15_000, (6, 24))
    ids[2, 9:] = ids[5, 20:] = 0
    expected = logits(STARTER / name / "1" / FILES["fp32"], ids)
    with load_checkpoint(str(tmp_path / name)) as checkpoint:
        with torch.inference_mode():
            found = checkpoint.load_model()(torch.from_numpy(ids), torch.from_numpy((ids != 0).astype(np.int64))).logits
        assert np.abs(found.numpy() - expected).max() < 1e-4
        # It has one fused attention a layer, or this raises.
        export_variant(checkpoint, "fp16", tmp_path / "model.fp16.onnx", lambda _: None)
    half = logits(tmp_path / "model.fp16.onnx", ids)
    assert np.abs(half - expected).max() < 2e-2
    assert (half.argmax(axis=1) == expected.argmax(axis=1)).all()


def test_what_is_no_starter_model_is_not_restored(tmp_path: Path) -> None:
    shutil.copytree(STARTER / "sentiment" / "1", tmp_path / "1")
    manifest = tmp_path / "1" / "version.json"
    content = json.loads(manifest.read_text())
    content["spec"]["source"] = "distilbert-base-uncased-finetuned-sst-2-english"
    manifest.write_text(json.dumps(content))
    with pytest.raises(ExportError, match="sentiment version 1 is no starter model but distilbert-base"):
        restore(tmp_path / "1", tmp_path / "out")
    assert not (tmp_path / "out").exists()
