"""The real command in forked children of one process: what takes seconds to import is imported once.

`python -m tests.export.forked_command`: for each line of standard input, a JSON list of words, a child runs the command
with them; `started <pid>` and, when it has ended, `ended <status>` are printed.
"""

import json
import os
import sys

import export.build
import export.evidence.torch_reference  # noqa: F401 # for the children
from export.__main__ import main


def serve() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            # A session of its own, as a shell gives it: what it starts is not told when it is killed.
            os.setsid()
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 0)
            os.dup2(null, 1)
            sys.argv = ["export", *json.loads(line)]
            os._exit(main())
        print(f"started {child}", flush=True)
        _, status = os.waitpid(child, 0)
        print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    serve()
