"""`python -m bench`: measures, prints, keeps the figures, and writes the document."""

import importlib
import signal
import sys
import traceback
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench import machine, report
from bench.document import write_document
from bench.options import MEASUREMENTS, Options, parse
from bench.paths import results_file
from bench.query_times import NotThere
from bench.sections import SECTIONS


def main() -> int:
    # What runs is stopped and put away, as with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = parse()
    if options.command == "document":
        print(f"wrote {write_document()}")
        return 0
    commands = MEASUREMENTS if options.command == "all" else (options.command,)
    failed = []
    for command in commands:
        try:
            measure(replace(options, command=command))
        except NotThere as error:
            failed.append(f"{command}: {error}")
        except Exception as error:
            if options.command != "all":
                raise
            # What comes after it is measured all the same: one that fails should not cost the rest of an hour.
            traceback.print_exc()
            failed.append(f"{command}: {type(error).__name__}")
    if options.command == "all" and not options.quick:
        print(f"wrote {write_document()}")
    for line in failed:
        print(f"not measured: {line}", file=sys.stderr)
    return 1 if failed else 0


def measure(options: Options) -> Path:
    """One measurement; where its figures are."""
    section = SECTIONS[options.command]
    described = machine.describe()
    print(f"{options.command}: {machine.sentence(described)}\n", flush=True)
    disturbance = machine.Disturbance()
    file = options.json or results_file(options.command, quick=options.quick)
    told = {name: value.name if isinstance(value, Path) else value for name, value in asdict(options).items()}
    # Where files are kept is nobody's business but the machine's.
    told.pop("keep")

    def save(results: Any) -> None:
        now = described | disturbance.read()
        report.save(file, name=options.command, options=told, machine=now, results=results)

    module = importlib.import_module(section.module)
    results = module.measure(options, save) if section.in_parts else module.measure(options)
    save(results)
    print(f"{section.tables(results)}\n\nfigures: {file}\n", flush=True)
    return file


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; what ran is stopped, nothing is left of it")
