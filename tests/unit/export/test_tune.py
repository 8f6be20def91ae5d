"""What a tuning tries, chooses and says, and the load that it makes. No server."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export import cores
from export.errors import ExportError
from export.spec import TARGETS, Target
from export.triton_config import Serving, parse, render
from export.tune import apply, tune
from export.tuning.grid import Grid
from export.tuning.interrupts import deferred, sigterm_as_ctrl_c
from export.tuning.load_generator import Load, Measurement, make_requests
from export.tuning.result import Row, TuneResult, choose, table
from export.tuning.server import override
from export.tuning.trial import duration
from tests.unit.export.versions import spec

LIMIT_MS = 50.0
CLIENTS = 8


def measured(rows_per_s: float, p95_ms: float) -> Measurement:
    return Measurement(rows_per_s / 16, rows_per_s, p95_ms / 2, p95_ms, p95_ms + 1, 16.0, 1.0)


def row(
    serving: Serving, rows_per_s: float = 100, p95_ms: float = 10, *, remark: str = "", as_served: bool = False
) -> Row:
    return Row(serving, as_served, [measured(rows_per_s, p95_ms)], remark)


NOW = row(Serving(), 50, as_served=True)


def chosen(*rows: Row) -> Serving | None:
    best, verdict = choose(rows, NOW, LIMIT_MS, CLIENTS)
    assert verdict.endswith(".")
    return best.serving if best else None


def test_the_fastest_within_the_limit_is_chosen() -> None:
    slow, fast, late = Serving(1, 1, 0), Serving(2, 1, 0), Serving(2, 2, 0)
    assert chosen(row(slow, 100), row(fast, 200, LIMIT_MS), row(late, 300, LIMIT_MS + 0.1)) == fast


@pytest.mark.parametrize(
    ("thrifty", "lavish"),
    [
        (Serving(4, 1, 2_000), Serving(1, 2, 0)),
        (Serving(1, 1, 2_000), Serving(2, 1, 0)),
        (Serving(1, 1, 0), Serving(1, 1, 500)),
    ],
)
def test_equally_fast_goes_to_fewer_instances_then_fewer_threads_then_less_delay(
    thrifty: Serving, lavish: Serving
) -> None:
    within, beyond = 97.1, 96.9
    for rows in ([row(thrifty, within), row(lavish, 100)], [row(lavish, 100), row(thrifty, within)]):
        assert chosen(*rows) == thrifty
    assert chosen(row(thrifty, beyond), row(lavish, 100)) == lavish


def test_an_equally_fast_setting_beyond_the_limit_is_no_rival() -> None:
    assert chosen(row(Serving(1, 1, 0), 100, LIMIT_MS + 1), row(Serving(2, 2, 0), 100)) == Serving(2, 2, 0)


def test_without_a_setting_in_time_the_closest_is_named() -> None:
    rows = [row(Serving(1, 1, 0), 200, 400), row(Serving(2, 1, 500), 100, 200)]
    best, verdict = choose(rows, NOW, LIMIT_MS, CLIENTS)
    assert best is None
    assert "1 instance, 2 threads each, 500 µs delay, needs 200.0 ms" in verdict
    assert "--concurrency 2" in verdict
    assert "fewer --rows" in choose(rows, NOW, LIMIT_MS, 1)[1]


def test_what_is_served_now_is_compared_but_not_chosen() -> None:
    tried = row(Serving(1, 1, 0), 100)
    best, verdict = choose([tried], row(Serving(), 900, 12, as_served=True), LIMIT_MS, CLIENTS)
    assert best is tried
    assert verdict.endswith("100 rows/s, p95 10.0 ms (as served now: 900 rows/s, p95 12.0 ms).")
    assert "now" not in choose([tried], row(Serving(), remark="a request failed"), LIMIT_MS, CLIENTS)[1]


def test_what_failed_once_is_not_chosen() -> None:
    broken = row(Serving(1, 1, 0), 900, remark="does not load: out of memory")
    assert chosen(broken, row(Serving(2, 1, 0), 100)) == Serving(2, 1, 0)
    best, verdict = choose([broken], NOW, LIMIT_MS, CLIENTS)
    assert best is None
    assert "out of memory" in verdict


def test_one_disturbed_round_does_not_decide() -> None:
    steady = Row(Serving(2, 1, 0), measurements=[measured(100, 10), measured(20, 900), measured(101, 11)])
    assert steady.median is not None
    assert (steady.median.rows_per_s, steady.median.p95_ms) == (100, 11)
    assert chosen(steady, row(Serving(1, 1, 0), 90)) == steady.serving


def result(rows: list[Row], target: Target = "cpu") -> TuneResult:
    best, verdict = choose(rows, NOW, LIMIT_MS, CLIENTS)
    return TuneResult(
        repository=Path("models"),
        triton="localhost:1",
        spec=spec(),
        target=target,
        latency_limit_ms=LIMIT_MS,
        load=Load(concurrency=CLIENTS),
        rounds=2,
        cores=2,
        others=("emotion",),
        now=NOW,
        rows=tuple(rows),
        best=best,
        verdict=verdict,
    )


def test_the_table_shows_every_setting_and_marks_the_best() -> None:
    rows = [
        row(Serving(2, 2, 0, 2), remark="does not load: out of memory"),
        row(Serving(2, 1, 500, 2), 1_234, 45.6),
        row(Serving(1, 1, 0, 2), 100),
    ]
    lines = table(result(rows)).splitlines()
    assert lines[0].split()[:3] == ["instances", "threads", "delay"]
    assert lines[1].split()[:2] == ["1", "default"]
    assert lines[1].endswith("as served now")
    assert lines[2].split()[:3] == ["1", "1", "0"]
    assert lines[3].split() == ["*", "1", "2", "500", "77.1", "1,234", "22.8", "45.6", "46.6", "16.0", "1.0"]
    assert lines[4].split()[:3] == ["2", "2", "0"]
    assert lines[4].endswith("does not load: out of memory")
    assert [line[:1] for line in lines[:5]].count("*") == 1
    assert len({line.index(cell) + len(cell) for line, cell in [(lines[0], "rows/s"), (lines[3], "1,234")]}) == 1
    assert "1,234 rows/s, p95 45.6 ms" in lines[-2]
    assert "2 physical cores" in lines[-1]
    assert "emotion" in lines[-1]


def test_threads_are_not_spoken_of_on_a_gpu() -> None:
    found = result([row(Serving(0, 2, 500))], "gpu")
    assert table(found).splitlines()[2].split()[:4] == ["*", "2", "500", "6.2"]
    assert "thread" not in found.verdict


def test_nothing_is_written_without_a_best_setting() -> None:
    found = result([row(Serving(1, 1, 0), 100, 900)])
    with pytest.raises(ExportError, match="No setting answers"):
        apply(found, print)


@pytest.mark.parametrize("value", [{"seconds": 0}, {"concurrency": 0}, {"rows": -1}, {"tokens": 0}])
def test_an_impossible_load_is_refused_before_anything_is_asked(tmp_path: Path, value: dict[str, int]) -> None:
    load = replace(Load(), **value)
    with pytest.raises(ExportError, match="must be above 0"):
        tune(tmp_path, "sentiment", triton="localhost:1", latency_limit_ms=1, report=print, load=load)


def pairs(grid: Grid, cores: int) -> list[tuple[int, int]]:
    """(instances, threads) of the grid."""
    return list(dict.fromkeys((each.instances, each.threads) for each in grid.settings("cpu", cores)))


def test_what_nobody_asked_for_fits_the_cores() -> None:
    assert pairs(Grid(), 1) == [(1, 1)]
    assert pairs(Grid(), 2) == [(1, 1), (1, 2), (2, 1)]
    assert pairs(Grid(), 6) == [(1, 1), (1, 2), (1, 4), (1, 6), (2, 1), (2, 2), (4, 1)]
    assert pairs(Grid(instances=(3,)), 6) == [(3, 1), (3, 2)]
    assert pairs(Grid(threads=(8,)), 2) == [(1, 8)]
    assert {each.tuned_cores for each in Grid().settings("cpu", 6)} == {6}
    assert [each.queue_delay_us for each in Grid().settings("cpu", 1)] == [0, 500, 2_000]


def test_what_was_asked_for_is_tried_in_every_combination_once() -> None:
    grid = Grid(threads=[4, 1, 4], instances=[3], queue_delays_us=[500, 0, 500])
    assert [(each.instances, each.threads, each.queue_delay_us) for each in grid.settings("cpu", 2)] == [
        (3, 1, 0),
        (3, 1, 500),
        (3, 4, 0),
        (3, 4, 500),
    ]


def test_on_a_gpu_only_instances_and_delay_are_varied() -> None:
    settings = Grid(threads=(1, 2, 4), queue_delays_us=(0, 100)).settings("gpu", 2)
    assert [(each.instances, each.queue_delay_us) for each in settings] == [(1, 0), (1, 100), (2, 0), (2, 100)]


@pytest.mark.parametrize("target", TARGETS)
def test_a_trial_is_the_configuration_that_would_be_written(target: Target) -> None:
    """Nothing but the setting differs from what is served."""
    served = parse(render(spec(), target, weights_sha256="ab" * 32, serving=Serving(7, 3, 900)))
    setting = Grid(threads=(1,), instances=(2,), queue_delays_us=(500,)).settings(target, 2)[0]
    written = parse(render(spec(), target, weights_sha256="ab" * 32, serving=setting))
    before = served.SerializeToString(deterministic=True)
    assert override(served, target, setting) == written
    assert served.SerializeToString(deterministic=True) == before


def test_the_load_is_the_same_for_every_setting_and_like_posts() -> None:
    lengths, load = (16, 32, 64, 128), Load(rows=4, tokens=32)
    first, again = make_requests(load, lengths, 100), make_requests(load, lengths, 100)
    assert [[tensor._get_content() for tensor in inputs] for inputs in first] == [
        [tensor._get_content() for tensor in inputs] for inputs in again
    ]
    shapes = [tuple(inputs[0].shape()) for inputs in first]
    assert {rows for rows, _ in shapes} == {4}
    assert {length for _, length in shapes} == set(lengths)
    usual = sum(length in (32, 64) for _, length in shapes)
    assert usual > len(shapes) * 0.8
    for inputs in first:
        ids, mask = (np.frombuffer(tensor._get_content(), np.int64).reshape(tensor.shape()) for tensor in inputs)
        assert ids.min() >= 0
        assert ids.max() < 100
        assert (np.diff(mask) <= 0).all()
        assert mask[:, 0].all()
        assert not ids[mask == 0].any()


def test_posts_longer_than_the_model_takes_are_as_long_as_it_takes() -> None:
    requests = make_requests(Load(tokens=5_000), (16, 32), 100)
    assert {inputs[0].shape()[1] for inputs in requests} == {32}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.1, "about 5 seconds"), (61, "about 60 seconds"), (90, "about 2 minutes"), (301, "about 5 minutes")],
)
def test_the_duration_is_told_as_roughly_as_it_is_known(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_hyper_threads_and_quotas_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3, 9})
    for cpu, siblings in enumerate(["0,2", "1,3", "0,2", "1,3"]):
        topology = tmp_path / f"cpu{cpu}" / "topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(siblings)
    quota = tmp_path / "cpu.max"
    assert cores.physical_cores(tmp_path, quota) == 3
    for text, expected in [("max 100000", 3), ("250000 100000", 2), ("50000 100000", 1), ("900000 100000", 3)]:
        quota.write_text(text)
        assert cores.physical_cores(tmp_path, quota) == expected


def test_sigterm_interrupts_like_ctrl_c() -> None:
    former = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), sigterm_as_ctrl_c():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == former


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_taken_back_is_taken_back_before_a_signal_counts(number: signal.Signals) -> None:
    former = signal.getsignal(number)
    done: list[str] = []

    def take_back() -> None:
        with deferred(done.append):
            signal.raise_signal(number)
            done.append("taken back")

    with pytest.raises(KeyboardInterrupt):
        take_back()
    assert done == ["wait: the former configuration is being loaded", "taken back"]
    assert signal.getsignal(number) == former
