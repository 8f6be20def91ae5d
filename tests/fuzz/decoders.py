"""One decoder after the other, each in a process of its own: whatever happens to it, the others have their turn."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz.catalogue import module_of

# Beyond its share, before it is killed: the last input may take long.
GRACE_S = 60.0
MEMORY = Path("/dev/shm")
_EXECUTIONS = re.compile(r"^(?:#|stat::number_of_executed_units: )(\d+)")


@dataclass(frozen=True)
class Outcome:
    """`findings`: files with inputs that broke the property; `error`: the last lines of the process, if it failed."""

    name: str
    executions: int
    corpus: int
    findings: tuple[Path, ...]
    error: str


def is_guided() -> bool:
    return find_spec("atheris") is not None


def fuzz(name: str, seconds: float, folder: Path, tell: Callable[[int], None]) -> Outcome:
    """Fuzzes the target for so long, or to its first finding; `tell` hears the number of executions now and then.

    `folder` keeps the corpus, from which the next run goes on, and the findings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = findings_in(folder)
    module = "guided" if is_guided() else "unguided"
    command = [
        sys.executable,
        "-m",
        f"tests.fuzz.{module}",
        module_of(name),
        name,
        "--seconds",
        str(max(1, round(seconds))),
    ]
    log = folder / "log"
    with (
        # In memory, where the machine has that. Here, because libFuzzer ends without a word to Python.
        tempfile.TemporaryDirectory(prefix="fuzz-", dir=MEMORY if MEMORY.is_dir() else None) as scratch,
        log.open("wb") as output,
        subprocess.Popen(
            [*command, "--folder", str(folder)], stdout=output, stderr=output, env=os.environ | {"TMPDIR": scratch}
        ) as process,
    ):
        deadline = time.monotonic() + seconds + GRACE_S
        try:
            while process.poll() is None:
                if time.monotonic() > deadline:
                    process.kill()
                tell(executions_in(log))
                time.sleep(0.2)
        except BaseException:
            process.kill()
            raise
    error = "" if process.returncode == 0 else log.read_text(errors="replace")[-3_000:]
    corpus = len(list((folder / "corpus").glob("*")))
    return Outcome(name, executions_in(log), corpus, tuple(sorted(findings_in(folder) - before)), error)


def findings_in(folder: Path) -> set[Path]:
    """libFuzzer names them by their kind."""
    return {path for kind in ("crash", "timeout", "oom", "slow-unit") for path in folder.glob(f"{kind}-*")}


def executions_in(log: Path) -> int:
    """The last number that the process has told."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 20_000))
        lines = file.read().decode(errors="replace").splitlines()
    told = [int(found[1]) for line in lines if (found := _EXECUTIONS.match(line))]
    return told[-1] if told else 0
