"""A Triton whose protocols of management ask for a key: with it everything works, without it nothing of them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from export.errors import ExportError
from export.triton import Triton
from services.common.errors import Transient
from services.common.settings import Settings
from services.inference.access import OPEN, Access
from services.inference.analyzer import open_analyzer
from services.inference.client import TritonClient, open_triton
from services.local.named_servers import NamedServers, require_answers
from tests.integration.triton_server import running_triton
from tests.integration.version_repositories import make_repository

KEY = "a-key-of-tests"
MANAGEMENT = "shared-memory,model-config,model-repository,statistics,trace,logging"
WITH_KEY = Access(KEY)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The settings that lead to it, its key among them."""
    folder = tmp_path_factory.mktemp("restricted")
    repository = make_repository(folder / "repository").folder
    flag = f"--grpc-restricted-protocol={MANAGEMENT}:undertone-key={KEY}"
    with running_triton(folder, repository, [flag], access=WITH_KEY) as running:
        yield Settings(
            _env_file=None, triton_url=f"127.0.0.1:{running.grpc_port}", triton_key=KEY, model_repository=repository
        )


@asynccontextmanager
async def client(server: Settings, access: Access) -> AsyncIterator[TritonClient]:
    async with open_triton(server.triton_url, 20, access) as triton:
        yield triton


async def test_with_the_key_versions_statistics_and_inference_work(server: Settings) -> None:
    async with open_analyzer(server) as analyzer:
        await analyzer.check()
        assert len(await analyzer.analyse(["good", "bad"])) == 2
    async with client(server, WITH_KEY) as triton:
        (statistics,) = (await triton.statistics()).values()
        assert len(statistics.model_stats) >= 2
        assert await triton.find_model_config("unknown") is None
    await require_answers(server, NamedServers(database=False, redis=False, triton=True))


@pytest.mark.parametrize("access", [OPEN, Access("another")])
async def test_without_it_the_management_is_refused_and_the_error_says_what_to_set(
    server: Settings, access: Access
) -> None:
    async with client(server, access) as triton:
        for question in (triton.model_config("sentiment"), triton.find_model_config("x"), triton.statistics()):
            with pytest.raises(Transient, match="set TRITON_KEY"):
                await question
        # What anybody may who can reach it.
        ids = np.ones((1, 16), np.int64)
        assert (await triton.infer("sentiment", 1, ids, ids)).shape[0] == 1
        assert (await triton.server())[0]


def test_the_exporter_loads_and_unloads_with_the_key_alone(server: Settings) -> None:
    for access in (OPEN, Access("another")):
        refused = Triton(server.triton_url, access)
        for call in (refused.load, refused.unload, refused.config):
            with pytest.raises(ExportError, match="set TRITON_KEY"):
                call("sentiment")
        refused.close()
    exporter = Triton(server.triton_url, WITH_KEY)
    exporter.load("sentiment")
    assert exporter.config("sentiment") is not None
    exporter.close()


async def test_every_protocol_of_management_is_among_the_restricted(server: Settings) -> None:
    async with OPEN.aio_client(server.triton_url) as anybody:
        for refused in (
            anybody.get_model_repository_index(),
            anybody.load_model("sentiment"),
            anybody.unload_model("sentiment"),
            anybody.get_trace_settings(),
            anybody.update_log_settings({"log_verbose_level": 1}),
            anybody.get_system_shared_memory_status(),
            anybody.register_system_shared_memory("x", "/x", 8),
        ):
            with pytest.raises(InferenceServerException, match="restricted"):
                await refused


def test_the_key_is_in_no_text_of_the_settings(server: Settings) -> None:
    assert KEY not in repr(server)
    assert KEY not in repr(WITH_KEY)
