"""Measuring on a GPU, as far as it is no GPU's: what is parsed, compared, counted, told; which wheels it takes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.goals import NOT_MEASURED
from bench.gpu.__main__ import parse
from bench.gpu.collect import wanted
from bench.gpu.device import CPU, GPU, NoGpu, Sampler, gpu_facts, parse_row
from bench.gpu.parity import agreement, worst
from bench.gpu.parts import PARTS
from bench.gpu.pipeline import limit, workers
from bench.gpu.plan import CELLS, COMPILED_CELLS, Plan
from bench.gpu.present import GOALS, charts, tables
from bench.gpu.shapes import COMPILED, DIRECT, OURS, TORCH, in_flight
from bench.gpu.variants import VARIANTS, with_instances
from bench.gpu.wheels import WheelError, is_large, lines_of, name_of, names_in, requirements, split
from bench.models import ModelSet
from bench.options import parse as parse_options
from bench.paths import PROJECT, STARTER_MODELS


def plan(device: Any = GPU) -> Plan:
    return Plan(device=device, quick=False, rounds=1, seconds=1.0, clients=1, texts=["a post"])


def test_a_row_of_nvidia_smi_is_numbers_and_names() -> None:
    assert parse_row("NVIDIA H100 80GB HBM3, 580.159.04, 81559, 1980, 700.00\n") == [
        "NVIDIA H100 80GB HBM3",
        "580.159.04",
        81_559.0,
        1_980.0,
        700.0,
    ]


def test_without_a_gpu_it_says_what_to_do_and_samples_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoGpu, match="measure on a machine that has one"):
        gpu_facts()
    with Sampler(CPU) as sampler:
        pass
    assert set(sampler.medians().values()) == {None}


def test_what_a_gpu_does_is_sampled_while_the_block_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers = tmp_path / "asked"
    smi = tmp_path / "nvidia-smi"
    smi.write_text(f"#!/bin/sh\necho >> {answers}\necho '87, 412.5, 1755'\n")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with Sampler(GPU) as sampler:
        while not sampler.samples["clock_mhz"]:
            pass
    assert sampler.medians() == {"gpu_percent": 87.0, "power_w": 412.5, "clock_mhz": 1_755.0}
    asked = answers.read_text()
    assert asked, "it is over, and nobody asks any more"
    assert answers.read_text() == asked


def test_labels_agree_where_the_likeliest_is_the_same_one() -> None:
    expected = np.array([[0.7, 0.3], [0.502, 0.498], [0.2, 0.8], [0.9, 0.1]], np.float32)
    # The second may turn, it was a toss-up; the fourth must not.
    found = np.array([[0.6, 0.4], [0.49, 0.51], [0.2, 0.8], [0.3, 0.7]], np.float32)
    compared = agreement(found, expected)
    assert compared["labels_agree"] == 0.5
    assert compared["clear_disagreements"] == 1
    assert compared["largest_change"] == pytest.approx(0.6, abs=1e-6)


def test_the_goal_is_the_worst_model_of_the_starter_set() -> None:
    found = [
        {"models": "starter", "labels_agree": 0.999},
        {"models": "starter", "labels_agree": 0.996},
        {"models": "gpu", "labels_agree": 0.5},
    ]
    assert worst(found) == 0.996


def test_small_batches_have_many_requests_under_way_and_large_ones_enough_to_overlap() -> None:
    assert [in_flight(rows) for rows in (1, 8, 64, 256, 1_024, 4_096)] == [16, 16, 16, 4, 2, 2]


def test_torch_compiles_only_where_it_is_compared_and_never_on_a_processor() -> None:
    assert set(COMPILED_CELLS) < set(CELLS)
    assert (128, 1_024) in COMPILED_CELLS, "where the goals are"
    assert not any(plan(CPU).compiled(cell) for cell in CELLS)
    assert [cell for cell in CELLS if plan(GPU).compiled(cell)] == list(COMPILED_CELLS)


def test_half_of_the_cores_are_workers() -> None:
    assert [workers(cores) for cores in (1, 2, 16)] == [1, 1, 8]


@pytest.mark.parametrize(
    ("cpu_ms", "gpu_percent", "expected"),
    [
        ({"worker": 0.2, "postgres": 0.1}, 97.0, "the GPU: 3.0 of 16 cores are busy, the GPU 97 % of the time"),
        ({"worker": 1.0, "postgres": 0.5}, 40.0, "the processor: 15.0 of 16 cores"),
        ({"worker": 0.05, "redis": 0.095}, 40.0, "redis: a process of redis uses 0.95 of its one core"),
        ({"worker": 0.38, "redis": 0.01}, 40.0, "worker: a process of worker uses 0.95 of its one core"),
        ({"worker": 0.05, "redis": 0.01}, None, "waiting: 0.6 of 16 cores are busy, and no process"),
    ],
)
def test_what_limits_the_system_is_what_is_used_up(
    cpu_ms: dict[str, float], gpu_percent: float | None, expected: str
) -> None:
    run = {"posts_per_s": 10_000.0, "cpu_ms_per_post": cpu_ms, "gpu_percent": gpu_percent}
    assert limit(run, count_workers=4, cores=16).startswith(expected)


def test_two_instances_are_a_copy_and_the_repository_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("bench.gpu.variants.WORK", tmp_path)
    models = ModelSet("starter", STARTER_MODELS, None)
    assert with_instances(models, plan(), 1) is models
    copy = with_instances(models, plan(), 2)
    for name in ("sentiment", "emotion"):
        before = (STARTER_MODELS / name / "configs" / "gpu-ort.pbtxt").read_text()
        after = (copy.repository / name / "configs" / "gpu-ort.pbtxt").read_text()
        assert "count: 1 }" in before
        assert after == before.replace("count: 1 }", "count: 2 }")


def measured() -> dict[str, Any]:
    """Results as they are on a GPU where every goal is just reached."""

    def median(value: float) -> dict[str, float]:
        return {"median": value, "low": value, "high": value, "rounds": 1}

    titles = (OURS, DIRECT, TORCH, COMPILED)
    cell = {
        "length": 128,
        "rows": 1_024,
        "rows_per_s": {title: median(40_000.0) for title in titles},
        "tokens_per_s": dict.fromkeys(titles, 5_120_000.0),
        "tflops": dict.fromkeys(titles, 400.0),
        "share_of_peak": dict.fromkeys(titles, 0.5),
        "to": {DIRECT: median(0.9), TORCH: median(1.2), COMPILED: median(1.0)},
        "ours": dict.fromkeys(("mean_batch", "queue_ms", "compute_ms", "client_cpu_us_per_row", "gpu_percent"), 1.0),
    }
    single = {"p50": 3.0, "p95": 4.0, "p99": 5.0, "max": 6.0, "count": 200}
    return {
        "device": {"name": "NVIDIA H100", "driver": "580"},
        "cores": 16,
        "python": "3.12",
        "peak": {"flops": 8e14, "shape": "8192 x 8192 x 8192", "bytes_per_s": 3e12, "torch": "2.11"},
        "parity": [
            {
                "models": "starter",
                "model": "sentiment",
                "by": OURS,
                "texts": 100,
                "labels_agree": 0.995,
                "clear_disagreements": 0,
                "largest_change": 0.01,
            }
        ],
        "shapes": {"sentiment": {"model": "distilbert", "cells": [cell], "single_request_ms": single}},
        "mix": {"texts": 100, "texts_per_s": {OURS: median(1.0)}, "to": {}},
        "load": {
            "most_texts_per_s": 100.0,
            "loads": [{"texts_per_s": 50.0, "latency_ms": single, "mean_batch": 2.0, "queue_ms": 0.1}],
        },
        "variants": {"as it is served": {"single": median(1.0), "backlog": median(2.0), "mix": median(3.0)}},
        "pipeline": {
            "workers": 8,
            "cores": 16,
            "posts_per_s": median(10_000.0),
            "limit": "the GPU",
            "cpu_ms_per_post": {"worker": 0.1},
        },
    }


def test_every_goal_finds_its_figure_and_every_part_its_table() -> None:
    results = measured()
    assert [goal.row(results)[-1] for goal in GOALS] == ["yes"] * len(GOALS)
    told = tables(results)
    assert NOT_MEASURED not in told
    assert "the GPU" in told
    assert "5,120,000" in told, "tokens a second"
    assert {chart.name for chart in charts(results)} == {"gpu-shapes", "gpu-latency", "gpu-variants"}


@pytest.mark.parametrize("missing", PARTS)
def test_a_part_that_was_not_measured_is_said_to_be(missing: str) -> None:
    results = {name: part for name, part in measured().items() if name != missing}
    assert f"*{missing}: not measured.*" in tables(results)
    for goal in GOALS:
        assert goal.row(results)[-1] in ("yes", ""), "nothing that is missing counts as reached or not"
    assert not any(series.y == [] for chart in charts(results) for series in chart.series)


def test_the_figures_of_a_processor_meet_no_goal_of_a_gpu() -> None:
    results = measured() | {"device": {"name": "none: tried out on 2 cores"}}
    assert "at least 50 %" not in tables(results)


def test_lists_include_the_lists_that_they_name(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("# a list\n-r b.txt\none==1\n")
    (tmp_path / "b.txt").write_text("two==2 ; python_version >= '3'\n\n")
    assert lines_of(tmp_path / "a.txt") == ["two==2 ; python_version >= '3'", "one==1"]


def test_names_are_as_wheels_have_them() -> None:
    assert name_of("MarkupSafe==3.0.4") == "markupsafe"
    assert name_of("huggingface_hub==0.36.2") == "huggingface-hub"
    assert name_of("redis[hiredis]==8.1.0 ; x") == "redis"
    with pytest.raises(WheelError):
        name_of("; nothing")


def test_only_what_a_machine_with_a_gpu_has_may_be_missing(tmp_path: Path) -> None:
    for wheel in ("numpy-2.4.6-cp312-cp312-manylinux_2_28_x86_64.whl", "nvidia_pytriton-0.7.0-py3-none-x.whl"):
        (tmp_path / wheel).touch()
    assert names_in(tmp_path) == {"numpy", "nvidia-pytriton"}
    assert is_large("nvidia-cudnn-cu13==9")
    assert is_large("torch==2")
    assert not is_large("nvidia-pytriton==0.7.0"), "that is the server"
    assert not is_large("torchvision==1")
    needed = ["numpy==2.4.6", "torch==2.13.0", "only==1 ; sys_platform == 'win32'"]
    assert split(needed, names_in(tmp_path)) == (["numpy==2.4.6"], ["torch==2.13.0"])
    with pytest.raises(WheelError, match="no wheel of redis==8"):
        split(["redis==8"], names_in(tmp_path))


def test_the_wheels_are_those_of_the_locks_for_the_other_python() -> None:
    lists = requirements()
    assert {name_of(line) for line in lists["services"]} >= {"tritonclient", "redis", "asyncpg", "psutil", "pytest"}
    assert {name_of(line) for line in lists["rivals"]} >= {"torch", "transformers", "optimum", "matplotlib"}
    assert {name_of(line) for line in lists["triton"]} >= {"onnxruntime-gpu", "nvidia-pytriton"}
    small, all_of_them = wanted("3.12", large=False), wanted("3.12", large=True)
    assert set(small) < set(all_of_them)
    assert "numpy==2.4.6" in wanted("3.11", large=False)
    assert not any(";" in line for line in all_of_them), "pip would evaluate markers for the Python that runs it"
    assert not any(is_large(line) for line in small)


def test_the_script_starts_where_nothing_is_installed() -> None:
    # -S: without any site-packages.
    command = [sys.executable, "-S", "-m", "bench.gpu", "measure", "/no/such/folder"]
    answer = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert "there is no folder /no/such/folder" in answer.stderr


def test_what_is_to_be_measured_is_handed_on() -> None:
    options, others = parse(["measure", "wheels", "--parts", "peak,shapes", "--seconds", "1"])
    assert options.folder == Path("wheels")
    assert parse_options(["gpu", *others]).parts == ("peak", "shapes")
    with pytest.raises(SystemExit):
        parse(["collect", "wheels", "--parts", "peak"])


def test_unknown_parts_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_options(["gpu", "--parts", "peak,dance"])
    assert "'dance' is none of peak, parity" in capsys.readouterr().err


def test_variants_begin_with_what_is_served() -> None:
    first, *others = VARIANTS
    assert not first.settings
    assert first.instances == 1
    assert all(variant.settings or variant.instances > 1 for variant in others)
