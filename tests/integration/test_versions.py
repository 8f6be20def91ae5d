"""Another version comes into service on a real Triton: the services follow, and nobody outside notices."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from structlog.testing import capture_logs
from tritonclient.grpc.aio import InferenceServerClient

from export.canary_report import CanaryReport, compare
from export.repository import Repository
from services.common.errors import ConfigurationError, Transient
from services.common.settings import Settings
from services.inference.analyzer import Analyzer, open_analyzer
from services.inference.classifier import TOKENIZER_THREADS
from tests.integration.exported import publish
from tests.integration.triton_server import running_triton
from tests.integration.version_repositories import EMOTIONS, NEUTRAL_BELOW, TEXTS, Expected, make_repository

NEVER_S = 3_600
ALWAYS_S = 1e-9
Opening = Callable[[float], AbstractAsyncContextManager[Analyzer]]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return make_repository(tmp_path / "models")


@pytest.fixture
def server(repository: Repository, tmp_path: Path) -> Iterator[str]:
    (tmp_path / "work").mkdir()
    with running_triton(tmp_path / "work", repository.folder) as running:
        yield f"127.0.0.1:{running.grpc_port}"


@pytest.fixture
async def triton(server: str) -> AsyncIterator[InferenceServerClient]:
    async with InferenceServerClient(server) as client:
        yield client


@pytest.fixture
def opening(repository: Repository, server: str) -> Opening:
    """Opens an analyzer that looks for other versions every so many seconds."""

    def open_it(refresh_s: float) -> AbstractAsyncContextManager[Analyzer]:
        settings = Settings(
            _env_file=None,
            triton_url=server,
            model_repository=repository.folder,
            model_refresh_s=refresh_s,
            neutral_below=NEUTRAL_BELOW,
            inference_timeout_s=20,
        )
        return open_analyzer(settings)

    return open_it


@pytest.fixture
def expected(repository: Repository) -> Expected:
    return Expected(repository)


async def test_ten_switches_under_load_fail_no_call_and_mix_no_versions(
    repository: Repository, triton: InferenceServerClient, opening: Opening, expected: Expected
) -> None:
    """One analyzer learns of a switch only by its failures, the other one looks for it with every call."""
    done = asyncio.Event()
    named: dict[float, list[tuple[int, int]]] = {NEVER_S: [], ALWAYS_S: []}

    async def analyse(refresh_s: float) -> None:
        async with opening(refresh_s) as analyzer:
            while not done.is_set():
                named[refresh_s].append(expected.check(await analyzer.analyse(TEXTS)))
            named[refresh_s].append(expected.check(await analyzer.analyse(TEXTS)))

    async def answered(pair: tuple[int, int]) -> None:
        """Every analyzer has answered a call by this pair: the next switch meets both of them at work with it."""
        while not all(pairs and pairs[-1] == pair for pairs in named.values()):
            await asyncio.sleep(0.01)

    async def switch() -> None:
        pair = {"sentiment": 1, "emotion": 1}
        await answered((1, 1))
        for turn in range(10):
            name = ("sentiment", "emotion")[turn % 2]
            pair[name] = 3 - pair[name]
            repository.promote(name, pair[name])
            await triton.load_model(name)
            await answered((pair["sentiment"], pair["emotion"]))
        threads = [thread for thread in threading.enumerate() if thread.name.startswith("tokenizer")]
        assert len(threads) <= len(named) * TOKENIZER_THREADS
        done.set()

    async with asyncio.TaskGroup() as group:
        for work in (analyse(NEVER_S), analyse(ALWAYS_S), switch()):
            group.create_task(work)
    for pairs in named.values():
        assert set(pairs) == {(1, 1), (2, 1), (2, 2), (1, 2)}
        assert pairs[-1] == (2, 2)


async def test_a_version_without_its_tokenizer_is_waited_for(
    repository: Repository, triton: InferenceServerClient, opening: Opening, expected: Expected
) -> None:
    tokenizer = repository.version_folder("sentiment", 2) / "tokenizer.json"
    aside = tokenizer.with_name("aside")
    async with opening(ALWAYS_S) as analyzer, opening(NEVER_S) as newcomer:
        assert expected.check(await analyzer.analyse(TEXTS)) == (1, 1)
        repository.promote("sentiment", 2)
        tokenizer.rename(aside)
        await triton.load_model("sentiment")
        with capture_logs() as lines:
            for _ in range(3):
                with pytest.raises(Transient, match=r"version 1 is not at ready state.*version 2: its tokenizer"):
                    await fails(analyzer)
        assert [line["event"] for line in lines] == ["what Triton serves cannot be used"]
        with pytest.raises(ConfigurationError, match="version 2: its tokenizer cannot be read"):
            await newcomer.models()
        aside.rename(tokenizer)
        for each in (analyzer, newcomer):
            assert expected.check(await each.analyse(TEXTS)) == (2, 1)


async def fails(analyzer: Analyzer) -> None:
    """Returns never: calls until one fails, for the former version answers for a moment longer."""
    while True:
        await analyzer.analyse(TEXTS)


async def test_the_former_version_answers_for_as_long_as_it_can(
    repository: Repository, triton: InferenceServerClient, opening: Opening, expected: Expected
) -> None:
    """A server may serve both at once; then one that cannot be used is said to be so, and nothing else happens."""
    third = publish(repository, "emotion", EMOTIONS[0], shift=17)
    folder = repository.version_folder("emotion", third)
    (folder / "tokenizer.json").unlink()
    config = folder / "configs" / "cpu.pbtxt"
    config.write_text(config.read_text().replace("versions: [ 3 ]", "versions: [ 1, 3 ]"))
    async with opening(ALWAYS_S) as analyzer:
        assert expected.check(await analyzer.analyse(TEXTS)) == (1, 1)
        repository.put_in_service("emotion", [1, third])
        await triton.load_model("emotion")
        with capture_logs() as lines:
            for _ in range(5):
                assert expected.check(await analyzer.analyse(TEXTS)) == (1, 1)
        assert [(line["event"], line["model"]) for line in lines] == [("what Triton serves cannot be used", "emotion")]


async def test_a_canary_answers_its_exact_share_and_is_compared(
    repository: Repository, triton: InferenceServerClient, opening: Opening, expected: Expected
) -> None:
    before = canary_report("sentiment"), canary_report("emotion")
    for name, share in (("sentiment", 10), ("emotion", 25)):
        repository.start_canary(name, 2, share)
        await triton.load_model(f"{name}_canary")
    async with opening(NEVER_S) as analyzer:
        named = [expected.check(await analyzer.analyse(TEXTS)) for _ in range(40)]
    assert [number for number, (version, _) in enumerate(named, 1) if version == 2] == [10, 20, 30, 40]
    assert [number for number, (_, version) in enumerate(named, 1) if version == 2] == list(range(4, 41, 4))
    for name, former, batches, verdicts in zip(
        ("sentiment", "emotion"), before, (4, 10), (expected.sentiments, expected.emotions), strict=True
    ):
        report = canary_report(name)
        one, other = verdicts[f"acme/{name}-1", 1], verdicts[f"acme/{name}-2", 2]
        agreeing = sum(ours == theirs for (ours, _), (theirs, _) in zip(one, other, strict=True))
        assert 0 < agreeing < len(TEXTS), "the texts do not tell the versions apart"
        assert report.batches - former.batches == batches
        assert report.agreeing - former.agreeing == batches * agreeing
        assert report.posts - former.posts == batches * len(TEXTS)
        assert report.failures == former.failures
        assert report.canary_seconds > former.canary_seconds
        assert report.in_service_seconds > former.in_service_seconds


async def test_a_canary_that_breaks_costs_no_answer(
    repository: Repository, triton: InferenceServerClient, opening: Opening, expected: Expected
) -> None:
    before = canary_report("sentiment")
    repository.start_canary("sentiment", 2, 50)
    await triton.load_model("sentiment_canary")
    async with opening(NEVER_S) as analyzer:
        assert [expected.check(await analyzer.analyse(TEXTS)) for _ in range(2)] == [(1, 1), (2, 1)]
        await triton.unload_model("sentiment_canary")
        assert [expected.check(await analyzer.analyse(TEXTS)) for _ in range(10)] == [(1, 1)] * 10
    after = canary_report("sentiment")
    assert (after.failures - before.failures, after.batches - before.batches) == (5, 1)


async def test_a_canary_answers_also_while_the_version_in_service_does_not(
    repository: Repository, triton: InferenceServerClient, opening: Opening, expected: Expected
) -> None:
    """Its answers count while there is nothing to compare them with; health tells of the outage all the same."""
    repository.start_canary("emotion", 2, 100)
    await triton.load_model("emotion_canary")
    async with opening(NEVER_S) as analyzer:
        assert expected.check(await analyzer.analyse(TEXTS)) == (1, 2)
        before = canary_report("emotion")
        await triton.unload_model("emotion")
        while await triton.is_model_ready("emotion"):
            await asyncio.sleep(0.01)
        assert expected.check(await analyzer.analyse(TEXTS)) == (1, 2)
        with pytest.raises(Transient, match="emotion"):
            await analyzer.check()
        assert canary_report("emotion") == before


def canary_report(name: str) -> CanaryReport:
    """What the metrics page of this process says of version 2 beside version 1."""
    return compare([generate_latest().decode()], name, 2, 1)
