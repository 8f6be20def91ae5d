"""A request that nobody waits for any more runs to its end: cancelling it may crash Triton."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tritonclient.grpc import InferenceServerClient

from services.inference.client import open_triton
from tests.integration.triton_models import classifier, config, model, write
from tests.integration.triton_server import running_triton

ROW = np.ones((1, 16), np.int64)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Serves `slow`, which takes about half a second a request, one after the other."""
    write(tmp_path / "models", "slow", config("slow"), model(classifier(products=20)))
    (tmp_path / "work").mkdir()
    with running_triton(tmp_path / "work", tmp_path / "models") as running:
        yield f"127.0.0.1:{running.grpc_port}"


async def test_an_abandoned_request_is_not_cancelled_at_triton(server: str) -> None:
    def successes() -> int:
        with InferenceServerClient(server) as triton:
            (statistics,) = triton.get_inference_statistics("slow").model_stats
            return int(statistics.inference_stats.success.count)

    before = successes()
    async with open_triton(server, 20) as client:
        calls = [asyncio.create_task(client.infer("slow", 1, ROW, ROW)) for _ in range(2)]
        # One connection carries everything in order: what was sent before this has arrived when it is answered.
        await client.model_config("slow")
        for call in calls:
            call.cancel()
        for call in calls:
            with pytest.raises(asyncio.CancelledError):
                await call
    assert successes() - before == len(calls)
