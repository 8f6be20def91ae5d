"""The server as a child of the supervisor: health that tells the truth, and nothing left behind."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from subprocess import Popen

import psutil
from tritonclient.grpc import InferenceServerClient

from services.local.child import Check, Child
from services.local.triton_probe import Probe
from tests.integration import triton_models as models
from tests.integration.triton_requests import Together, posts
from tests.integration.triton_server import child_of, free_ports, started


@contextlib.contextmanager
def server_of(folder: Path, names: tuple[str, ...], extra: str = "") -> Iterator[tuple[Child, Popen[bytes], Probe]]:
    """A server of its own; its models are classifiers of that name (`slow` takes about a second)."""
    for name in names:
        graph = models.classifier(products=40 if name == "slow" else 0)
        models.write(folder / "repository", name, models.config(name, extra=extra), models.model(graph))
    child = child_of(folder / "work", folder / "repository", free_ports(2))
    home = folder / "home"
    home.mkdir()
    # The backend has to keep the telemetry off by itself, wherever it is served.
    variables = {name: value for name, value in child.environment.items() if name != "ORT_DISABLE_TELEMETRY"}
    child = replace(child, environment={**variables, "HOME": str(home)})
    assert isinstance(child.ready, Probe)
    with started(child) as process:
        yield child, process, child.ready


def regions(child: Child) -> list[Path]:
    """The child's shared memory."""
    flag = next(flag for flag in child.command if "shm-region-prefix-name=" in flag)
    return list(Path("/dev/shm").glob(flag.rpartition("=")[2] + "*"))


def answer(check: Check) -> bool:
    async def call() -> bool:
        return await check()

    return asyncio.run(call())


def test_a_killed_stub_is_noticed_although_the_server_says_ready(tmp_path: Path) -> None:
    with server_of(tmp_path, ("first", "second")) as (child, process, probe):
        stubs = psutil.Process(process.pid).children()
        assert len(stubs) == len(regions(child)) == 2
        stubs[0].kill()
        with InferenceServerClient(probe.url) as client:
            assert client.is_server_ready()
            assert client.is_model_ready("first")
            assert client.is_model_ready("second")
        assert not answer(probe)
        # And when the server itself is killed, its processes end: they watch it.
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        _, alive = psutil.wait_procs(stubs, timeout=10)
        assert not alive
        # The killed stub's shared memory is left, until the server starts anew.
        assert len(regions(child)) == 1
        child_of(tmp_path / "work", tmp_path / "repository", free_ports(2))
        assert not regions(child)


def test_nothing_is_left_after_a_stop(tmp_path: Path) -> None:
    """No process, no shared memory, and no device id of ONNX Runtime's telemetry in the user's home."""
    with server_of(tmp_path, ("first",)) as (child, process, probe):
        stubs = psutil.Process(process.pid).children()
        assert answer(probe)
        # The same models on the same port: only the --id tells that a server is not ours.
        assert not answer(Probe(probe.url, "undertone-another", probe.configs))
        process.terminate()
        assert process.wait(child.stop_timeout_s) == 0
        assert not any(stub.is_running() for stub in stubs)
        assert not answer(probe)
        assert not regions(child)
    assert not list((tmp_path / "home").iterdir())


def test_a_full_queue_is_no_illness_while_batches_finish(tmp_path: Path) -> None:
    queue = "dynamic_batching { default_queue_policy { max_queue_size: 1 } }"
    with server_of(tmp_path, ("slow",), extra=models.parameter("intra_op_thread_count", "1") + queue) as (_, _, probe):
        assert answer(probe)
        with InferenceServerClient(probe.url) as client:
            at_work = Together(client, "slow", [posts(rows=64, length=16)])
            time.sleep(0.1)
            waiting = Together(client, "slow", [posts(rows=64, length=16, seed=seed) for seed in range(4)])
            rejected = [each for each in waiting.wait(until=any) if each]
            assert "maximum queue size" in str(rejected[0])
            assert not answer(Probe(probe.url, probe.server_id, probe.configs)), "it never saw the server at work"
            assert answer(probe)
            at_work.wait()
            waiting.wait()
