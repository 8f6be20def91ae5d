"""The wheels of everything that is measured on a GPU, for a machine that has no network."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement

from bench.gpu.wheels import PLATFORMS, WheelError, is_large, requirements


def wanted(python: str, *, large: bool) -> list[str]:
    """The requirements on x86-64 Linux with that Python (`3.12`); `large`: with torch and the libraries of CUDA."""
    environment: dict[str, str | set[str]] = {
        **{name: str(value) for name, value in default_environment().items()},
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    found: dict[str, None] = {}
    for line in [line for lines in requirements().values() for line in lines]:
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate(environment):
            continue
        if large or not is_large(line):
            requirement.marker = None
            found[str(requirement)] = None
    return list(found)


def collect(folder: Path, python: str, *, large: bool) -> list[Path]:
    """Downloads what is missing in the folder; every wheel in it. WheelError where there is none of a requirement."""
    folder.mkdir(parents=True, exist_ok=True)
    packages = wanted(python, large=large)
    for number, package in enumerate(packages, start=1):
        print(f"\r{number} of {len(packages)}: {package:40.40}", end="", flush=True)
        _download(folder, python, package)
    print()
    return sorted(folder.glob("*.whl"))


def _download(folder: Path, python: str, package: str) -> None:
    platforms = [option for platform in PLATFORMS for option in ("--platform", platform)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    target: Sequence[str] = ["--only-binary=:all:", "--implementation", "cp", "--python-version", python, *platforms]
    answer = subprocess.run(
        [*command, *target, "--dest", str(folder), package], capture_output=True, text=True, check=False
    )
    if answer.returncode:
        raise WheelError(f"there is no wheel of {package} for Python {python}:\n{answer.stderr.strip()[-1_000:]}")
