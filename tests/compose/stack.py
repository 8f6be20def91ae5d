"""The system as docker-compose.cpu.yml has it, under a project name of its own, with passwords of its own."""

import json
import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

from deploy import make_env

ROOT = Path(__file__).parents[2]
# Of `docker compose` only these: what else is set here must not reach the containers.
INHERITED = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "DOCKER_CONTEXT")
# A first start builds nothing any more, but loads two models on a machine that may have much else to do.
UP_TIMEOUT_S = 600
COMMAND_TIMEOUT_S = 900


def inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


def docker(*arguments: str, check: bool = True, environment: Mapping[str, str] | None = None, given: str = "") -> str:
    """What `docker …` prints when it reads what is given; AssertionError with all of it when it fails."""
    done = subprocess.run(
        ["docker", *arguments],
        cwd=ROOT,
        env={**inherited(), **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_TIMEOUT_S,
        input=given,
    )
    if check and done.returncode:
        raise AssertionError(f"docker {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def config(name: str, values: Mapping[str, str], *profiles: str) -> dict[str, Any]:
    """A compose file as Docker understands it."""
    chosen = [f"--profile={profile}" for profile in profiles]
    parsed: dict[str, Any] = json.loads(
        docker("compose", "-f", name, *chosen, "config", "--format=json", environment=values)
    )
    return parsed


@dataclass(frozen=True)
class Stack:
    """`values`: what .env would hold, taken up by the next `up`; `keys`: the texts of the API's keys by their names."""

    project: str
    values: dict[str, str]
    keys: dict[str, str]
    files: Sequence[str] = ("docker-compose.cpu.yml",)

    @property
    def environment(self) -> dict[str, str]:
        return inherited() | self.values

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.values['FRONTEND_PORT']}"

    def compose(self, *arguments: str, check: bool = True, given: str = "") -> str:
        files = [f"--file={name}" for name in self.files]
        command = ("compose", f"--project-name={self.project}", *files, *arguments)
        return docker(*command, check=check, environment=self.values, given=given)

    def up(self, *arguments: str) -> None:
        self.compose("up", "--wait", f"--wait-timeout={UP_TIMEOUT_S}", *arguments)

    def containers(self, service: str) -> list[str]:
        return self.compose("ps", "-q", service).split()

    def inspect(self, container: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(docker("inspect", container))[0]
        return found

    @cached_property
    def services(self) -> list[str]:
        return self.compose("config", "--services").split()

    def states(self, *services: str) -> dict[str, str]:
        """Container -> healthy, unhealthy, starting, or how it is when nobody looks after its health."""
        lines = self.compose("ps", "-a", "--format=json", *services).splitlines()
        found = [json.loads(line) for line in lines]
        return {each["Name"]: each["Health"] or each["State"] for each in found}

    async def is_healthy(self) -> bool:
        """Whether everything that is to run is healthy."""
        running = self.states(*(name for name in self.services if name not in ONE_SHOTS))
        return bool(running) and set(running.values()) == {"healthy"}

    def exec(self, service: str, *command: str, check: bool = True, given: str = "") -> str:
        return self.compose("exec", "-T", service, *command, check=check, given=given)

    def probe(self, network: str, code: str, *arguments: str) -> str:
        """What Python code prints in a container of ours on one of the networks."""
        network = f"--network={self.project}_{network}"
        return docker("run", "--rm", network, "undertone:local", "python", "-c", code, *arguments)

    def query(self, statement: str) -> str:
        return self.exec("postgres", "psql", "-qAtX", "-U", "undertone", "-d", "undertone", "-c", statement)

    def rows(self, source: str) -> tuple[int, int]:
        """(posts of that source, those of them that are analysed)."""
        counted = self.query(
            "SELECT count(*), count(a.post_id) FROM social_media_posts AS p"
            f" LEFT JOIN sentiment_analysis AS a USING (post_id) WHERE source = '{source}'"
        )
        posts, analysed = map(int, counted.split("|"))
        return posts, analysed

    def replay(self, folder: Path, name: str) -> None:
        """A file of posts through the ingester, as fast as the workers follow."""
        command = ("python", "-m", "services.ingester", "--source", "replay", "--file", f"/posts/{name}")
        self.compose("run", "--rm", "-T", "--no-deps", "-v", f"{folder}:/posts:ro", "ingester", *command)

    def client(self, key: str | None = "admin") -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.keys[key]}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)

    def logs(self) -> str:
        return self.compose("logs", "--no-color", "--tail=40", check=False)


ONE_SHOTS = ("migrate", "models")


def new_stack() -> Stack:
    values, keys = make_env.make_values({})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    project = f"undertone-test-{os.getpid()}"
    settings = {
        "FRONTEND_PORT": str(port),
        "POSTS_PER_MINUTE": "120",
        # test_monitoring.py starts it: deliveries to a receiver that is not there yet are figures as well.
        "ALERT_WEBHOOKS": "ops=http://played-gpu:8000/hook",
    }
    return Stack(project, values | settings, keys)


def write_posts(path: Path, source: str, count: int) -> Sequence[str]:
    """Their ids."""
    ids = [f"{source}-{number}" for number in range(count)]
    posts = (
        {"post_id": post_id, "source": source, "content": f"I love number {number}", "author": "ada"}
        | {"created_at": "2026-01-31T12:00:00Z"}
        for number, post_id in enumerate(ids)
    )
    path.write_text("".join(f"{json.dumps(post)}\n" for post in posts))
    path.parent.chmod(0o755)
    return ids
