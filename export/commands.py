"""What each command does, in terms of the modules that do it."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from export import canary_report, listing
from export.arguments import checkpoint_of, setting
from export.errors import ExportError
from export.gates.speed import SpeedOptions
from export.progress import Progress
from export.repository import Repository
from export.switch import Switch
from export.triton import Triton, connected
from export.tune import apply, tune
from export.tuning.grid import Grid
from export.tuning.load_generator import Load
from export.tuning.result import table
from export.verify import VerifyOptions, verify
from services.common.certificates import check_certificates
from services.inference.access import Access


def run(options: argparse.Namespace) -> None:
    """ExportError where the command is refused."""
    commands = {
        "export": _export,
        "list": _list,
        "promote": _promote,
        "rollback": _rollback,
        "canary": _canary,
        "remove": _remove,
        "tune": _tune,
        "verify": _verify,
    }
    commands[options.command](options, Repository(options.repository))


def _export(options: argparse.Namespace, repository: Repository) -> None:
    checkpoint = checkpoint_of(options.name, options.model, options.revision)
    if checkpoint is None:
        raise ExportError(f"there is no default checkpoint for {options.name}: name one with --model")
    with _needs_torch():
        from export.build import Order, build

    order = Order(options.name, *checkpoint, options.version, options.precisions)
    with Progress(len(order.precisions) + 7) as progress:
        version = build(repository, order, verify_options(options), progress)
    folder = repository.version_folder(options.name, version)
    print((folder / "report.md").read_text())
    print(f"{options.name} version {version} is published in {folder}")
    if repository.in_service(options.name) != version:
        print(f"put it into service with: python -m export promote {options.name} {version}")


def _verify(options: argparse.Namespace, repository: Repository) -> None:
    version = options.version or _newest(repository, options.name)
    spec = repository.manifest(options.name, version).spec
    in_service = repository.in_service(options.name)
    with ExitStack() as stack:
        checkpoint = None
        if options.model:
            with _needs_torch():
                from export.checkpoint import load_checkpoint
                from export.evidence.torch_reference import TorchReference  # noqa: F401 # what is missing is told at once
            checkpoint = stack.enter_context(load_checkpoint(options.model, options.revision))
        progress = stack.enter_context(Progress(6))
        report = verify(
            repository.version_folder(options.name, version),
            checkpoint=checkpoint,
            in_service=None if in_service in (None, version) else repository.version_folder(options.name, in_service),
            options=verify_options(options),
            progress=progress.phase,
        )
    report.write(repository.version_folder(options.name, version))
    print(report.to_markdown())
    if not report.passed:
        raise ExportError(f"{spec.title} fails:\n{report.failures()}")


def verify_options(options: argparse.Namespace) -> VerifyOptions:
    """What the gates are to be, from the options of `export` and `verify`."""
    return VerifyOptions(
        labelled=options.data,
        texts=options.texts,
        max_accuracy_loss=options.max_accuracy_loss,
        without_triton=options.without_triton,
        speed=SpeedOptions(min_ratio=options.min_speed, allow_slower=options.allow_slower),
    )


def _tune(options: argparse.Namespace, repository: Repository) -> None:
    grid = Grid(options.threads, options.instances, options.queue_delay_us)
    load = Load(options.seconds, options.concurrency, options.rows, options.tokens)
    result = tune(
        repository.folder,
        options.name,
        triton=options.triton[-1] if options.triton else options.default_triton[0],
        latency_limit_ms=options.latency_ms,
        report=_note,
        grid=grid,
        load=load,
        rounds=options.rounds,
        access=_access(),
    )
    print(table(result))
    if not options.dry_run:
        apply(result, _note, _access())


def _access() -> Access:
    """From the settings alone: a command line can be read by everybody on the machine."""
    key, tls_ca = setting("TRITON_KEY"), setting("TRITON_TLS_CA")
    try:
        check_certificates(tls_ca)
    except ValueError as error:
        raise ExportError(f"TRITON_TLS_CA: {error}") from None
    return Access(key, tls_ca)


def _note(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _list(options: argparse.Namespace, repository: Repository) -> None:
    with _servers(options) as servers:
        there = _reachable(servers)
        found = listing.rows(repository, there)
        remarks = listing.strays(found, there)
    if options.json:
        print(json.dumps([row.to_json() for row in found], indent=2))
        return
    print(listing.table(found) if found else f"{repository.folder} has no models yet")
    for row in found:
        if row.error:
            print(f"warning: {row.error}")
    for remark in remarks:
        print(f"warning: {remark}")


def _promote(options: argparse.Namespace, repository: Repository) -> None:
    version = options.version or _newest(repository, options.name)
    with _switch(options, repository) as switch:
        if options.canary:
            switch.start_canary(options.name, version, options.canary)
            print(f"{options.name} version {version} answers {options.canary} % of the batches")
            print(f"compare with: python -m export canary {options.name}")
        else:
            switch.promote(options.name, version)
            print(f"{options.name} version {version} is in service")


def _rollback(options: argparse.Namespace, repository: Repository) -> None:
    with _switch(options, repository) as switch:
        version = switch.rollback(options.name)
        print(f"{options.name} version {version} is in service again")


def _canary(options: argparse.Namespace, repository: Repository) -> None:
    canary = repository.canary(options.name)
    if canary is None:
        raise ExportError(
            f"no canary of {options.name} is running: start one with `promote {options.name} N --canary 10`"
        )
    version, share = canary
    try:
        pages = canary_report.read_pages(options.metrics or ["http://localhost:9101/metrics"])
        report = canary_report.compare(pages, options.name, version, repository.require_in_service(options.name))
        report.write(repository.version_folder(options.name, version))
        print(report.to_markdown())
    except ExportError as error:
        # Ending it must not depend on a worker that answers.
        if not options.stop:
            raise
        print(f"no comparison: {error}")
    if options.stop:
        with _switch(options, repository) as switch:
            switch.stop_canary(options.name)
    else:
        print(f"it answers {share} % of the batches; end it with --stop, or promote {options.name} {version}")


def _remove(options: argparse.Namespace, repository: Repository) -> None:
    Switch(repository, (), print).remove(options.name, options.version)
    print(f"{options.name} version {options.version} is removed")


def _newest(repository: Repository, name: str) -> int:
    versions = repository.versions(name)
    if not versions:
        raise ExportError(f"{repository.folder} has no model {name}: export one first")
    return versions[-1]


@contextmanager
def _needs_torch() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        if error.name and error.name.split(".")[0] in ("export", "services"):
            raise
        raise ExportError(
            f"{error.name} is not installed here: `make export` runs this command in an environment that has it"
        ) from None


@contextmanager
def _servers(options: argparse.Namespace) -> Iterator[list[Triton]]:
    with connected([] if options.offline else options.triton or options.default_triton, _access()) as servers:
        yield servers


@contextmanager
def _switch(options: argparse.Namespace, repository: Repository) -> Iterator[Switch]:
    with _servers(options) as servers:
        yield Switch(repository, servers, print)


def _reachable(servers: list[Triton]) -> list[Triton]:
    """Those that answer: a list of versions is of use without a server."""
    found = []
    for server in servers:
        try:
            server.check()
            found.append(server)
        except ExportError as error:
            print(f"note: {error}", file=sys.stderr)
    return found
