"""`python -m tests.compose`: the tests of the compose files, with this machine's Docker engine or one for the while.

Those of minutes run when they are asked for: `-m long`.
"""

import subprocess
import sys

from tests.compose import engine


def main(arguments: list[str]) -> int:
    """pytest's exit status; 2 where no engine is to be had."""
    try:
        with engine.available() as environment:
            command = [sys.executable, "-m", "pytest", "tests/compose", "-m", "not long", *arguments]
            return subprocess.run(command, env=environment, check=False).returncode
    except engine.NoEngine as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
