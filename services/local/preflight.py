"""What would stop `make run` later, found before anything starts and told all at once."""

import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from services.common.errors import ConfigurationError
from services.local.binaries import postgres_install, postgres_program, valkey_server, version_of
from services.local.named_servers import NamedServers
from services.local.ports import PortNeed, port_problems

NEEDED_DISK_BYTES = 1_000_000_000
SERVICE_PACKAGES = ("uvicorn", "fastapi", "tokenizers", "tritonclient")


def require(local_dir: Path, named: NamedServers, needs: Sequence[PortNeed]) -> None:
    """ConfigurationError that lists every problem of this machine, a line each."""
    problems = [
        *_disk(local_dir),
        *_platform(named),
        *_programs(named),
        *_libraries(),
        *port_problems(needs),
    ]
    if problems:
        raise ConfigurationError("\n".join(problems))


def _disk(local_dir: Path) -> Iterator[str]:
    try:
        local_dir.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(local_dir).free
    except OSError as error:
        yield f"LOCAL_DIR ({local_dir}) cannot be used: {error.strerror}"
        return
    if free < NEEDED_DISK_BYTES:
        yield (
            f"only {free / 1e6:.0f} MB are free in {local_dir.resolve()}: databases and logs need "
            f"{NEEDED_DISK_BYTES / 1e9:.0f} GB; make room, or set LOCAL_DIR to another disk"
        )


def _platform(named: NamedServers) -> Iterator[str]:
    here = f"{platform.system()} {platform.machine()}"
    if not sys.platform.startswith("linux"):
        bring = [name for name, has in (("DATABASE_URL", named.database), ("REDIS_URL", named.redis)) if not has]
        if bring:
            yield f"{here}: the embedded servers are for Linux; set {' and '.join(bring)} to servers of your own"
    if not named.triton and here != "Linux x86_64":
        yield f"{here}: the embedded Triton is for Linux x86_64; set TRITON_URL to a server of your own"


def _programs(named: NamedServers) -> Iterator[str]:
    """The server programs are there and run on this machine: a missing library shows here."""
    if not sys.platform.startswith("linux"):
        return
    wanted: list[Callable[[], Path]] = []
    if not named.database:
        wanted.append(lambda: postgres_program(postgres_install(), "postgres"))
    if not named.redis:
        wanted.append(valkey_server)
    for program in wanted:
        try:
            version_of(program())
        except ConfigurationError as error:
            yield str(error)


def _libraries() -> Iterator[str]:
    missing = [name for name in SERVICE_PACKAGES if not find_spec(name)]
    if missing:
        yield f"Python packages are missing in {sys.prefix}: {', '.join(missing)}; run `make run`"
