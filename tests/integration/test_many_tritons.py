"""Two real Tritons behind one TRITON_URL: they share the work, and no request fails when one dies, drains or lags."""

import asyncio
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from tritonclient.grpc.aio import InferenceServerClient

from export.repository import Repository
from services.common.messages import Analysis
from services.common.settings import Settings
from services.inference.analyzer import Analyzer, open_analyzer
from services.inference.client import open_triton
from services.inference.statistics import counted_by_all, parse_statistics, read_statistics
from tests.integration import fixed_latency
from tests.integration.triton_server import child_of, started
from tests.integration.version_repositories import NEUTRAL_BELOW, TEXTS, Expected, make_repository
from tests.ports import free_ports
from tests.waiting import eventually

ALWAYS_S = 1e-9
CALLERS = 6


class Pair:
    """Two servers, each with a copy of the repository, and one analyzer for both."""

    def __init__(self, folder: Path, repository: Repository) -> None:
        self.folder = folder
        shutil.copytree(repository.folder, folder / "copy", symlinks=True)
        self.repositories = [repository, Repository(folder / "copy")]
        self.ports = [free_ports(2), free_ports(2)]

    def url(self, number: int) -> str:
        return f"127.0.0.1:{self.ports[number][0]}"

    @asynccontextmanager
    async def start(self, number: int) -> AsyncIterator[subprocess.Popen[bytes]]:
        work = self.folder / f"work-{number}"
        work.mkdir(exist_ok=True)
        server = started(child_of(work, self.repositories[number].folder, self.ports[number]))
        process = await asyncio.to_thread(server.__enter__)
        try:
            yield process
        finally:
            await asyncio.to_thread(server.__exit__, None, None, None)

    @asynccontextmanager
    async def analyzer(self) -> AsyncIterator[Analyzer]:
        settings = Settings(
            _env_file=None,
            triton_url=f"{self.url(0)},{self.url(1)}",
            model_repository=self.repositories[0].folder,
            model_refresh_s=ALWAYS_S,
            neutral_below=NEUTRAL_BELOW,
            inference_timeout_s=20,
        )
        async with open_analyzer(settings) as analyzer:
            yield analyzer

    async def requests(self, number: int) -> int:
        """What that server was asked so far."""
        # A channel with other options: it does not share the analyzer's, which waits before it connects again.
        async with InferenceServerClient(self.url(number)) as triton:
            counters = parse_statistics(await triton.get_inference_statistics())
        return sum(each.requests for each in counters.values())


class Load:
    """Callers that analyse TEXTS again and again, and check every answer; the first failure ends the block."""

    def __init__(self, analyzer: Analyzer, check: Callable[[Sequence[Analysis]], tuple[int, int]]) -> None:
        self._analyzer = analyzer
        self._check = check
        self._done = False
        self.answers = Counter[tuple[int, int]]()

    async def _call(self) -> None:
        while not self._done:
            self.answers[self._check(await self._analyzer.analyse(TEXTS))] += 1

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            for _ in range(CALLERS):
                group.create_task(self._call())
            yield
            self._done = True

    async def more(self, calls: int = 30) -> None:
        """Until so many more were answered."""
        wanted = self.answers.total() + calls

        async def are_answered() -> bool:
            return self.answers.total() >= wanted

        await eventually(are_answered, f"{calls} more calls are answered", 60)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path, make_repository(tmp_path / "models"))


@pytest.fixture
def expected(pair: Pair) -> Expected:
    return Expected(pair.repositories[0])


def versions_of(answers: Sequence[Analysis]) -> tuple[int, int]:
    ((sentiment, emotion),) = {(answer.model_version, answer.emotion_model_version) for answer in answers}
    assert len(answers) == len(TEXTS)
    return sentiment, emotion


async def test_both_share_the_work_one_is_killed_and_gets_work_again_when_it_is_back(tmp_path: Path) -> None:
    pair = Pair(tmp_path, fixed_latency.make_repository(tmp_path / "models", latency_s=0.02, instances=2))
    async with AsyncExitStack() as stack:
        first = pair.start(0)
        killed, _ = await asyncio.gather(first.__aenter__(), stack.enter_async_context(pair.start(1)))
        analyzer = await stack.enter_async_context(pair.analyzer())
        before = [await pair.requests(number) for number in (0, 1)]
        load = Load(analyzer, versions_of)
        async with load.running():
            await load.more(50)
            after = [await pair.requests(number) for number in (0, 1)]
            shares = [now - then for now, then in zip(after, before, strict=True)]
            assert min(shares) >= 0.35 * sum(shares), shares
            killed.send_signal(signal.SIGKILL)
            await load.more()
            await first.__aexit__(None, None, None)
            await load.more()
            await stack.enter_async_context(pair.start(0))
            warm_up = await pair.requests(0)

            async def gets_work() -> bool:
                return await pair.requests(0) > warm_up + 10

            await eventually(gets_work, "the server that came back gets requests")
        assert set(load.answers) == {(1, 1)}


async def test_a_server_that_drains_fails_no_request(pair: Pair, expected: Expected) -> None:
    async with AsyncExitStack() as stack:
        draining, _ = await asyncio.gather(*(stack.enter_async_context(pair.start(number)) for number in (0, 1)))
        analyzer = await stack.enter_async_context(pair.analyzer())
        load = Load(analyzer, expected.check)
        async with load.running():
            await load.more()
            draining.send_signal(signal.SIGTERM)
            await load.more()
            assert await asyncio.to_thread(draining.wait, 30) == 0, "it finished what it had"
            await load.more()


async def test_during_a_roll_out_every_answer_is_of_the_version_that_it_names(pair: Pair, expected: Expected) -> None:
    pair.repositories[1].promote("sentiment", 2)
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(pair.start(number)) for number in (0, 1)))
        analyzer = await stack.enter_async_context(pair.analyzer())
        load = Load(analyzer, expected.check)
        async with load.running():
            await load.more()
            # One has the version 1, one has 2, the newer one is in service; the other server has the emotions' work.
            assert set(load.answers) == {(2, 1)}
            pair.repositories[0].promote("sentiment", 2)
            async with InferenceServerClient(pair.url(0)) as triton:
                await triton.load_model("sentiment")
            async with open_triton(f"{pair.url(0)},{pair.url(1)}", 20) as both:
                loaded = (await read_statistics(both))[pair.url(0)]["sentiment", 2].requests

                async def is_asked_again() -> bool:
                    counters = (await read_statistics(both))[pair.url(0)]
                    return counters["sentiment", 2].requests > loaded

                await eventually(is_asked_again, "it is no longer passed over")
                samples = [await read_statistics(both)]
                await load.more(50)
                samples.append(await read_statistics(both))
        each = [counted_by_all([{server: sample[server]} for sample in samples]) for server in samples[0]]
        sentiments = [counters["sentiment", 2].requests for counters in each]
        assert min(sentiments) > 0, sentiments
        assert counted_by_all(samples)["sentiment", 2].requests == sum(sentiments)
        assert set(load.answers) == {(2, 1)}
