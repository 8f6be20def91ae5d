"""Finds the setting that serves the most posts within a latency limit, on the server that will serve with it.

Every setting is loaded into the running Triton, with the model's other clients on it, and put under the same load. The
repository's configuration is loaded again at the end, however it ends.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tokenizers import Tokenizer

from export.cores import physical_cores
from export.errors import ExportError
from export.files import write_text
from export.repository import Repository
from export.triton_config import serving_of, target_of
from export.tuning.grid import Grid
from export.tuning.interrupts import deferred, sigterm_as_ctrl_c
from export.tuning.load_generator import Load, make_requests
from export.tuning.result import Row, TuneResult, choose, describe
from export.tuning.server import TrialTriton
from export.tuning.trial import Trial
from export.version_folder import CONFIGS, TOKENIZER, write_config
from services.inference.access import OPEN, Access

# The median of three passes over a minute in which the machine does something else; that of two would be their mean.
ROUNDS = 3
Report = Callable[[str], None]


def tune(
    repository: Path,
    name: str,
    *,
    triton: str,
    latency_limit_ms: float,
    report: Report,
    grid: Grid | None = None,
    load: Load | None = None,
    rounds: int = ROUNDS,
    cores: int | None = None,
    access: Access = OPEN,
) -> TuneResult:
    """Measures the settings of `grid` on the server at `triton` (`host:port`); writes nothing.

    `latency_limit_ms`: what 95 % of the requests must keep. `report` is told the plan and each measurement. `cores`:
    physical cores of the server's machine, by default of this one. ExportError, with the repository's configuration
    served again, where it cannot be done; no other switch of the model can come in between.
    """
    load, grid = load or Load(), grid or Grid()
    if min(load.seconds, load.concurrency, load.rows, load.tokens, latency_limit_ms, rounds) <= 0:
        raise ExportError("latency limit, seconds, concurrency, rows, tokens and rounds must be above 0")
    models, cores = Repository(repository), cores or physical_cores()
    with models.switching(name), sigterm_as_ctrl_c(), closing(TrialTriton(triton, access)) as server:
        manifest = models.manifest(name, models.require_in_service(name))
        folder = models.version_folder(name, manifest.spec.version)
        served = server.served(manifest.spec)
        target = target_of(served)
        file = folder / CONFIGS / f"{target}.pbtxt"
        if load.rows > served.max_batch_size:
            raise ExportError(f"{name} takes at most {served.max_batch_size} rows a request: ask for fewer with --rows")
        vocabulary = Tokenizer.from_file(str(folder / TOKENIZER)).get_vocab_size()
        requests = make_requests(load, manifest.spec.lengths, vocabulary)
        # What an interrupted tuning may have left is gone before anything is called served now.
        begun = time.monotonic()
        server.restore(name, file)
        load_s = time.monotonic() - begun
        served = server.served(manifest.spec)
        now = Row(serving_of(served), as_served=True)
        rows = [Row(serving) for serving in grid.settings(target, cores)]
        with _file_served_again(server, name, file, report):
            Trial(server, file, served, target, load, requests, report).run(now, rows, rounds, load_s)
            others = tuple(server.others(name))
    best, verdict = choose(rows, now, latency_limit_ms, load.concurrency)
    return TuneResult(
        repository=repository,
        triton=triton,
        spec=manifest.spec,
        target=target,
        latency_limit_ms=latency_limit_ms,
        load=load,
        rounds=rounds,
        cores=cores,
        others=others,
        now=now,
        rows=tuple(rows),
        best=best,
        verdict=verdict,
    )


def apply(result: TuneResult, report: Report, access: Access = OPEN) -> None:
    """Writes the best setting into the version's configuration, and the server serves it.

    ExportError, with the former configuration in the file and on the server, where there is no best setting, another
    version came into service meanwhile, or the server does not serve it.
    """
    if result.best is None:
        raise ExportError(result.verdict)
    models, spec = Repository(result.repository), result.spec
    with models.switching(spec.name), sigterm_as_ctrl_c(), closing(TrialTriton(result.triton, access)) as server:
        if models.require_in_service(spec.name) != spec.version:
            raise ExportError(f"another version of {spec.name} was put into service meanwhile: tune it again")
        folder = models.version_folder(spec.name, spec.version)
        file = folder / CONFIGS / f"{result.target}.pbtxt"
        server.served(spec)
        former = file.read_text()
        try:
            report(f"{server.url} loads {spec.title} with {describe(result.best.serving)}")
            write_config(folder, models.manifest(spec.name, spec.version), result.target, result.best.serving)
            server.load_file(spec.name, file)
            server.answer(spec.name, spec.version, spec.lengths[0])
        except BaseException:
            with deferred(report):
                write_text(file, former)
                _load_again(server, spec.name, file, report)
            raise


@contextmanager
def _file_served_again(server: TrialTriton, name: str, file: Path, report: Report) -> Iterator[None]:
    """Afterwards the server serves what the file says, however the block ends."""
    try:
        yield
    except BaseException:
        with deferred(report):
            _load_again(server, name, file, report)
        raise
    with deferred(report):
        server.restore(name, file)


def _load_again(server: TrialTriton, name: str, file: Path, report: Report) -> None:
    try:
        server.restore(name, file)
    except ExportError as error:
        report(f"the former configuration could not be loaded again; a restart of Triton does it: {error}")
