"""Background work that repeats for ever and whose failure shows: in the log, in the metrics, in /api/health."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from services.api.metrics import ApiMetrics
from services.common.cancellation import stop_if_cancelled
from services.common.errors import UndertoneError
from services.common.logging import get_logger

log = get_logger(__name__)

Work = Callable[[], Awaitable[object]]
# Until the first success, so that a start does not take an interval longer than it must.
STARTING_INTERVAL_S = 1.0


class Periodic:
    """Runs `work` every `interval_s` seconds, each run at most `timeout_s` long; what failed is tried again."""

    def __init__(self, name: str, work: Work, metrics: ApiMetrics, *, interval_s: float, timeout_s: float) -> None:
        self.name = name
        self.first_run = asyncio.Event()
        self._work = work
        self._metrics = metrics
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        # One run may be missed: interval and duration of two runs.
        self._max_age_s = 2 * interval_s + timeout_s
        self._succeeded = False
        self._succeeded_at = float("-inf")
        self._problem: str | None = None
        # What has not happened yet shows, too: an alert on it has something to compare.
        metrics.task_succeeded.labels(name)
        metrics.task_failures.labels(name)

    @property
    def ok(self) -> bool:
        """Whether the last run succeeded, and recently: work that hangs counts as failed."""
        return self._succeeded and monotonic() - self._succeeded_at <= self._max_age_s

    async def run(self) -> None:
        while True:
            await self.run_once()
            stop_if_cancelled()
            started = self._succeeded_at > float("-inf")
            await asyncio.sleep(self._interval_s if started else min(STARTING_INTERVAL_S, self._interval_s))

    async def run_once(self) -> None:
        problem, traceback = None, None
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._work()
        except TimeoutError:
            problem = f"not finished within {self._timeout_s:g} s"
        except UndertoneError as error:
            problem = str(error)
        # Whatever it is, the work goes on and the failure is shown: ending here would end it silently.
        except Exception as error:
            problem, traceback = f"{type(error).__name__}: {error}", error
        self._record(problem, traceback)

    def _record(self, problem: str | None, traceback: Exception | None) -> None:
        self._succeeded = problem is None
        if problem is None:
            self._succeeded_at = monotonic()
            self._metrics.task_succeeded.labels(self.name).set_to_current_time()
            if self._problem is not None:
                log.info("recovered", job=self.name)
        else:
            self._metrics.task_failures.labels(self.name).inc()
            if self._problem is None or traceback is not None:  # once, not with every try
                log.warning("failing", job=self.name, reason=problem, exc_info=traceback)
        self._problem = problem
        self.first_run.set()
