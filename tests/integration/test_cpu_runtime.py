"""Other runtimes than ONNX Runtime behind the same Triton: right answers, the same in every batch, and a choice that
is remembered."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.inference.batching import Batch, pad_right
from services.inference.client import TritonClient, open_triton
from services.inference.scoring import probabilities
from services.inference.tokenizer import PostTokenizer
from tests.conftest import ROOT
from tests.integration.triton_server import child_of, started
from tests.parity.direct import direct_scores
from tests.ports import free_ports
from tests.posts import make_posts
from tests.waiting import eventually

NAME = "sentiment"
VERSION = ROOT / "model_repository" / NAME / "1"
TEXTS = [post.content for post in make_posts(100, seed=4)]
# The same text alone and in any batch.
TOLERANCE = 1e-3
# A probability moves by a quarter of what its logit moves, at most.
LOGIT_TOLERANCE = 4 * TOLERANCE
# Probabilities of the same file in ONNX Runtime, fp32. Both formats keep 8 bits of a number.
ROUNDING = 0.1
MIN_AGREEMENT = 0.97
# A processor without any of these leaves nothing to choose from by itself.
UNITS = {"avx512_bf16", "amx_bf16", "avx_ne_convert", "avx512_vnni", "avx_vnni", "amx_int8"}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One model alone: what is measured at the start takes as long for each."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(VERSION.parent, folder / NAME, symlinks=True)
    return folder


@pytest.fixture(scope="module", params=["auto", "openvino-bf16", "openvino-int8"])
def served(
    request: pytest.FixtureRequest, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path, str]]:
    """(`host:port`, the file of choices, the runtime that was asked for) of a Triton with the model."""
    folder = tmp_path_factory.mktemp("triton")
    (folder / "work").mkdir()
    ports = free_ports(2)
    child = child_of(folder / "work", repository, ports)
    child = replace(child, environment={**child.environment, "UNDERTONE_CPU_RUNTIME": request.param})
    with started(child):
        yield f"127.0.0.1:{ports[0]}", folder / "cpu_runtimes.json", request.param


def tokens_of(texts: list[str]) -> list[list[int]]:
    return PostTokenizer((VERSION / "tokenizer.json").read_bytes(), 512).encode(texts)


async def infer(triton: TritonClient, rows: list[list[int]], batch: Batch) -> NDArray[np.float32]:
    return await triton.infer(NAME, 1, *pad_right(rows, batch))


async def test_answers_are_those_of_onnx_runtime_but_for_rounding(served: tuple[str, Path, str]) -> None:
    rows, direct = tokens_of(TEXTS), direct_scores(NAME, TEXTS)
    async with open_triton(served[0], 60.0) as triton:
        batches = [Batch((row,), len(tokens)) for row, tokens in enumerate(rows)]
        scores = probabilities(np.concatenate([await infer(triton, rows, batch) for batch in batches]), "softmax")
    np.testing.assert_allclose(scores, direct, atol=ROUNDING)
    assert np.mean(scores.argmax(axis=1) == direct.argmax(axis=1)) >= MIN_AGREEMENT


async def test_neither_padding_nor_neighbours_change_the_logits(served: tuple[str, Path, str]) -> None:
    # Beside the loudest text that there is: what shares a scale with it would change.
    rows = tokens_of([*TEXTS[:24], "!!! 😡 " * 100])
    async with open_triton(served[0], 60.0) as triton:
        together = await infer(triton, rows, Batch(tuple(range(len(rows))), 512))
        for row, tokens in enumerate(rows[:-1]):
            alone = await infer(triton, rows, Batch((row,), len(tokens)))
            np.testing.assert_allclose(alone, together[[row]], rtol=0, atol=LOGIT_TOLERANCE)


def test_the_choice_is_told_and_remembered(served: tuple[str, Path, str], repository: Path, tmp_path: Path) -> None:
    _, choices, asked = served
    if asked == "auto" and UNITS.isdisjoint(Path("/proc/cpuinfo").read_text().split()):
        assert not choices.exists()
        return
    entries = json.loads(choices.read_text())
    assert {entry["model"] for entry in entries.values()} == {NAME}
    for entry in entries.values():
        assert entry["runtime"] in entry["rows_per_s"]
        assert asked == "auto" or entry["runtime"].startswith(asked)
    log = (choices.parent / "work" / "triton.log").read_text()
    assert f"{NAME} is computed by" in log
    # Another start on the same machine: nothing is measured, nothing is told.
    (tmp_path / "work").mkdir()
    ports = free_ports(2)
    child = child_of(tmp_path / "work", repository, ports)
    environment = {"UNDERTONE_CPU_RUNTIME": asked, "UNDERTONE_CPU_RUNTIME_FILE": str(choices)}
    with started(replace(child, environment={**child.environment, **environment})):
        pass
    assert json.loads(choices.read_text()) == entries
    assert "is computed by" not in (tmp_path / "work" / "triton.log").read_text()


async def test_a_runtime_that_does_not_exist_is_refused(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    child = child_of(tmp_path / "work", repository, free_ports(2))
    child = replace(child, environment={**child.environment, "UNDERTONE_CPU_RUNTIME": "fastest"}, ready_timeout_s=5.0)
    log = tmp_path / "work" / "triton.log"

    async def refused() -> bool:
        return "UNDERTONE_CPU_RUNTIME: 'fastest' is none of auto, onnxruntime" in log.read_text()

    with started(child, until_ready=False):
        await eventually(refused, "the model is refused")
