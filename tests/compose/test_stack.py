"""The running system: posts in, rows and frames out; what is closed is closed; and it heals. In this order."""

import asyncio
import contextlib
import json
import re
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from services.api.web.middleware import SECURITY_HEADERS
from tests.compose.stack import ONE_SHOTS, Stack, docker, write_posts
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(1_800)

# What a service may add to the image that it stands on.
MAX_ADDED_BYTES = 150_000_000
MAX_TRITON_BYTES = 1_000_000_000
METRICS = {"api": 8000, "worker": 9101, "ingester": 9102, "keeper": 9103}
SERVERS = {"postgres": 5432, "redis": 6379, "triton": 8001, "worker": 9101}
CONNECT = """
import socket, sys
for address, port in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        socket.create_connection((address, int(port)), 2).close()
        print(address, "reached")
    except OSError:
        pass
"""
FETCH = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())"
KILL_A_MODEL = """
for exe in /proc/[0-9]*/exe; do
    process=${exe#/proc/}
    case $(readlink "$exe") in *python_backend_stub) kill -9 "${process%/exe}"; exit ;; esac
done
exit 1
"""
ASK_TRITON = """
import sys, tritonclient.grpc as triton
client = triton.InferenceServerClient("triton:8001")
headers = {"triton-grpc-protocol-undertone-key": sys.argv[1]} if sys.argv[1:] else None
assert client.is_server_ready()
for name, ask in {
    "index": lambda: client.get_model_repository_index(headers=headers),
    "statistics": lambda: client.get_inference_statistics(headers=headers),
    "log": lambda: client.get_log_settings(headers=headers),
    "shared memory": lambda: client.get_system_shared_memory_status(headers=headers),
    "load": lambda: client.load_model("sentiment", headers=headers),
}.items():
    try:
        ask()
        print(name, "done")
    except triton.InferenceServerException as error:
        assert "restricted" in str(error), error
"""


async def test_everything_is_healthy_and_what_runs_once_has_ended_well(stack: Stack) -> None:
    assert await stack.is_healthy(), stack.states()
    for name in ONE_SHOTS:
        (container,) = stack.compose("ps", "-aq", name).split()
        state = stack.inspect(container)["State"]
        assert (state["Status"], state["ExitCode"]) == ("exited", 0), name


def test_no_container_has_rights(stack: Stack) -> None:
    for name in stack.services:
        for container in stack.containers(name):
            found = stack.inspect(container)
            assert found["HostConfig"]["ReadonlyRootfs"], name
            assert found["HostConfig"]["CapDrop"] == ["ALL"], name
            assert not found["HostConfig"]["Privileged"], name
            status = stack.exec(name, "cat", "/proc/1/status")
            assert re.search(r"^Uid:\s+0\b", status, re.MULTILINE) is None, name
            assert re.search(r"^CapEff:\s+0+$", status, re.MULTILINE), name
            assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE), name


def test_images_are_small_and_hold_no_tools(stack: Stack) -> None:
    def size(image: str) -> int:
        return int(docker("image", "inspect", "--format={{.Size}}", image))

    python = stack.values.get("PYTHON_IMAGE", "python:3.13-slim")
    assert size("undertone:local") - size(python) < MAX_ADDED_BYTES
    assert size("undertone-triton:local") < MAX_TRITON_BYTES
    stack.exec("worker", "sh", "-c", "! test -e /venv/bin/pip && ! command -v gcc strip && ! test -e /app/.env")
    stack.exec("triton", "sh", "-c", "! test -e /opt/triton/bin/pip && ! command -v gcc")


async def test_posts_that_are_sent_become_rows_each_once(stack: Stack, tmp_path: Path) -> None:
    ids = write_posts(tmp_path / "posts.jsonl", "first", 300)
    stack.replay(tmp_path, "posts.jsonl")

    async def stored() -> bool:
        return stack.rows("first") == (len(ids), len(ids))

    await eventually(stored, "every post stored and analysed", timeout_s=120)


def test_the_dashboard_is_served_with_its_headers(stack: Stack) -> None:
    with stack.client(None) as client:
        page = client.get("/")
        assert page.status_code == 200
        assert "text/html" in page.headers["content-type"]
        assert client.get("/explore").text == page.text
        for name, value in SECURITY_HEADERS.items():
            assert page.headers[name] == value
        assert page.headers["server"] == "nginx"
        assert page.headers["cache-control"] == "no-cache"
        found = re.search(r'src="(/assets/[^"]+\.js)"', page.text)
        assert found
        script = client.get(found[1], headers={"Accept-Encoding": "gzip"})
        assert "immutable" in script.headers["cache-control"]
        assert script.headers["content-encoding"] == "gzip"
        for name, value in SECURITY_HEADERS.items():
            assert script.headers[name] == value
        # A page of another build has the same length and, in the image, the same time.
        assert client.get("/", headers={"If-Modified-Since": page.headers["last-modified"]}).status_code == 200
        for missing in ("/assets/nothing.js", "/nothing.js", "/metrics", "/.env"):
            assert client.get(missing).status_code == 404, missing


async def test_the_api_answers_those_who_have_a_key(stack: Stack) -> None:
    with stack.client(None) as client:

        async def is_healthy() -> bool:
            return bool(client.get("/api/health").json()["status"] == "healthy")

        await eventually(is_healthy, "the API and all that it needs are healthy")
        refused = client.get("/api/posts")
        assert refused.status_code == 401
        assert "www-authenticate" in refused.headers
        assert client.post("/predict", json={"inputs": "I love it"}).status_code == 401
    with stack.client("dashboard") as client:
        assert client.get("/api/posts").status_code == 200
        assert client.get("/api/dead-letters").status_code == 200
        assert client.post("/api/dead-letters/drop", json={}).status_code == 403
    with stack.client("ingest") as client:
        answer = client.post("/predict", json={"inputs": "I love it"})
        assert answer.status_code == 200
        assert answer.json()[0]["label"] == "positive"
        assert client.get("/api/posts").status_code == 403


def test_bodies_are_limited(stack: Stack) -> None:
    with stack.client() as client:
        assert client.post("/predict", json={"inputs": "x" * 1_500_000}).status_code == 413
        # Beyond what the API would read, the web server ends it.
        with contextlib.suppress(httpx.WriteError):
            assert client.post("/predict", json={"inputs": "x" * 3_000_000}).status_code == 413


async def test_frames_of_the_websocket_pass(stack: Stack) -> None:
    url = stack.url.replace("http", "ws") + "/ws/sentiment"
    with pytest.raises(InvalidStatus):
        async with connect(url):
            pass
    key = {"Authorization": f"Bearer {stack.keys['dashboard']}"}
    async with connect(url, additional_headers=key, origin=Origin(stack.url)) as socket:
        kinds = set()
        async with asyncio.timeout(60):
            while "new_post" not in kinds:
                kinds.add(json.loads(await socket.recv())["type"])
    assert "connected" in kinds


def test_every_service_has_metrics_inside_only(stack: Stack) -> None:
    for name, port in METRICS.items():
        assert "# TYPE undertone_" in stack.probe("monitoring", FETCH, f"http://{name}:{port}/metrics"), name
    assert "nv_inference_count" in stack.probe("inference", FETCH, "http://triton:8002/metrics")


def test_nothing_but_the_api_is_within_reach_of_the_frontends_network(stack: Stack) -> None:
    targets = []
    for name, port in SERVERS.items():
        targets += [name, str(port)]
        for container in stack.containers(name):
            for network in stack.inspect(container)["NetworkSettings"]["Networks"].values():
                targets += [network["IPAddress"], str(port)]
    assert stack.probe("edge", CONNECT, *targets, "frontend", "8080") == "frontend reached"


def test_who_takes_the_spans_of_triton_does_not_reach_its_grpc_endpoint(stack: Stack) -> None:
    (container,) = stack.containers("triton")
    networks = stack.inspect(container)["NetworkSettings"]["Networks"].values()
    targets = [part for network in networks for part in (network["IPAddress"], "8001")]
    assert stack.probe("tracing", CONNECT, "triton", "8001", *targets) == ""
    assert stack.probe("tracing", CONNECT, "triton", "8002") == "triton reached"


def test_internal_networks_lead_nowhere(stack: Stack) -> None:
    for name in ("stream", "database", "inference", "monitoring", "tracing"):
        (network,) = json.loads(docker("network", "inspect", f"{stack.project}_{name}"))
        assert network["Internal"], name


def test_triton_lets_nobody_manage_it_without_the_key(stack: Stack) -> None:
    assert stack.probe("inference", ASK_TRITON) == ""
    assert stack.probe("inference", ASK_TRITON, "wrong") == ""
    done = stack.probe("inference", ASK_TRITON, stack.values["TRITON_KEY"]).splitlines()
    assert done == [f"{name} done" for name in ("index", "statistics", "log", "shared memory", "load")]
    # Its HTTP endpoint, which asks for no key, is the container's own.
    assert stack.probe("inference", CONNECT, "triton", "8000", "triton", "8001") == "triton reached"


async def test_three_workers_share_the_posts(stack: Stack, tmp_path: Path) -> None:
    stack.up("--no-recreate", "--scale", "worker=3")
    assert len(stack.containers("worker")) == 3
    ids = write_posts(tmp_path / "posts.jsonl", "scaled", 1_200)
    stack.replay(tmp_path, "posts.jsonl")

    async def stored() -> bool:
        return stack.rows("scaled") == (len(ids), len(ids))

    await eventually(stored, "every post stored and analysed", timeout_s=300)
    for container in stack.containers("worker"):
        metrics = docker("exec", container, "python", "-c", FETCH, "http://127.0.0.1:9101/metrics")
        stored_posts = re.search(r"^undertone_worker_posts_stored_total (\S+)$", metrics, re.MULTILINE)
        assert stored_posts
        assert float(stored_posts[1]) > 0, container


@pytest.mark.parametrize("name", ["worker", "ingester", "api", "frontend", "keeper", "triton", "redis", "postgres"])
async def test_what_is_killed_comes_back(stack: Stack, name: str, tmp_path: Path) -> None:
    container = stack.containers(name)[0]
    before = stack.inspect(container)["RestartCount"]
    # All but the init process, which then ends as well. `docker kill` would count as the wish of a person.
    docker("exec", container, "sh", "-c", "kill -9 -1", check=False)

    async def restarted() -> bool:
        return bool(stack.inspect(container)["RestartCount"] > before)

    await eventually(restarted, f"{name} started again", timeout_s=60)
    await eventually(stack.is_healthy, "everything healthy again", timeout_s=300)
    ids = write_posts(tmp_path / "posts.jsonl", f"after-{name}", 50)
    stack.replay(tmp_path, "posts.jsonl")

    async def stored() -> bool:
        return stack.rows(f"after-{name}") == (len(ids), len(ids))

    await eventually(stored, "posts arrive again", timeout_s=120)


async def test_a_model_whose_process_died_is_started_again(stack: Stack) -> None:
    (container,) = stack.containers("triton")
    before = stack.inspect(container)["RestartCount"]
    stack.exec("triton", "sh", "-c", KILL_A_MODEL)

    async def restarted() -> bool:
        return bool(stack.inspect(container)["RestartCount"] > before)

    await eventually(restarted, "Triton started again", timeout_s=120)
    await eventually(stack.is_healthy, "everything healthy again", timeout_s=300)


async def test_after_a_restart_of_everything_the_rows_are_still_there(stack: Stack) -> None:
    before = {source: stack.rows(source) for source in ("first", "scaled")}
    stack.compose("down", "--timeout=30")
    assert stack.states() == {}
    stack.up()
    assert {source: stack.rows(source) for source in before} == before
    with stack.client("dashboard") as client:
        assert client.get("/api/posts").json()["posts"]
