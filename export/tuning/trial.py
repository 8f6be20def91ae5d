"""Settings on the running Triton, loaded and measured one after the other."""

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tritonclient.grpc import InferInput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.grpc.model_config_pb2 import ModelConfig

from export.errors import ExportError
from export.spec import Target
from export.tuning.load_generator import SEED, Load, Measurement, RequestFailed, measure
from export.tuning.result import Row, describe
from export.tuning.server import TrialTriton, override


@dataclass(frozen=True)
class Trial:
    """One model under one load. `served`: its configuration out of `file`; `requests`: what every setting gets."""

    server: TrialTriton
    file: Path
    served: ModelConfig
    target: Target
    load: Load
    requests: Sequence[list[InferInput]]
    report: Callable[[str], None]

    def run(self, now: Row, rows: Sequence[Row], rounds: int, load_s: float) -> None:
        """Every row gets a measurement for each round, or a remark; in each round another order.

        `load_s`: how long a load takes, for the plan that is reported first. ExportError where the server goes away.
        """
        order = random.Random(SEED)
        plan = [row for _ in range(rounds) for row in order.sample([now, *rows], len(rows) + 1)]
        seconds = len(plan) * (load_s + self.load.warm_up_s + self.load.seconds)
        self.report(
            f"{len(rows)} setting{'s' if len(rows) > 1 else ''} and what is served now x {rounds} "
            f"round{'s' if rounds > 1 else ''} x {self.load.seconds:g} s: {duration(seconds)}"
        )
        with asyncio.Runner() as runner, _connected(runner, self.server) as client:
            for number, row in enumerate(plan, 1):
                # What failed once is not tried again: it cannot be chosen any more.
                if not row.remark and self._serve(row) and (found := self._measure(runner, client, row)):
                    row.measurements.append(found)
                    told = f"{found.rows_per_s:,.0f} rows/s, p95 {found.p95_ms:.1f} ms"
                else:
                    told = row.remark
                what = "as served now" if row.as_served else describe(row.serving)
                self.report(f"{number} of {len(plan)}: {what}: {told}")

    def _serve(self, row: Row) -> bool:
        """Whether the setting is served; if not, the row says why. ExportError where it is not the setting's fault."""
        try:
            if row.as_served:
                self.server.restore(self.served.name, self.file)
            else:
                self.server.try_out(override(self.served, self.target, row.serving))
        except ExportError as error:
            self.server.check()
            row.remark = f"does not load: {error}"
        return not row.remark

    def _measure(self, runner: asyncio.Runner, client: InferenceServerClient, row: Row) -> Measurement | None:
        try:
            return runner.run(measure(client, self.served.name, self.requests, self.load))
        except asyncio.CancelledError:
            # Only Ctrl-C cancels it. The runner says so itself unless a task group had begun to cancel, too.
            raise KeyboardInterrupt from None
        except RequestFailed as error:
            self.server.check()
            row.remark = f"a request failed: {error}"
            return None


@contextmanager
def _connected(runner: asyncio.Runner, server: TrialTriton) -> Iterator[InferenceServerClient]:
    async def connect() -> InferenceServerClient:
        return server.access.aio_client(server.url)

    client = runner.run(connect())
    try:
        yield client
    finally:
        runner.run(client.close())


def duration(seconds: float) -> str:
    """In words, not more precise than it is known."""
    if seconds >= 90:
        return f"about {seconds / 60:.0f} minutes"
    return f"about {max(1, round(seconds / 5)) * 5} seconds"
