"""`python -m services.local`: the whole system on this machine, until Ctrl-C."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from services.common.errors import UndertoneError
from services.common.settings import read_settings
from services.ingester.arguments import LIVE, add_live_arguments, live_arguments
from services.local import preflight
from services.local.named_servers import NamedServers, require_answers
from services.local.output import Output
from services.local.passwords import load_or_make
from services.local.ports import exclusive_run
from services.local.stack import Plan, build_stages
from services.local.summary import summary
from services.local.supervisor import Supervisor

USAGE_ERROR = 2
# What POSTS_PER_MINUTE allows at most; the ingester waits for the workers long before.
HIGHEST_RATE = 6_000_000
EXAMPLES = """examples:
  python -m services.local                                            simulated posts, one a second
  python -m services.local --rate 6000 --workers 2                    a hundred a second, two workers
  python -m services.local --source replay --file posts.jsonl         a file, as fast as the workers follow
  python -m services.local --source bluesky --language en             what Bluesky says right now
  python -m services.local --no-ingester                              no source: your own posts, from the stream
  DATABASE_URL=postgresql://… REDIS_URL=redis://… python -m services.local   with servers of your own
"""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m services.local",
        description="Starts PostgreSQL, Redis, Triton and the services, and keeps them running until Ctrl-C. "
        "Settings come from the environment and .env (.env.example lists them).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--source",
        action="append",
        choices=[*LIVE, "replay", "simulate"],
        help="default: simulate; several may be named (docs/sources.md)",
    )
    parser.add_argument("--file", type=Path, metavar="PATH", help="what to replay: JSON lines or CSV, plain or .gz")
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument(
        "--rate", type=_positive, metavar="PER_MINUTE", help="of each source; simulate: default POSTS_PER_MINUTE"
    )
    rate.add_argument("--as-fast-as-possible", action="store_true", help="replay: the default")
    parser.add_argument("--workers", type=_count, default=1, metavar="N", help="default: %(default)s")
    parser.add_argument("--no-ingester", action="store_true", help="start no source of posts")
    add_live_arguments(parser)
    options = parser.parse_args(arguments)
    options.source = options.source or ["simulate"]
    if ("replay" in options.source) != (options.file is not None):
        parser.error("--source replay and --file PATH belong together")
    if options.file is not None and not options.file.is_file():
        parser.error(f"there is no file {options.file}")
    return options


def ingester_arguments(options: argparse.Namespace) -> list[str] | None:
    """The command line of `python -m services.ingester`; None: no ingester."""
    if options.no_ingester:
        return None
    arguments = [part for source in options.source for part in ("--source", source)]
    if options.file is not None:
        arguments += ["--file", str(options.file.absolute())]
    if options.rate is not None:
        arguments += ["--rate", f"{options.rate:g}"]
    elif options.as_fast_as_possible and "simulate" in options.source:
        arguments += ["--rate", f"simulate={HIGHEST_RATE}"]
    return arguments + live_arguments(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0 after a stop that was asked for, 1 when something did not start, 2 when nothing could be."""
    options = parse(arguments)
    try:
        settings = read_settings()
        named = NamedServers.of(settings)
        plan = Plan(settings, named, workers=options.workers, ingester=ingester_arguments(options))
        with exclusive_run(plan.local_dir / "run.lock"):
            preflight.require(plan.local_dir, named, plan.port_needs())
            passwords = load_or_make(plan.local_dir / "secrets.json", database_dir=plan.local_dir / "postgres")
            asyncio.run(require_answers(settings, named))
            stages = build_stages(plan, passwords)
            output = Output(plan.local_dir / "logs", [child.name for stage in stages for child in stage])
            try:
                supervisor = Supervisor(stages, output, may_finish={"ingester"})
                return asyncio.run(supervisor.run(lambda seconds: output.block(summary(plan, seconds))))
            finally:
                output.close()
    except (UndertoneError, OSError) as error:  # OSError: a full disk, a folder that may not be written
        for line in str(error).splitlines():
            print(line if line.startswith(" ") else f"error: {line}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:  # before the supervisor listened
        return 130


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError("must be greater than 0")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


if __name__ == "__main__":
    sys.exit(main())
