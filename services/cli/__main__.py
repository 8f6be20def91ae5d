"""`undertone` or `python -m services.cli`: errors are one sentence, the exit status says how it went."""

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from io import TextIOWrapper
from pathlib import Path

from redis.exceptions import RedisError

from services.cli import keys, present
from services.cli.arguments import parse
from services.cli.dead import Work
from services.cli.server import Server, find_redis
from services.common.errors import ConfigurationError, Transient, UndertoneError
from services.common.settings import Settings, read_settings
from services.common.streams import open_client
from services.importing import run as imports

NOT_ALL, COULD_NOT_BEGIN, INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status, as the help tells it."""
    name = Path(sys.argv[0]).name
    options = parse(arguments, prog="python -m services.cli" if name == "__main__.py" else name)
    # A terminal that knows no UTF-8 gets the codes of what it cannot show.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = _run(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED
    except (UndertoneError, RedisError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return COULD_NOT_BEGIN
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(options: argparse.Namespace) -> int:
    settings = read_settings()
    if options.area != "dead":
        return {"keys": keys.run, "import": imports.run, "backfill": _backfill}[options.area](settings, options)
    server = find_redis(settings)
    if options.command == "list":
        return _on(server, settings, options, Work.list)
    if options.command == "show":
        return _on(server, settings, options, Work.show)
    wanted = _on(server, settings, options, Work.count)
    if wanted == 0 and not options.json:
        print(present.NONE if options.all else present.NONE_LIKE_THAT)
        return 0
    # Outside of any event loop: there Ctrl-C would wait for the answer.
    if wanted > 1 and not options.yes and not _agreed(f"{options.command.capitalize()} {wanted:,} letters?"):
        print("Nothing was done.", file=sys.stderr)
        return NOT_ALL
    return _on(server, settings, options, lambda work: work.act(wanted))


def _backfill(settings: Settings, options: argparse.Namespace) -> int:
    try:
        # Not where the services run: it needs libraries that they do not.
        from services.backfill.run import run  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"backfills need the extra `ray` ({error}): pip install 'undertone[ray]', or make backfill ARGS=…"
        ) from None
    return run(settings, options)


def _on(
    server: Server, settings: Settings, options: argparse.Namespace, action: Callable[[Work], Awaitable[int]]
) -> int:
    async def run() -> int:
        async with open_client(server.dsn, cluster=settings.redis_cluster) as redis:
            work = Work(redis, settings, options)
            try:
                return await action(work)
            except Transient as error:
                raise Transient(f"{error}; {server.advice}{_so_far(work)}") from error
            except asyncio.CancelledError:
                print(f"stopped{_so_far(work)}", file=sys.stderr)
                raise

    return asyncio.run(run())


def _so_far(work: Work) -> str:
    return f"; {present.letters_word(work.done)} done, the others are still there" if work.done else ""


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise UndertoneError(f"{question} Nobody is there to answer: say --yes")
    try:
        return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False


if __name__ == "__main__":
    sys.exit(main())
