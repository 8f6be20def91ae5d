"""A Docker engine: the one of this machine, else one that is started for the while, on Debian and as root.

That one is made of Debian's packages, unpacked into a folder of the cache; the images that the compose files begin with
are then stand-ins (stand_ins/Dockerfile), since nothing here asks a registry.
"""

import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from services.common.errors import UndertoneError

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "undertone" / "engine"
# The first that waits for one-shots, and reads `start_interval`.
MIN_COMPOSE = (2, 24)
SUITE = "trixie"
PACKAGES = ("docker.io", "docker-cli", "docker-compose", "docker-buildx", "containerd", "tini")
# From the machine's own Debian: they need its C library and its kernel.
TOOLS = {"runc": "runc", "iptables-save": "iptables", "mmdebstrap": "mmdebstrap"}
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0
# Image as the compose files name it -> its target among the stand-ins.
STAND_INS = {
    "python:3.13-slim": "python",
    "python:3.11-slim-bookworm": "python311",
    "node:22-slim": "node",
    "nginx:1.28": "nginx",
    "redis:8.0": "redis",
    "postgres:17-trixie": "postgres",
    "prom/prometheus:v2.53.3": "prometheus",
    "prometheuscommunity/postgres-exporter:v0.17.1": "postgres-exporter",
    "oliver006/redis_exporter:v1.69.0-alpine": "redis-exporter",
}
# Of the packet filter, those that the engine writes to.
TABLES = {"filter": ("INPUT", "FORWARD", "OUTPUT"), "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING")}
IP_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


class NoEngine(UndertoneError):
    """There is none and none can be started; the message says what to do."""


@contextmanager
def available(cache: Path = CACHE) -> Iterator[Mapping[str, str]]:
    """The environment in which `docker compose` works while the block runs."""
    if works(os.environ):
        yield os.environ
        return
    obstacle = _obstacle()
    if obstacle:
        raise NoEngine(f"no Docker engine with compose 2.24 or newer answers, and none can be started here: {obstacle}")
    _tell(f"no Docker engine answers; starting one for the while, with what it needs in {cache}")
    with running(cache) as environment:
        make_stand_ins(cache, environment)
        yield environment


def works(environment: Mapping[str, str]) -> bool:
    """Whether an engine answers, and compose is new enough."""
    try:
        answers = [
            subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout
            for command in (["docker", "info"], ["docker", "compose", "version", "--short"])
        ]
    except (OSError, subprocess.SubprocessError):
        return False
    found = re.match(r"v?(\d+)\.(\d+)", answers[1])
    return found is not None and tuple(map(int, found.groups())) >= MIN_COMPOSE


def _obstacle() -> str:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64") or not shutil.which("dpkg-deb"):
        return "that takes Debian on x86-64; install Docker"
    if os.geteuid() != 0:
        return "that takes root; start yours, or run this as root"
    return "" if _mirror() else "apt has no mirror of Debian in its sources"


def _mirror() -> str:
    """Where this machine's own packages come from."""
    files = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    text = "\n".join(path.read_text() for path in files if path.is_file())
    found = re.search(r"^(?:URIs:|deb(?: \[[^]]*\])?) *(\S+/debian/?)(?:\s|$)", text, re.MULTILINE)
    return found[1] if found else ""


@contextmanager
def running(cache: Path) -> Iterator[Mapping[str, str]]:
    """An engine of our own; what it changes in the machine's network is undone at the end."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = [package for tool, package in TOOLS.items() if not shutil.which(tool)]
    if missing:
        _tell(f"installing {', '.join(missing)}")
        _run("apt-get", "update", "-qq")
        _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)
    programs = cache / "programs"
    if not (programs / "usr/sbin/dockerd").exists():
        _fetch(cache, programs)
    work = cache / "run"
    environment = {
        "PATH": f"{programs}/usr/bin:{programs}/usr/sbin:{os.environ['PATH']}",
        "HOME": os.environ.get("HOME", "/root"),
        "DOCKER_HOST": f"unix://{work}/docker.sock",
        "DOCKER_CONFIG": str(cache / "config"),
    }
    with ExitStack() as undo:
        for save, restore in (("iptables-save", "iptables-restore"), ("ip6tables-save", "ip6tables-restore")):
            undo.callback(_run, restore, text=_whole(_run(save)))
        undo.callback(IP_FORWARD.write_text, IP_FORWARD.read_text())
        undo.callback(subprocess.run, ["ip", "link", "delete", "docker0"], check=False, capture_output=True)
        work.mkdir(parents=True, exist_ok=True)
        with (cache / "dockerd.log").open("w") as log:
            dockerd = subprocess.Popen(
                [
                    *("dockerd", f"--data-root={cache}/data", f"--exec-root={work}/exec"),
                    *(f"--pidfile={work}/docker.pid", f"--host={environment['DOCKER_HOST']}"),
                ],
                env=environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        try:
            _wait_until_it_works(dockerd, environment, cache / "dockerd.log")
            yield environment
        finally:
            _stop(dockerd, environment)


def _whole(rules: str) -> str:
    """As `iptables-save` has them, with the tables that are not there yet: restored, they are empty."""
    empty = {table: "".join(f":{chain} ACCEPT [0:0]\n" for chain in chains) for table, chains in TABLES.items()}
    return rules + "".join(
        f"*{table}\n{chains}COMMIT\n" for table, chains in empty.items() if f"*{table}\n" not in rules
    )


def _fetch(cache: Path, programs: Path) -> None:
    """Unpacks the engine. apt gets lists of its own for it: the machine's sources stay as they are."""
    _tell(f"fetching the engine from {_mirror()} ({SUITE})")
    apt, packages = cache / "apt", cache / "packages"
    for folder in (apt / "lists" / "partial", apt / "cache" / "archives" / "partial", packages):
        folder.mkdir(parents=True, exist_ok=True)
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (apt / "sources.list").write_text(f"deb [signed-by={keys}] {_mirror()} {SUITE} main\n")
    options = {
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": apt / "lists",
        "Dir::Cache": apt / "cache",
        "APT::Sandbox::User": "root",
    }
    get = ["apt-get", "-qq", *(part for name, value in options.items() for part in ("-o", f"{name}={value}"))]
    _run(*get, "update")
    _run(*get, "download", *PACKAGES, folder=packages)
    unfinished = programs.with_name("programs.unfinished")
    for package in packages.glob("*.deb"):
        _run("dpkg-deb", "-x", str(package), str(unfinished))
    plugins = cache / "config" / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    for plugin in (unfinished / "usr/libexec/docker/cli-plugins").iterdir():
        (plugins / plugin.name).unlink(missing_ok=True)
        (plugins / plugin.name).symlink_to(programs / "usr/libexec/docker/cli-plugins" / plugin.name)
    unfinished.rename(programs)
    shutil.rmtree(packages)


def _wait_until_it_works(dockerd: subprocess.Popen[bytes], environment: Mapping[str, str], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not works(environment):
        if dockerd.poll() is not None or time.monotonic() > deadline:
            raise NoEngine(f"dockerd does not start:\n{log.read_text()[-2_000:]}")
        time.sleep(0.25)


def _stop(dockerd: subprocess.Popen[bytes], environment: Mapping[str, str]) -> None:
    if dockerd.poll() is None:
        containers = _run("docker", "ps", "-aq", environment=environment).split()
        if containers:
            _run("docker", "rm", "-f", "-v", *containers, environment=environment)
        _run("docker", "network", "prune", "-f", environment=environment)
        dockerd.terminate()
        try:
            dockerd.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(dockerd.pid, signal.SIGKILL)
            dockerd.wait()
    _tell("the engine is stopped")


def make_stand_ins(cache: Path, environment: Mapping[str, str]) -> None:
    """Those of the images that are not there yet."""
    for suite in ("trixie", "bookworm"):
        if not _has(f"undertone-debian:{suite}", environment):
            _make_debian(suite, cache, environment)
    for image, target in STAND_INS.items():
        if not _has(image, environment):
            _tell(f"making a stand-in for {image}")
            file = ROOT / "tests/compose/stand_ins/Dockerfile"
            _run(
                "docker",
                "build",
                "-q",
                "-f",
                str(file),
                "--target",
                target,
                "-t",
                image,
                str(ROOT),
                environment=environment,
            )


def _make_debian(suite: str, cache: Path, environment: Mapping[str, str]) -> None:
    """A small Debian that trusts whom this machine trusts: packages come to it by the same way."""
    _tell(f"making Debian {suite}")
    archive, context = cache / f"{suite}.tar", cache / "context"
    _run("mmdebstrap", "-q", "--variant=minbase", "--include=ca-certificates", suite, str(archive), _mirror())
    _run("docker", "import", str(archive), f"undertone-debootstrap:{suite}", environment=environment)
    archive.unlink()
    shutil.rmtree(context, ignore_errors=True)
    (context / "certificates").mkdir(parents=True)
    for certificate in Path("/usr/local/share/ca-certificates").glob("**/*.crt"):
        shutil.copy(certificate, context / "certificates")
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    (context / "Dockerfile").write_text(
        f"FROM undertone-debootstrap:{suite}\n"
        "COPY certificates/ /usr/local/share/ca-certificates/\n"
        "RUN update-ca-certificates\n"
        f"ENV PIP_CERT={bundle} NODE_EXTRA_CA_CERTS={bundle}\n"
    )
    _run("docker", "build", "-q", "-t", f"undertone-debian:{suite}", str(context), environment=environment)


def _has(image: str, environment: Mapping[str, str]) -> bool:
    command = ["docker", "image", "inspect", image]
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0


def _run(
    *command: str, environment: Mapping[str, str] | None = None, folder: Path | None = None, text: str | None = None
) -> str:
    """What it prints; NoEngine with its complaint when it fails."""
    try:
        done = subprocess.run(
            command, env=environment, cwd=folder, input=text, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise NoEngine(f"{command[0]} does not start: {error}") from None
    if done.returncode:
        raise NoEngine(f"`{' '.join(command[:4])} …` failed: {(done.stderr or done.stdout).strip()[-2_000:]}")
    return done.stdout


def _tell(sentence: str) -> None:
    print(f"[engine] {sentence}", file=sys.stderr, flush=True)
