"""Triton in a container: what its health check sees, and when the container ends to be started again."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from services.local.triton_server import Installation
from services.triton import health, serve

CONFIG = {
    "max_batch_size": 8,
    "input": [
        {"name": "ids", "data_type": "TYPE_INT64", "dims": ["-1"]},
        {"name": "text", "data_type": "TYPE_STRING", "dims": ["-1", "2"]},
    ],
    "output": [{"name": "logits"}],
    "parameters": {"sequence_lengths": {"string_value": "32,16,64"}},
}
READY = {"name": "a", "version": "1", "state": "READY"}
ANSWER = {"outputs": [{"name": "logits", "data": [0.5, -1.0]}]}


class FakeTriton:
    """Triton's HTTP endpoint on a free port; what it was asked is kept."""

    def __init__(self) -> None:
        self.index: list[dict[str, str]] = [READY]
        self.answers: dict[str, tuple[int, object]] = {}
        self.asked: list[tuple[str, Any]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(None)

            def do_POST(self) -> None:
                self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def _answer(self, body: object) -> None:
                fake.asked.append((self.path, body))
                status, answer = fake.answer(self.path)
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path: str) -> tuple[int, object]:
        if path == "/v2/repository/index":
            return 200, self.index
        model, what = path.removeprefix("/v2/models/").split("/")
        return self.answers.get(model, (200, ANSWER)) if what == "infer" else (200, CONFIG)

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.01)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def triton() -> Iterator[FakeTriton]:
    fake = FakeTriton()
    thread = threading.Thread(target=fake.serve)
    thread.start()
    yield fake
    fake.close()
    thread.join()


def test_every_model_is_asked_for_the_shortest_row(triton: FakeTriton) -> None:
    triton.index = [READY, READY | {"name": "b"}]
    assert health.check(triton.url) == ["a", "b"]
    bodies = [body for path, body in triton.asked if path.endswith("/infer")]
    assert len(bodies) == 2
    assert bodies[0]["inputs"] == [
        {"name": "ids", "shape": [1, 16], "datatype": "INT64", "data": [1] * 16},
        {"name": "text", "shape": [1, 16, 2], "datatype": "BYTES", "data": ["1"] * 32},
    ]


@pytest.mark.parametrize(
    "answer",
    [
        (500, {"error": "Stub process 'a_0' is not healthy."}),
        (200, {"outputs": []}),
        (200, {"outputs": [{"name": "logits", "data": []}]}),
        (200, {"outputs": [{"name": "logits", "data": [float("nan")]}]}),
    ],
)
def test_a_model_that_gives_no_numbers_is_unhealthy(triton: FakeTriton, answer: tuple[int, object]) -> None:
    triton.answers["a"] = answer
    with pytest.raises(health.Unhealthy, match="a"):
        health.check(triton.url)


@pytest.mark.parametrize(
    "index",
    [
        [],
        [{"name": "a"}],
        [READY, {"name": "b", "version": "1", "state": "UNAVAILABLE", "reason": "no such file"}],
    ],
)
def test_a_model_that_is_not_loaded_is_unhealthy(triton: FakeTriton, index: list[dict[str, str]]) -> None:
    triton.index = index
    with pytest.raises(health.NotLoaded):
        health.check(triton.url)


def test_what_need_not_be_loaded_changes_nothing(triton: FakeTriton) -> None:
    old_version = {"name": "a", "version": "0", "state": "UNAVAILABLE", "reason": "unloaded"}
    triton.index = [old_version, READY, {"name": "a_canary", "state": "UNAVAILABLE"}, {"name": ".unfinished"}]
    assert health.check(triton.url) == ["a"]


def test_a_server_that_is_not_there_is_unhealthy(triton: FakeTriton) -> None:
    with pytest.raises(health.Unhealthy, match="refused"):
        health.check("http://127.0.0.1:1")


def test_the_command_tells_the_reason(triton: FakeTriton) -> None:
    script = Path(health.__file__)
    # In Python without anything else, as in the images.
    command = [sys.executable, "-I", "-S", str(script), triton.url]
    good = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (good.returncode, good.stdout) == (0, "every model answers: a\n")
    triton.answers["a"] = (500, {"error": "broken"})
    bad = subprocess.run(command, capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert "broken" in bad.stdout


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


@pytest.fixture
def server() -> Iterator[subprocess.Popen[bytes]]:
    with sleeper() as process:
        yield process
        process.kill()


def test_the_container_ends_when_a_model_has_ceased_to_answer(
    server: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "HEALTH_INTERVAL_S", 0.01)
    answers = iter([False] * 5 + [True, False, False, True] + [False] * 3)

    def check() -> None:
        if not next(answers):
            raise health.Unhealthy("no answer")

    monkeypatch.setattr(health, "check", check)
    assert serve.serve(server, threading.Event()) == 1
    assert next(answers, None) is None


def test_the_container_ends_when_models_never_answer(
    server: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "HEALTH_INTERVAL_S", 0.01)
    monkeypatch.setattr(serve, "READY_TIMEOUT_S", 0.0)

    def check() -> None:
        raise health.Unhealthy("no answer")

    monkeypatch.setattr(health, "check", check)
    assert serve.serve(server, threading.Event()) == 1


def test_the_container_ends_when_a_model_could_not_be_loaded(
    server: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "HEALTH_INTERVAL_S", 0.01)

    def check() -> None:
        raise health.NotLoaded("no such file")

    monkeypatch.setattr(health, "check", check)
    assert serve.serve(server, threading.Event()) == 1


def test_a_server_that_ends_by_itself_is_a_failure_and_one_that_was_told_to_is_none() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        assert serve.serve(process, threading.Event()) == 1
    told = threading.Event()
    told.set()
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        assert serve.serve(process, told) == 0


def test_the_server_is_open_to_others_but_for_http_and_its_management(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", ".unfinished"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.pbtxt").touch()
    monkeypatch.setattr(serve, "REPOSITORY", tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tritonserver").touch(0o755)
    installation = Installation(tmp_path, tmp_path / "stub", {})
    command = serve.command(installation, tmp_path / "backends", "cpu", "secret")
    assert not any(part.startswith("--trace-config") for part in command)
    traced = serve.command(installation, tmp_path / "backends", "cpu", "secret", "http://jaeger:4318")
    assert "--trace-config=opentelemetry,url=http://jaeger:4318/v1/traces" in traced
    apart = serve.command(installation, tmp_path / "backends", "cpu", "secret", grpc_host="here")
    assert {"--grpc-address=here", "--metrics-address=0.0.0.0"} < set(apart)
    assert "--more=1" in serve.command(installation, tmp_path / "backends", "cpu", "secret", flags=["--more=1"])
    assert {"--grpc-address=0.0.0.0", "--metrics-address=0.0.0.0", "--http-address=127.0.0.1"} < set(command)
    assert [part for part in command if part.startswith("--load-model")] == ["--load-model=a", "--load-model=b"]
    restricted = next(part for part in command if part.startswith("--grpc-restricted-protocol="))
    assert restricted.endswith(":undertone-key=secret")
    assert {"model-repository", "model-config", "shared-memory"} < set(
        restricted.partition("=")[2].split(":")[0].split(",")
    )
