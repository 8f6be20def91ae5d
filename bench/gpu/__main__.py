"""`python3 -m bench.gpu`: from a folder of wheels to figures, on a machine with a GPU and no network.

Standard library alone until the environments are there.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.gpu.wheels import PROJECT, SERVICES_ENV, WheelError, make_environments

PYTHONS = ((3, 12), (3, 11))
EXAMPLES = """examples:
  .venv/bin/python -m bench.gpu collect wheels/       with a network: every wheel for Python 3.12 (torch and CUDA's
                                                      libraries only with --large: machines with a GPU have them)
  python3 -m bench.gpu measure wheels/                on the machine with the GPU: environments, models, figures
  python3 -m bench.gpu measure wheels/ --parts peak,shapes --seconds 1
  python3 -m bench.gpu measure wheels/ --help         what can be measured, and how long
The figures are in .local/bench/gpu.json; `python -m bench document` writes them into docs/benchmarks.md.
"""


def parse(arguments: Sequence[str] | None = None) -> tuple[argparse.Namespace, list[str]]:
    """The options, and what is meant for `python -m bench gpu`."""
    parser = argparse.ArgumentParser(
        prog="python3 -m bench.gpu",
        description="Measures Undertone on an NVIDIA GPU, from wheels in a folder.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    collect = commands.add_parser("collect", help="download the wheels into a folder")
    collect.add_argument("folder", type=Path)
    collect.add_argument("--python", default="3.12", help="of the machine with the GPU; default: %(default)s")
    collect.add_argument("--large", action="store_true", help="torch and CUDA's libraries, too: gigabytes")
    measure = commands.add_parser("measure", help="make the environments, then measure", add_help=False)
    measure.add_argument("folder", type=Path)
    options, others = parser.parse_known_args(arguments)
    if options.command == "collect" and others:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    return options, others


def main() -> None:
    options, others = parse()
    try:
        if options.command == "collect":
            from bench.gpu.collect import collect  # noqa: PLC0415 - it needs a library, and measuring must not

            wheels = collect(options.folder, options.python, large=options.large)
            size = sum(wheel.stat().st_size for wheel in wheels) / 1e6
            print(f"{len(wheels)} wheels, {size:,.0f} MB, are in {options.folder}")
            return
        if sys.version_info[:2] not in PYTHONS:
            sys.exit(f"error: Triton's environment needs Python 3.12 or 3.11, this is {sys.version.split()[0]}")
        if not options.folder.is_dir():
            sys.exit(f"error: there is no folder {options.folder}: `python -m bench.gpu collect {options.folder}`")
        make_environments(options.folder.resolve())
    except WheelError as error:
        sys.exit(f"error: {error}")
    python = str(SERVICES_ENV / "bin" / "python")
    os.chdir(PROJECT)
    os.execv(python, [python, "-m", "bench", "gpu", *others])


if __name__ == "__main__":
    main()
