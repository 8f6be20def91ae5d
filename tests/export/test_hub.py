"""Checkpoints from a hub: a small server on loopback plays it, and the hub's own client asks."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LOAD = """
import sys
import export.checkpoints.hub
from export.checkpoint import CheckpointError, load_checkpoint
export.checkpoints.hub.TIMEOUT_S = float(sys.argv[3])
try:
    model, revision = sys.argv[1], sys.argv[2] or None
    with load_checkpoint(model, revision, report=lambda line: print(line, file=sys.stderr)) as checkpoint:
        print(checkpoint.source, checkpoint.revision, checkpoint.architecture)
except CheckpointError as error:
    print(error)
    sys.exit(3)
"""


class Hub(ThreadingHTTPServer):
    """`small/<folder name>` are its models; `asked`: files that were fetched; `kept_waiting`: what got no answer."""

    daemon_threads = True

    def __init__(self, folders: list[Path]) -> None:
        self.folders = {f"small/{folder.name}": folder for folder in folders}
        self.asked: list[str] = []
        self.kept_waiting: list[str] = []
        self.released = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        if "silent" in path and not (path.startswith("/api") and "silent-files" in path):
            self.server.kept_waiting.append(path)
            self.server.released.wait(60)
            self.close_connection = True
        elif path.startswith("/api/models/"):
            self.describe(path.removeprefix("/api/models/"))
        else:
            self.file(path.strip("/"), with_body=with_body)

    def describe(self, path: str) -> None:
        name, _, revision = path.partition("/revision/")
        if name == "small/gated":
            self.reply(403, b"{}", {"X-Error-Code": "GatedRepo"})
        elif name == "small/private":
            self.reply(401, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif name == "small/broken":
            self.reply(500, b"{}")
        elif name not in self.server.folders:
            self.reply(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif revision not in ("", "main", COMMIT):
            self.reply(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        else:
            files = [path.name for path in sorted(self.server.folders[name].iterdir())] + ["onnx/model.onnx"]
            siblings = [{"rfilename": file} for file in files]
            self.reply(200, json.dumps({"id": name, "sha": COMMIT, "siblings": siblings}).encode())

    def file(self, path: str, *, with_body: bool) -> None:
        name, _, rest = path.partition("/resolve/")
        commit, _, file = rest.partition("/")
        assert commit == COMMIT
        if "gated-files" in name:
            return self.reply(403, b"", {"X-Error-Code": "GatedRepo"})
        data = (self.server.folders[name] / file).read_bytes()
        if with_body:
            self.server.asked.append(file)
        headers = {"ETag": f'"{len(data)}-{file}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        return self.reply(200, data, headers, with_body=with_body)

    def reply(self, status: int, data: bytes, headers: dict[str, str] | None = None, *, with_body: bool = True) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if with_body:
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hub(distilbert: Path, tmp_path: Path) -> Iterator[Hub]:
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    (wrong / "config.json").write_text('{"model_type": "bert"}')
    (wrong / "model.safetensors").write_bytes(b"")
    gated = tmp_path / "gated-files"
    gated.mkdir()
    (gated / "config.json").write_text("{}")
    silent = Path(shutil.copytree(gated, tmp_path / "silent-files"))
    server = Hub([distilbert, wrong, gated, silent])
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


def load(
    tmp_path: Path, endpoint: str, model: str, revision: str = "", *, timeout_s: float = 10, **environment: str
) -> tuple[int, str, str]:
    """(exit status, standard output, standard error) of a process of its own: the client reads its settings once."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    ours |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "hub"), "NO_PROXY": "127.0.0.1", **environment}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOAD, model, revision, str(timeout_s)],
        env=ours,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def test_a_model_is_fetched_with_what_it_needs_and_nothing_else(hub: Hub, tmp_path: Path) -> None:
    status, said, reported = load(tmp_path, hub.url, "small/small-distilbert", "main")
    assert (status, said) == (0, f"small/small-distilbert {COMMIT} distilbert")
    assert reported.splitlines() == ["downloading model.safetensors of small/small-distilbert", "checking the weights"]
    assert sorted(hub.asked) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert load(tmp_path, hub.url, "small/small-distilbert")[0] == 0
    assert len(hub.asked) == 3  # the second time from the cache


def test_a_wrong_architecture_is_refused_before_its_weights_are_fetched(hub: Hub, tmp_path: Path) -> None:
    status, said, _ = load(tmp_path, hub.url, "small/wrong")
    assert status == 3
    assert "architecture 'bert'" in said
    assert hub.asked == ["config.json"]


@pytest.mark.parametrize(
    ("model", "revision", "expected"),
    [
        ("small/unknown", "", "there is no small/unknown on the hub: check its name"),
        ("small/small-distilbert", "v9", "there is no revision v9 of small/small-distilbert on the hub"),
        ("small/private", "", "small/private is private or does not exist: check its name, and set HF_TOKEN"),
        ("small/gated", "", "small/gated is gated: accept its terms on the hub, and set HF_TOKEN"),
        ("small/gated-files", "", "small/gated-files is gated: accept its terms on the hub, and set HF_TOKEN"),
        ("small/broken", "", "the Hugging Face hub answers 500 for small/broken: try again later"),
        ("not a name", "", "neither a folder nor a model's id"),
    ],
)
def test_what_the_hub_refuses_is_said_in_a_sentence(
    hub: Hub, tmp_path: Path, model: str, revision: str, expected: str
) -> None:
    status, said, reported = load(tmp_path, hub.url, model, revision)
    assert status == 3
    assert expected in said
    assert "\n" not in said
    assert not reported


def test_a_hub_that_is_not_there_is_not_waited_for(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        status, said, _ = load(tmp_path, endpoint, "small/any")
    assert status == 3
    assert said.startswith("the Hugging Face hub cannot be reached to download small/any: check the network")


@pytest.mark.parametrize("model", ["small/silent", "small/silent-files"])
def test_a_hub_that_never_answers_is_given_up_at_once(hub: Hub, tmp_path: Path, model: str) -> None:
    """Its client would ask six times, with longer and longer pauses."""
    status, said, _ = load(tmp_path, hub.url, model, timeout_s=0.5)
    assert status == 3
    assert "cannot be reached" in said
    assert len(hub.kept_waiting) == 1


def test_offline_is_offline(hub: Hub, tmp_path: Path) -> None:
    status, said, _ = load(tmp_path, hub.url, "small/small-distilbert", HF_HUB_OFFLINE="1")
    assert status == 3
    assert "HF_HUB_OFFLINE" in said
    assert not hub.asked
