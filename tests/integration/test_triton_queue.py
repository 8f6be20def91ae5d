"""Triton's queue as our configurations leave it: it has no limit of its own, the clients' deadlines empty it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tritonclient.grpc import InferenceServerClient

from tests.integration.triton_models import classifier, config, model, write
from tests.integration.triton_requests import Together, infer, inputs_of, posts
from tests.integration.triton_server import running_triton
from tests.waiting import eventually

WAITING = 12


@pytest.fixture
def server(tmp_path: Path) -> Iterator[InferenceServerClient]:
    """A client of a server whose model takes about a second a request; it has one instance."""
    repository = tmp_path / "models"
    text = config("slow", extra="dynamic_batching { max_queue_delay_microseconds: 0 }")
    write(repository, "slow", text, model(classifier(products=40)))
    (tmp_path / "work").mkdir()
    with (
        running_triton(tmp_path / "work", repository) as running,
        InferenceServerClient(f"127.0.0.1:{running.grpc_port}") as client,
    ):
        yield client


async def test_what_waits_beyond_its_deadline_is_never_computed(server: InferenceServerClient) -> None:
    """A client that has gone costs nothing: without this, a queue without a limit would be work for nobody."""

    def executions() -> int:
        (statistics,) = server.get_inference_statistics("slow").model_stats
        return int(statistics.execution_count)

    before = executions()
    first = Together(server, "slow", [posts(1, 8)])
    answers: list[object] = []
    # Of different lengths, so that they cannot merge into one.
    for length in range(16, 16 + WAITING):
        server.async_infer(
            "slow", inputs_of(posts(1, length)), lambda result, error: answers.append(error), client_timeout=0.1
        )

    async def given_up() -> bool:
        return len(answers) == WAITING

    await eventually(given_up, "every client has given up", 20)
    first.wait()
    # Queues are first in, first out: when this is answered, all that came before it has been dealt with.
    infer(server, "slow", posts(1, 9))
    # These two, and what was handed to the instance before its client gave up.
    assert 2 <= executions() - before <= 2 + WAITING // 3
