"""The server as a child of the supervisor: health that tells the truth, and nothing left behind."""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from subprocess import Popen

import psutil
import pytest
from tritonclient.grpc import InferenceServerClient

from services.local.child import Check, Child, NeverReady
from services.local.cores import physical_cores
from services.local.triton_probe import Probe
from tests.integration import triton_models as models
from tests.integration.triton_requests import Together, posts
from tests.integration.triton_server import child_of, running_triton, started
from tests.ports import free_ports


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


def test_a_promotion_does_not_make_it_look_ill(tmp_path: Path) -> None:
    """The new version takes another length: the probe reads the configuration again."""

    def of(version: int) -> str:
        dims = [models.tensor(name, "INT64", str(16 * version)) for name in ("input_ids", "attention_mask")]
        policy = f"version_policy {{ specific {{ versions: [ {version} ] }} }}"
        return models.config("first", inputs=dims, extra=policy)

    repository, content = tmp_path / "repository", models.model(models.classifier())
    models.write(repository, "first", of(1), content)
    child = child_of(tmp_path / "work", repository, free_ports(2))
    assert isinstance(child.ready, Probe)
    with started(child), InferenceServerClient(child.ready.url) as client:
        models.write(repository, "first", of(2), content, version="2")
        client.load_model("first")
        assert not client.is_model_ready("first", "1")
        assert answer(child.ready)


def test_a_canary_may_be_broken(tmp_path: Path) -> None:
    """It is loaded, but neither a missing file nor a damaged configuration of it keeps the others from being served."""
    repository, content = tmp_path / "repository", models.model(models.classifier())
    canary = models.parameter("canary_of", "good") + 'default_model_filename: "absent.onnx"'
    models.write(repository, "good", models.config("good"), content)
    models.write(repository, "good_canary", models.config("good_canary", extra=canary), content)
    models.write(repository, ".unfinished", "damaged {", content)
    with (
        running_triton(tmp_path, repository) as running,
        InferenceServerClient(f"127.0.0.1:{running.grpc_port}") as client,
    ):
        assert client.is_model_ready("good")
        assert not client.is_model_ready("good_canary")
        (repository / "good_canary" / "1" / "model.onnx").rename(repository / "good_canary" / "1" / "absent.onnx")
        client.load_model("good_canary")
        assert client.is_model_ready("good_canary")
    (repository / "good_canary" / "config.pbtxt").write_text("damaged {")
    with running_triton(tmp_path, repository):
        assert "good_canary/config.pbtxt" in (tmp_path / "triton.log").read_text()


def test_what_is_loaded_is_read_at_each_start(tmp_path: Path) -> None:
    """A canary that came while the server ran is served again after a restart."""
    repository, content = tmp_path / "repository", models.model(models.classifier())
    models.write(repository, "good", models.config("good"), content)
    child = child_of(tmp_path / "work", repository, free_ports(2))
    assert child.arguments() == ["--load-model=good"]
    models.write(repository, "good_canary", models.config("good_canary"), content)
    assert child.arguments() == ["--load-model=good", "--load-model=good_canary"]


def test_a_model_that_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    repository, content = tmp_path / "repository", models.model(models.classifier())
    models.write(repository, "good", models.config("good"), content)
    models.write(repository, "bad", models.config("bad", extra='default_model_filename: "absent.onnx"'), content)
    reason = r"^failed to load 'bad' version 1: .* unable to find '.*absent.onnx'$"
    with pytest.raises(NeverReady, match=reason), running_triton(tmp_path, repository):
        pass


def test_instances_get_this_machines_threads_unless_tuned(tmp_path: Path) -> None:
    """ONNX Runtime's pool has a thread less than it computes with, because the caller helps."""
    configured = models.parameter("intra_op_thread_count", "4")
    tuned = configured + models.parameter("tuned_cores", "1000")
    repository, content = tmp_path / "repository", models.model(models.classifier())
    models.write(repository, "plain", models.config("plain", extra=configured), content)
    models.write(repository, "tuned", models.config("tuned", extra=tuned), content)
    with running_triton(tmp_path, repository) as running:
        stubs = {
            name: stub
            for stub in psutil.Process(running.pid).children()
            for name in ("plain", "tuned")
            if any(name in word for word in stub.cmdline())
        }
        assert stubs["tuned"].num_threads() - stubs["plain"].num_threads() == 3
        told = [line for line in (tmp_path / "triton.log").read_text().splitlines() if "tuned on" in line]
    assert len(told) == 1
    assert f"tuned was tuned on 1000 cores, this machine has {physical_cores()}: run" in told[0]


def flood(client: InferenceServerClient, ended: threading.Event) -> str:
    """Asks for more than is answered until it is ended; why the last was refused."""
    sent = []
    while not ended.wait(0.02):
        sent.append(Together(client, "slow", [posts(rows=64, length=16)]))
    answers = [each.wait()[0] for each in sent]
    return str([each for each in answers if isinstance(each, Exception)][-1])


def test_a_full_queue_is_no_illness_while_batches_finish(tmp_path: Path) -> None:
    queue = "dynamic_batching { default_queue_policy { max_queue_size: 1 } }"
    with server_of(tmp_path, ("slow",), extra=models.parameter("intra_op_thread_count", "1") + queue) as (_, _, probe):
        assert answer(probe)
        ended = threading.Event()
        with InferenceServerClient(probe.url) as client, ThreadPoolExecutor(1) as thread:
            flooding = thread.submit(flood, client, ended)
            try:
                # One that never saw the server at work; now and then it is let in, then another one is asked.
                while answer(Probe(probe.url, probe.server_id, probe.configs)):
                    pass
                assert answer(probe)
            finally:
                ended.set()
            assert "maximum queue size" in flooding.result()
