"""`python -m tests.fuzz.unguided MODULE NAME --seconds N --folder F`: the same by many examples of hypothesis, where
there is no atheris. Nothing guides them but the target's own idea of what is difficult.

It prints the number of executions now and then; it ends with 0, or with 1 at the first finding, whose smallest input it
has written into the folder.
"""

import argparse
import hashlib
import sys
import time
import traceback
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings

from tests.fuzz.catalogue import targets_of
from tests.fuzz.target import Target

EXAMPLES_PER_ROUND = 500


def run(target: Target, seconds: float, folder: Path) -> int:
    """The status to end with."""
    executions = 0
    last = b""
    until = time.monotonic() + seconds

    def check(raw: bytes) -> None:
        nonlocal executions, last
        executions += 1
        last = raw
        target.check(raw)

    number = 0
    while time.monotonic() < until:
        number += 1

        @settings(
            max_examples=EXAMPLES_PER_ROUND, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(target.inputs)
        def holds(raw: bytes) -> None:
            check(raw)

        try:
            seed(number)(holds)()
        except BaseException:
            # Hypothesis ends with the smallest input that it found.
            (folder / f"crash-{hashlib.sha256(last).hexdigest()[:16]}").write_bytes(last)
            traceback.print_exc()
            print(f"stat::number_of_executed_units: {executions}", flush=True)
            return 1
        print(f"#{executions}", flush=True)
    print(f"stat::number_of_executed_units: {executions}", flush=True)
    return 0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("name")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    target = targets_of(arguments.module)[arguments.name]
    for raw in target.seeds:
        target.check(raw)
    sys.exit(run(target, arguments.seconds, arguments.folder))


if __name__ == "__main__":
    main()
