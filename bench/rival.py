"""A process that answers JSON lines: how the measurements talk to rivals, publishers and listeners."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bench.paths import PROJECT

END_TIMEOUT_S = 20.0


class RivalFailed(Exception):
    """It could not do what it was asked to; the message is its own."""


class Rival:
    """One process. It sleeps until it is asked."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, **order: Any) -> dict[str, Any]:
        """Its answer; RivalFailed where it fails or has gone."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):  # it has gone, and there is no answer either
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            status, said = self._process.wait(), self._log.read_text(errors="replace")[-2_000:]
            raise RivalFailed(f"it ended with status {status}:\n{said}")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise RivalFailed(reply["error"])
        return reply

    def end(self) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def started(python: Path | str, module: str, arguments: Sequence[str] = (), *, log: Path) -> Iterator[Rival]:
    """`python -m module` while the block runs; what it says besides answers is in `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(python), "-m", module, *arguments],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            env=_environment(os.environ),
        )
    rival = Rival(process, log)
    try:
        yield rival
    except BaseException:
        # What it may be in the middle of, nobody waits for any more.
        process.kill()
        raise
    finally:
        rival.end()


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Tokenizers warn of forks, hubs are asked for files: neither is wanted here."""
    return {**ours, "TOKENIZERS_PARALLELISM": "true", "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
