"""`python -m tests.chaos`: the long run; every violation is told, and the exit status says whether there was one."""

import asyncio
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.progress import Progress
from bench.servers import scratch_folder
from tests.chaos.compare import told
from tests.chaos.options import Options, parse
from tests.chaos.report import faults_table, kinds_table, letters_table, runs_table, write_document
from tests.chaos.run import Note, Outcome, Trial, run
from tests.chaos.schedule import make_schedule
from tests.conftest import ROOT

DOCUMENT = ROOT / "docs" / "reliability.md"
# In a log, where the bar cannot move.
LINE_INTERVAL_S = 15.0


def main() -> int:
    # What runs is stopped and put away, as with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = parse()
    outcomes = []
    for seed in options.seeds:
        faults = tuple(make_schedule(seed, options.faults, options.seconds))
        print(f"seed {seed}: {len(faults)} faults\n", *faults, sep="\n", flush=True)
        trial = Trial(seed, options.posts, options.seconds, faults)
        with folder_of(seed, options) as folder:
            outcomes.append(asyncio.run(run(trial, folder, progress(f"seed {seed}"))))
        tell(outcomes[-1])
    print("", runs_table(outcomes), kinds_table(outcomes), letters_table(outcomes), sep="\n\n")
    failed = any(outcome.violations for outcome in outcomes)
    if not failed and (options.is_whole or options.document):
        command = " ".join(["make chaos", *([f'ARGS="{" ".join(sys.argv[1:])}"'] if sys.argv[1:] else [])])
        write_document(DOCUMENT, outcomes, command)
        print(f"\nwrote {DOCUMENT}")
    return int(failed)


def tell(outcome: Outcome) -> None:
    verdict = told(outcome.violations) or "nothing lost, nothing doubled, nothing changed"
    print(f"\n{faults_table(outcome)}\n\nseed {outcome.trial.seed}, {outcome.seconds:.0f} s: {verdict}\n", flush=True)


@contextmanager
def folder_of(seed: int, options: Options) -> Iterator[Path]:
    """A new folder, which is removed unless it is to be kept."""
    if options.keep is None:
        with scratch_folder("chaos") as folder:
            yield folder
    else:
        folder = options.keep.absolute() / f"seed-{seed}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        yield folder


def progress(title: str) -> Note:
    bar = Progress(title, 1)
    told_at = float("-inf")

    def note(share: float, what: str) -> None:
        nonlocal told_at
        if sys.stderr.isatty() or time.monotonic() - told_at >= LINE_INTERVAL_S:
            told_at = time.monotonic()
            bar.percent(share, what)

    return note


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; what ran is stopped, nothing is left of it")
