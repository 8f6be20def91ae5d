"""Tuning on a real Triton: the best setting ends in the file and on the server, or everything is as it was."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models
from tritonclient.grpc import InferenceServerClient
from tritonclient.grpc.model_config_pb2 import ModelConfig
from tritonclient.utils import InferenceServerException

from export.errors import ExportError
from export.files import locked
from export.repository import Repository
from export.triton_config import Serving, parse, serving_of
from export.tune import apply, tune
from export.tuning.grid import Grid
from export.tuning.load_generator import Load
from export.tuning.result import TuneResult, table
from export.tuning.server import TrialTriton, override
from export.version_folder import TOKENIZER, check_files
from tests.integration.exported import publish
from tests.integration.triton_models import VOCABULARY
from tests.integration.triton_requests import infer, posts
from tests.integration.triton_server import PROJECT, child_of, running_triton, started
from tests.ports import free_ports

NAME = "sentiment"
LABELS = ("negative", "neutral", "positive")
GRID = Grid(threads=(1, 2), instances=(1,), queue_delays_us=(0, 500))
SHORT = Load(seconds=0.1, concurrency=2, rows=4)
GENEROUS_MS = 1e6
IMPOSSIBLE_MS = 1e-6
CORES = 4
# Tunes until it is interrupted; every line that it reports is a line of its output.
PROGRAM = """
import signal, sys
from pathlib import Path
from export.tuning.load_generator import Load
from export.tune import tune
from export.tuning.grid import Grid
# A shell that starts pytest in the background has it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    tune(Path(sys.argv[1]), "sentiment", triton=sys.argv[2], latency_limit_ms=1e6, rounds=100, cores=4,
        report=lambda line: print(line, flush=True), grid=Grid((2,), (2, 3), (0,)),
        load=Load(seconds=float(sys.argv[3]), concurrency=2, rows=4))
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    made = Repository(tmp_path_factory.mktemp("tuned") / "models")
    publish(made, NAME, LABELS)
    publish(made, "emotion", ("joy", "anger"))
    return made


@pytest.fixture(scope="module")
def url(repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_triton(tmp_path_factory.mktemp("triton"), repository.folder) as running:
        yield f"127.0.0.1:{running.grpc_port}"


@pytest.fixture
def client(url: str) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(url) as client:
        yield client


def tuned(repository: Repository, url: str, limit_ms: float = GENEROUS_MS, **changes: object) -> TuneResult:
    values = {"grid": GRID, "load": SHORT, "rounds": 2, "cores": CORES, "report": print} | changes
    return tune(repository.folder, NAME, triton=url, latency_limit_ms=limit_ms, **values)  # type: ignore[arg-type] # of several types


def served(client: InferenceServerClient) -> ModelConfig:
    return client.get_model_config(NAME).config


def contents(repository: Repository) -> dict[str, str]:
    """The hash of every file, the locks and links left out."""
    return {
        str(path.relative_to(repository.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(repository.folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.suffix != ".lock"
    }


@contextmanager
def asking(url: str) -> Iterator[list[int]]:
    """Another client asks without a break meanwhile, for whatever version there is; the rows of each answer.

    The first failure is raised at the end.
    """
    answers: list[int] = []
    failures: list[InferenceServerException] = []
    ended = threading.Event()

    def ask() -> None:
        with InferenceServerClient(url) as client:
            while not ended.is_set() and not failures:
                try:
                    answers.append(len(infer(client, NAME, posts(2, 16, len(answers))).as_numpy("logits")))
                except InferenceServerException as error:
                    failures.append(error)

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        yield answers
    finally:
        ended.set()
        asker.join()
    if failures:
        raise failures[0]


def test_the_best_setting_is_written_and_served_and_no_other_client_notices(
    repository: Repository, url: str, client: InferenceServerClient
) -> None:
    lines: list[str] = []
    before = contents(repository)
    with asking(url) as answers:
        found = tuned(repository, url, report=lines.append)
        assert contents(repository) == before
        apply(found, lines.append)
    assert set(answers) == {2}

    assert found.best is not None
    assert found.best.serving in GRID.settings("cpu", CORES)
    assert serving_of(served(client)) == found.best.serving
    file = f"{NAME}/1/configs/cpu.pbtxt"
    assert serving_of(parse((repository.folder / file).read_text())) == found.best.serving
    after = contents(repository)
    assert {name for name in before | after if before.get(name) != after.get(name)} == {file}
    check_files(repository.version_folder(NAME, 1))

    assert lines[0].startswith("4 settings and what is served now x 2 rounds x 0.1 s: about ")
    assert [line.split(":")[0] for line in lines[1:11]] == [f"{number} of 10" for number in range(1, 11)]
    assert all(len(row.measurements) == 2 and not row.remark for row in [found.now, *found.rows])
    orders = [[line.split(": ")[1] for line in lines[start : start + 5]] for start in (1, 6)]
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]
    assert found.others == ("emotion",)
    assert len([line for line in table(found).splitlines() if line.startswith("*")]) == 1


def test_measurements_are_those_of_the_server(repository: Repository, url: str) -> None:
    """One client cannot have its requests merged, and with two of them at most two are."""
    alone = tuned(repository, url, grid=Grid((1,), (1,), (0,)), load=replace(SHORT, concurrency=1), rounds=1)
    together = tuned(repository, url, grid=Grid((1,), (1,), (300_000,)), rounds=1)
    one, two = alone.rows[0].median, together.rows[0].median
    assert one is not None
    assert two is not None
    assert one.mean_batch == SHORT.rows
    assert SHORT.rows <= two.mean_batch <= 2 * SHORT.rows
    assert two.p50_ms >= two.mean_queue_ms > one.mean_queue_ms
    assert one.p50_ms <= one.p95_ms <= one.p99_ms
    assert one.rows_per_s == pytest.approx(one.requests_per_s * SHORT.rows)


def test_without_applying_everything_is_as_it_was_and_leftovers_are_gone(
    repository: Repository, url: str, client: InferenceServerClient
) -> None:
    before, original = contents(repository), served(client)
    # As a tuning leaves it that was killed at once.
    with closing(TrialTriton(url)) as server:
        server.try_out(override(original, "cpu", Serving(1, 3, 7, CORES)))
    assert serving_of(served(client)).instances == 3
    found = tuned(repository, url, grid=Grid((1,), (2,), (900,)), rounds=1)
    assert found.best is not None
    assert found.now.serving == serving_of(original)
    assert served(client) == original
    assert contents(repository) == before


def test_an_impossible_limit_writes_nothing(repository: Repository, url: str, client: InferenceServerClient) -> None:
    before, original = contents(repository), served(client)
    found = tuned(repository, url, IMPOSSIBLE_MS, grid=Grid((1,), (2,), (900,)), rounds=1)
    assert found.best is None
    with pytest.raises(ExportError, match="No setting answers 95 % of the requests within 1e-06 ms; the closest"):
        apply(found, print)
    assert served(client) == original
    assert contents(repository) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "measuring", [pytest.param(True, id="while it measures"), pytest.param(False, id="while it loads")]
)
def test_an_interruption_puts_the_configuration_back(
    repository: Repository,
    url: str,
    client: InferenceServerClient,
    number: signal.Signals,
    *,
    measuring: bool,
) -> None:
    """After a report comes the next setting's load; the server tells when a setting is being measured."""
    before, original = contents(repository), served(client)
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(repository.folder), url, "60" if measuring else "0.05"],
        cwd=PROJECT,
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("2 settings" if measuring else "1 of"):
                break
        if measuring:
            while serving_of(served(client)).instances == serving_of(original).instances:
                assert process.poll() is None
        process.send_signal(number)
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert served(client) == original
    assert contents(repository) == before


def test_a_setting_that_does_not_load_is_left_out(
    repository: Repository, url: str, client: InferenceServerClient
) -> None:
    original = served(client)
    found = tuned(repository, url, grid=Grid((1, 10**30), (1,), (0,)))
    assert found.best is not None
    assert found.best.serving.threads == 1
    assert found.rows[1].remark.startswith("does not load: ")
    assert not found.rows[1].measurements
    assert served(client) == original


def test_the_file_is_loaded_again_though_it_has_not_changed(
    repository: Repository, url: str, client: InferenceServerClient
) -> None:
    original = served(client)
    with closing(TrialTriton(url)) as server:
        server.try_out(override(original, "cpu", Serving(1, 2, 7, CORES)))
        assert served(client) != original
        server.load_file(NAME, repository.version_folder(NAME, 1) / "configs" / "cpu.pbtxt")
    assert served(client) == original


def test_a_file_that_cannot_be_touched_is_served_again_all_the_same(
    repository: Repository, url: str, client: InferenceServerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(path)

    original = served(client)
    monkeypatch.setattr(os, "utime", refuse)
    tuned(repository, url, grid=Grid((1,), (2,), (900,)), rounds=1)
    assert served(client) == original


def test_no_promotion_comes_in_between(repository: Repository, url: str) -> None:
    """It waits for the tuning: the next setting would undo it."""
    refusals: list[ExportError] = []

    def report(_line: str) -> None:
        with pytest.raises(ExportError, match="busy") as refusal, locked(repository.folder, f"{NAME}.switch", "busy"):
            pass
        refusals.append(refusal.value)

    found = tuned(repository, url, grid=Grid((1,), (1,), (0,)), rounds=1, report=report)
    apply(found, report)
    assert len(refusals) == 4


@pytest.fixture
def copy(repository: Repository, tmp_path: Path) -> Repository:
    """The same versions in a folder that the server does not know."""
    return Repository(Path(shutil.copytree(repository.folder, tmp_path / "copy", symlinks=True)))


def test_a_setting_whose_requests_fail_is_left_out(copy: Repository, url: str, client: InferenceServerClient) -> None:
    """Token ids beyond the model's table, as from a tokenizer that does not belong to it."""
    original = served(client)
    words = {f"word{number}": number for number in range(100 * VOCABULARY)}
    Tokenizer(models.WordLevel(words, unk_token="word0")).save(str(copy.version_folder(NAME, 1) / TOKENIZER))
    found = tuned(copy, url, grid=Grid((1,), (1, 2), (0,)))
    assert found.best is None
    assert found.verdict.startswith("No setting could be measured: a request failed: ")
    assert served(client) == original


def test_another_folder_is_not_written_for_this_server(
    copy: Repository, url: str, client: InferenceServerClient
) -> None:
    original = served(client)
    before = contents(copy)
    found = tuned(copy, url, grid=Grid((1,), (2,), (900,)), rounds=1)
    with pytest.raises(ExportError, match="name the repository that it serves with --repository"):
        apply(found, print)
    assert contents(copy) == before
    assert served(client) == original


def test_another_version_than_the_one_in_service_is_not_tuned(copy: Repository, url: str) -> None:
    copy.promote(NAME, publish(copy, NAME, LABELS))
    with pytest.raises(ExportError, match=r"serves sentiment version 1 \(.*\), but sentiment version 2 \(.*promote"):
        tuned(copy, url)


def test_a_promotion_after_the_measurement_is_not_undone(copy: Repository, url: str) -> None:
    found = tuned(copy, url, grid=Grid((1,), (1,), (0,)), rounds=1)
    copy.promote(NAME, publish(copy, NAME, LABELS))
    before = contents(copy)
    with pytest.raises(ExportError, match="another version of sentiment was put into service meanwhile"):
        apply(found, print)
    assert contents(copy) == before


def test_what_is_missing_is_said_in_a_sentence(repository: Repository, copy: Repository, url: str) -> None:
    with pytest.raises(ExportError, match="is not reachable: start it, or name it with --triton"):
        tuned(repository, f"127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(ExportError, match="takes at most 64 rows a request"):
        tuned(repository, url, load=replace(SHORT, rows=65))
    with pytest.raises(ExportError, match="has no model absent in service"):
        tune(repository.folder, "absent", triton=url, latency_limit_ms=1, report=print)
    publish(copy, "irony", LABELS)
    with pytest.raises(ExportError, match="does not serve irony"):
        tune(copy.folder, "irony", triton=url, latency_limit_ms=1, report=print)


def test_a_server_without_model_control_is_refused(repository: Repository, tmp_path: Path) -> None:
    ports = free_ports(2)
    child = child_of(tmp_path, repository.folder, ports)
    command = [flag.replace("control-mode=explicit", "control-mode=none") for flag in child.command]
    lines: list[str] = []
    with (
        started(replace(child, command=command, arguments=tuple)),
        pytest.raises(ExportError, match="does not let models be loaded: start it with --model-control-mode"),
    ):
        tuned(repository, f"127.0.0.1:{ports[0]}", report=lines.append)
    assert lines == []


def test_a_server_that_goes_away_ends_the_tuning(repository: Repository, tmp_path: Path) -> None:
    ports = free_ports(2)
    lines: list[str] = []
    with started(child_of(tmp_path, repository.folder, ports)) as process:

        def report(line: str) -> None:
            lines.append(line)
            if line.startswith("1 of"):
                process.kill()

        with pytest.raises(ExportError, match="is not reachable"):
            tuned(repository, f"127.0.0.1:{ports[0]}", report=report)
    assert len(lines) == 3, "nothing more was tried"
    assert "could not be loaded again; a restart of Triton does it" in lines[-1]
