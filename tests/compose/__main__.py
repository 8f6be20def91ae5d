"""`python -m tests.compose`: the tests of the compose files, with this machine's Docker engine or one for the while.

Those of minutes run when they are asked for: `-m long`. With `--engine-optional` a machine where no engine can be had
is told, and no failure. All other arguments are pytest's.
"""

import subprocess
import sys

from tests.compose import engine


def main(arguments: list[str]) -> int:
    """pytest's exit status; where no engine is to be had 2, or 0 if that is allowed."""
    optional = "--engine-optional" in arguments
    given = [argument for argument in arguments if argument != "--engine-optional"]
    try:
        with engine.available() as environment:
            command = [sys.executable, "-m", "pytest", "tests/compose", "-m", "not long", *given]
            return subprocess.run(command, env=environment, check=False).returncode
    except engine.NoEngine as error:
        print(f"{'NOT TESTED: the compose files' if optional else 'error'}: {error}", file=sys.stderr)
        return 0 if optional else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
