"""A tiny process that outlives the supervisor by a moment: when that dies, it kills what its children had started.

The parent-death signal (`exec_child`) reaches the children only, and what they have started does not always notice:
Triton's stubs were seen to live on after their server. Run as a script, without site packages:
`python -I -S guardian.py`.
"""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

END_TIMEOUT_S = 5.0


class Guardian:
    """The supervisor's side. Its pipe closes with the supervisor's death, whatever that was."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={},
            cwd="/",
            # Neither a terminal's Ctrl-C nor a kill of the supervisor's group is meant for it.
            start_new_session=True,
        )

    def watch(self, group: int) -> None:
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """To be called as soon as the group has ended: its id may be given to another one day."""
        self._tell(f"-{group}\n")

    def close(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        with contextlib.suppress(OSError):
            stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_TIMEOUT_S)

    def _tell(self, line: str) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        with contextlib.suppress(OSError):  # somebody killed it: the parent-death signals are still there
            stdin.write(line.encode())
            stdin.flush()


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line.startswith("+"):
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
