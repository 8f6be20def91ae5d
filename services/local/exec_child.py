"""Becomes a child process: `python -I -S exec_child.py <parent pid> <uid|-> <gid|-> <program> [arguments …]`.

Run as a script, without site packages, because it stands before every child: it takes about 20 ms and then is gone.
The order matters: a change of user clears the parent-death signal, so privileges go first, then the signal is asked
for, and only then would a parent that died meanwhile be noticed.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
# The child's LD_LIBRARY_PATH and the like arrive under this prefix: they are not meant for the Python that runs this.
HELD_BACK = "UNDERTONE_CHILD_"


def die_with_parent(parent: int) -> None:
    """SIGKILL when the supervisor dies, however it dies: nobody would be left to stop or watch this process.

    SIGKILL and not the polite signal, because a service that drains into servers which are going away may hang. Nothing
    acknowledged is lost by it: PostgreSQL and Redis recover from their logs, and what the services had not
    acknowledged is delivered again.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    parent, uid, gid, *command = sys.argv[1:]
    if gid != "-":
        os.setgroups([])
        os.setgid(int(gid))
    if uid != "-":
        os.setuid(int(uid))
    # Python ignores SIGPIPE, and an ignored signal stays ignored across exec: servers expect the default.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    die_with_parent(int(parent))
    environment = {name.removeprefix(HELD_BACK): value for name, value in os.environ.items()}
    try:
        os.execvpe(command[0], command, environment)
    except OSError as error:
        sys.exit(f"cannot start {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
