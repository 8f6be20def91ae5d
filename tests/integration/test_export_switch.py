"""Promotion, rollback and canary on a real Triton, under load: no request fails, no answer is of a mixed version."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tritonclient.grpc import InferenceServerClient

from export.errors import ExportError
from export.repository import Repository
from export.switch import Switch
from export.triton import Triton, connected
from services.common.messages import Analysis
from services.common.settings import Settings
from services.inference.analyzer import Analyzer, open_analyzer
from services.inference.scoring import probabilities
from tests.integration.exported import WORDS, logits_of, publish
from tests.integration.triton_models import classifier, model
from tests.integration.triton_requests import infer, posts
from tests.integration.triton_server import child_of, running_triton, started
from tests.ports import free_ports

SENTIMENTS = (("negative", "neutral", "positive"), ("NEGATIVE", "POSITIVE"))
TEXTS = [" ".join(random.Random(number).choices(WORDS, k=1 + number % 60)) for number in range(40)]
TOLERANCE = 1e-5


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Two versions of each model: other labels, another tokenizer."""
    made = Repository(tmp_path / "models")
    for version, labels in enumerate(SENTIMENTS):
        publish(made, "sentiment", labels, shift=300 * version)
        publish(made, "emotion", ("joy", "anger", "fear", "sadness")[: 4 - version], shift=500 * version)
    return made


@pytest.fixture
def server(repository: Repository, tmp_path: Path) -> Iterator[Triton]:
    (tmp_path / "work").mkdir()
    with (
        running_triton(tmp_path / "work", repository.folder) as running,
        connected([f"127.0.0.1:{running.grpc_port}"]) as servers,
    ):
        yield servers[0]


@pytest.fixture
def switch(repository: Repository, server: Triton) -> Switch:
    return Switch(repository, [server], lambda line: None)


@asynccontextmanager
async def analyzing(repository: Repository, server: Triton) -> AsyncIterator[Analyzer]:
    settings = Settings(
        _env_file=None, triton_url=server.url, model_repository=repository.folder, inference_timeout_s=20
    )
    async with open_analyzer(settings) as analyzer:
        yield analyzer


def expected(
    repository: Repository, name: str
) -> dict[tuple[str, int], np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """Probabilities of each text, by what a stored analysis names: source and version."""
    return {
        (f"acme/{name}-{version}", version): probabilities(
            logits_of(repository.version_folder(name, version), TEXTS), "softmax"
        )
        for version in repository.versions(name)
    }


def assert_right(answers: Sequence[Analysis], repository: Repository) -> set[tuple[int, int]]:
    """Each answer is the one that the versions give which it names; the pairs of versions that were named."""
    sentiment, emotion = expected(repository, "sentiment"), expected(repository, "emotion")
    pairs = set()
    for row, answer in enumerate(answers):
        scores = sentiment[answer.model_name, answer.model_version][row % len(TEXTS)]
        moods = emotion[answer.emotion_model_name, answer.emotion_model_version][row % len(TEXTS)]
        assert abs(answer.confidence - scores.max()) < TOLERANCE
        assert abs(answer.emotion_confidence - moods.max()) < TOLERANCE
        pairs.add((answer.model_version, answer.emotion_model_version))
    return pairs


async def test_ten_promotions_and_rollbacks_under_load_fail_no_request(
    repository: Repository, server: Triton, switch: Switch
) -> None:
    done = asyncio.Event()
    answers: list[Analysis] = []
    unversioned = 0

    async def analyse() -> None:
        async with analyzing(repository, server) as analyzer:
            while not done.is_set():
                answers.extend(await analyzer.analyse(TEXTS))

    async def ask_without_a_version() -> None:
        nonlocal unversioned
        with InferenceServerClient(server.url) as client:
            while not done.is_set():
                await asyncio.to_thread(infer, client, "sentiment", posts(4, 16))
                unversioned += 1

    async def switch_to_and_fro() -> None:
        try:
            for _ in range(5):
                for name in ("sentiment", "emotion"):
                    await asyncio.to_thread(switch.promote, name, 2)
                for name in ("emotion", "sentiment"):
                    assert await asyncio.to_thread(switch.rollback, name) == 1
        finally:
            done.set()

    async with asyncio.TaskGroup() as group:
        for work in (analyse(), analyse(), ask_without_a_version(), switch_to_and_fro()):
            group.create_task(work)
    assert unversioned > 0
    # Both versions of both models were at work, or the switching was not seen at all.
    assert {(1, 1), (2, 2)} <= assert_right(answers, repository)


async def test_a_version_that_does_not_load_leaves_the_former_one_in_service(
    repository: Repository, server: Triton, switch: Switch
) -> None:
    """The files are what the manifest says, but the server cannot take them: the model has other labels."""
    broken = publish(repository, "sentiment", SENTIMENTS[0], weights=model(classifier(4)))
    with pytest.raises(ExportError, match="cannot load sentiment"):
        switch.promote("sentiment", broken)
    with pytest.raises(ExportError, match="cannot load sentiment_canary"):
        switch.start_canary("sentiment", broken, 10)
    assert repository.in_service("sentiment") == server.version("sentiment") == 1
    assert repository.canary("sentiment") is None
    async with analyzing(repository, server) as analyzer:
        assert assert_right(await analyzer.analyse(TEXTS), repository) == {(1, 1)}


async def test_a_canary_answers_its_share_and_ends_with_its_promotion(
    repository: Repository, server: Triton, switch: Switch
) -> None:
    switch.start_canary("sentiment", 2, 25)
    async with analyzing(repository, server) as analyzer:
        batches = [await analyzer.analyse(TEXTS) for _ in range(20)]
        named = [{answer.model_version for answer in batch} for batch in batches]
        assert named.count({2}) == 5
        assert named.count({1}) == 15
        for batch in batches:
            assert_right(batch, repository)
        switch.promote("sentiment", 2)
        assert server.config("sentiment_canary") is None
        assert repository.canary("sentiment") is None
        assert assert_right(await analyzer.analyse(TEXTS), repository) == {(2, 1)}


async def test_a_canary_that_is_stopped_leaves_everything_to_the_version_in_service(
    repository: Repository, server: Triton, switch: Switch
) -> None:
    switch.start_canary("sentiment", 2, 100)
    async with analyzing(repository, server) as analyzer:
        assert assert_right(await analyzer.analyse(TEXTS), repository) == {(2, 1)}
        switch.stop_canary("sentiment")
        assert assert_right(await analyzer.analyse(TEXTS), repository) == {(1, 1)}
    with pytest.raises(ExportError, match="no canary"):
        switch.stop_canary("sentiment")


def test_a_server_on_another_repository_is_told_apart(repository: Repository, server: Triton, tmp_path: Path) -> None:
    other = Repository(tmp_path / "other")
    for labels in SENTIMENTS:
        publish(other, "sentiment", labels)
    with pytest.raises(ExportError, match="another folder"):
        Switch(other, [server], lambda line: None).promote("sentiment", 2)
    assert other.in_service("sentiment") == 1
    assert server.version("sentiment") == 1


def test_a_server_that_lets_nothing_be_switched_says_how_to_start_it(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    port, metrics_port = free_ports(2)
    child = child_of(tmp_path / "work", repository.folder, (port, metrics_port))
    command = ["--model-control-mode=none" if "control-mode" in word else word for word in child.command]
    with (
        started(replace(child, command=command, arguments=list)),
        connected([f"127.0.0.1:{port}"]) as servers,
        pytest.raises(ExportError, match="--model-control-mode=explicit"),
    ):
        Switch(repository, servers, lambda line: None).promote("sentiment", 2)
    assert repository.in_service("sentiment") == 1
