"""How a service starts and stops: one event loop, SIGTERM and Ctrl-C as a request to finish, clear last words."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

import uvloop

from services.common.errors import ConfigurationError
from services.common.logging import configure_logging
from services.common.settings import Settings, read_settings


def run_service(name: str, main: Callable[[Settings, asyncio.Event], Awaitable[None]]) -> None:
    """Runs `main(settings, stopping)` to its end. `stopping` is set by SIGTERM or SIGINT; main then finishes its work.

    A ConfigurationError ends the process with its sentence and status 2, no traceback.
    """
    complaints: list[BaseException] = []
    try:
        settings = read_settings()
        configure_logging(name, settings.log_level, settings.log_format, traced=bool(settings.traces_endpoint))
        with _traces(name, settings):
            uvloop.run(_with_signals(main, settings))
    except* ConfigurationError as group:  # a plain one is wrapped into a group of one
        # Before Python 3.11.4 whatever is raised in here comes out in a group, SystemExit as well.
        complaints = [*_leaves(group)]
    if complaints:
        print("\n".join(f"{name}: {error}" for error in complaints), file=sys.stderr)
        sys.exit(2)


def _leaves(group: BaseExceptionGroup[ConfigurationError]) -> Iterator[BaseException]:
    """The errors themselves: task groups within task groups wrap them more than once."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _traces(name: str, settings: Settings) -> AbstractContextManager[None]:
    if not settings.traces_endpoint:
        return nullcontext()
    # 60 ms and 2 MB that a service without traces does not pay.
    from services.common.trace_export import exporting  # noqa: PLC0415 - see above

    return exporting(name, settings.traces_endpoint, settings.traces_sample_ratio)


async def _with_signals(main: Callable[[Settings, asyncio.Event], Awaitable[None]], settings: Settings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await main(settings, stopping)
