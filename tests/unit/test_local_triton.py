"""Thread counts, the choice of an environment, and the sentences for what is missing. No server, no socket of ours."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from services.common.errors import ConfigurationError
from services.common.triton_config import TritonConfig
from services.local import (
    model_folders,
    triton_env,
    triton_machine,
    triton_repository,
    triton_server,
    triton_staging,
)
from services.local.cores import physical_cores
from services.local.triton_probe import tiny_inputs

CONFIG = """
max_batch_size: 8
input { name: "ids" data_type: TYPE_INT64 dims: [ -1 ] }
input { name: "text" data_type: TYPE_STRING dims: [ -1, 2 ] }
instance_group { kind: KIND_CPU count: 1 }
parameters { key: "intra_op_thread_count" value { string_value: "7" } }
parameters { key: "sequence_lengths" value { string_value: "32,16,64" } }
"""
CANARY = 'parameters { key: "canary_of" value { string_value: "a" } }'


@pytest.mark.parametrize(
    ("cores", "instances", "threads"), [(2, 2, 1), (2, 1, 2), (16, 2, 8), (7, 2, 3), (1, 2, 1), (4, 0, 4)]
)
def test_threads_of_all_instances_fit_the_cores(cores: int, instances: int, threads: int) -> None:
    assert model_folders.threads_per_instance(cores, instances) == threads


def test_hyper_threads_and_quotas_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3, 9})
    for cpu, siblings in enumerate(["0,2", "1,3", "0,2", "1,3"]):
        topology = tmp_path / f"cpu{cpu}" / "topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(siblings)
    quota = tmp_path / "cpu.max"
    assert physical_cores(tmp_path, quota) == 3
    for text, cores in [("max 100000", 3), ("250000 100000", 2), ("50000 100000", 1)]:
        quota.write_text(text)
        assert physical_cores(tmp_path, quota) == cores


def repository_of(folder: Path, texts: dict[str, str]) -> Path:
    """A model repository with these files."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_the_backends_are_staged_afresh(tmp_path: Path) -> None:
    wheel = repository_of(tmp_path / "wheel", {"backends/python/libtriton_python.so": "", "stub": ""})
    for _ in range(2):
        backends = triton_staging.stage_backends(wheel, wheel / "stub", tmp_path / "work")
        assert (backends / "onnxruntime" / "model.py").is_file()
        assert sorted(path.name for path in (backends / "python").iterdir()) == ["libtriton_python.so", "stub"]
        (backends / "python" / "left over").touch()


def test_the_server_loads_what_has_a_configuration(tmp_path: Path) -> None:
    """By name, sorted; the exporter's unfinished work and files are passed over."""
    texts = {
        "b/configs/cpu.pbtxt": CONFIG,
        "a/config.pbtxt": CONFIG,
        "only_versions/1/model.onnx": "",
        ".staging/config.pbtxt": CONFIG,
        ".b.lock": "",
    }
    assert model_folders.model_names(repository_of(tmp_path, texts), "cpu") == ["a", "b"]


def test_the_named_configuration_is_taken_before_the_default_one(tmp_path: Path) -> None:
    texts = {"a/config.pbtxt": "broken {", "a/configs/cpu.pbtxt": CONFIG}
    models = triton_repository.read_models(repository_of(tmp_path, texts), "cpu")
    assert models.required["a"].max_batch_size == 8
    with pytest.raises(ConfigurationError, match=r"a/config\.pbtxt is not a Triton model configuration"):
        triton_repository.read_models(tmp_path, "gpu")


def test_a_link_is_followed_to_the_version_in_service(tmp_path: Path) -> None:
    repository = repository_of(tmp_path, {"a/2/configs/cpu.pbtxt": CONFIG})
    (repository / "a" / "configs").symlink_to("2/configs")
    (repository / "a" / "config.pbtxt").symlink_to("configs/cpu.pbtxt")
    assert list(triton_repository.read_models(repository, "cpu").required) == ["a"]


def test_all_instances_share_the_cores_but_those_of_canaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts of all models add up; without an instance group Triton starts two."""
    monkeypatch.setattr(triton_repository, "physical_cores", lambda: 10)
    texts = {
        "a/config.pbtxt": CONFIG.replace("count: 1", "count: 3"),
        "b/config.pbtxt": CONFIG.replace("instance_group { kind: KIND_CPU count: 1 }", ""),
        "a_canary/config.pbtxt": CONFIG + CANARY,
        "c/config.pbtxt": CONFIG.replace("KIND_CPU", "KIND_GPU"),
    }
    assert triton_repository.read_models(repository_of(tmp_path, texts), "cpu").threads == 2


@pytest.mark.parametrize("text", [CONFIG + CANARY, "broken {", "name: 'other'"])
def test_nobody_waits_for_a_canary(tmp_path: Path, text: str) -> None:
    """Not even for one whose configuration is damaged."""
    repository = repository_of(tmp_path, {"a/config.pbtxt": CONFIG, "a_canary/config.pbtxt": text})
    models = triton_repository.read_models(repository, "cpu")
    assert (list(models.required), list(models.canaries)) == (["a"], ["a_canary"])


def test_models_that_are_asked_for_by_name_all_have_to_answer(tmp_path: Path) -> None:
    texts = {"a/config.pbtxt": CONFIG, "a_canary/config.pbtxt": CONFIG + CANARY, "b/config.pbtxt": "broken {"}
    repository = repository_of(tmp_path, texts)
    assert list(triton_repository.read_models(repository, "cpu", ["a_canary"]).required) == ["a_canary"]
    with pytest.raises(ConfigurationError, match="has no model c, d; there are a, a_canary, b"):
        triton_repository.read_models(repository, "cpu", ["d", "a", "c"])


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({"a/1/model.onnx": ""}, "has no model"),
        ({"a/config.pbtxt": "x {"}, r"a/config\.pbtxt is not"),
        (
            {"a/config.pbtxt": "name: 'b'"},
            r"a/config\.pbtxt is for a model named b: its folder must have the same name",
        ),
        ({"a_canary/config.pbtxt": "x {"}, r"a_canary/config\.pbtxt is not"),
    ],
)
def test_an_unusable_repository_is_named(tmp_path: Path, texts: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        triton_repository.read_models(repository_of(tmp_path, texts), "cpu")


def test_the_probe_sends_the_shortest_row() -> None:
    ids, text = tiny_inputs(text_format.Parse(CONFIG, ModelConfig()))
    assert (ids.name(), ids.datatype(), list(ids.shape())) == ("ids", "INT64", [1, 16])
    assert (text.name(), text.datatype(), list(text.shape())) == ("text", "BYTES", [1, 16, 2])


@pytest.mark.parametrize(
    "found",
    [
        ("Darwin", "arm64", ("", "")),
        ("Linux", "aarch64", ("glibc", "2.39")),
        ("Linux", "x86_64", ("glibc", "2.31")),
        ("Linux", "x86_64", ("", "")),
    ],
)
def test_other_platforms_are_told_what_to_do(found: tuple[str, str, tuple[str, str]]) -> None:
    with pytest.raises(ConfigurationError, match=r"unsupported platform .* set TRITON_URL to a Triton server"):
        triton_env.check_platform(*found)


def test_this_platform_may_be_newer() -> None:
    triton_env.check_platform("Linux", "x86_64", ("glibc", "2.100"))


def fake_python(folder: Path, name: str, script: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_the_running_python_is_taken_if_it_fits() -> None:
    assert triton_env.choose_python("me", "3.12", ["other"]) == ("me", "3.12")


def test_else_the_first_that_really_runs(tmp_path: Path) -> None:
    shim = fake_python(tmp_path, "python3.12", "echo 'command not found' >&2; exit 127")
    other = fake_python(tmp_path, "python3", "echo 3.13")
    good = fake_python(tmp_path, "python3.11", "echo 3.11")
    found = [shim, str(tmp_path / "absent"), other, good]
    assert triton_env.choose_python("me", "3.14", found) == (good, "3.11")


def test_without_a_fitting_python_one_sentence_helps() -> None:
    with pytest.raises(ConfigurationError, match=r"needs Python 3.12 or 3.11 \(this is 3.14 .* install one"):
        triton_env.choose_python("me", "3.14", [])


def test_pythons_are_looked_for_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    older, newer = (fake_python(tmp_path, f"python{version}", "") for version in ("3.11", "3.12"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'absent'}:{tmp_path}")
    assert triton_env.pythons_on_path() == [newer, older]


def test_an_environment_counts_only_when_finished_from_this_lock(tmp_path: Path) -> None:
    lock, env = tmp_path / "lock.txt", tmp_path / "env"
    lock.write_text("numpy==1.26.4")
    (env / "bin").mkdir(parents=True)
    assert not triton_env.is_complete(env, lock), "half-made"
    (env / triton_env.STAMP).write_text(triton_env.stamp_of(lock, "3.11"))
    assert not triton_env.is_complete(env, lock), "its Python is gone"
    (env / "bin" / "python").symlink_to(sys.executable)
    assert triton_env.is_complete(env, lock)
    lock.write_text("numpy==1.26.3")
    assert not triton_env.is_complete(env, lock), "of another lock"


def test_a_half_made_environment_is_made_anew(tmp_path: Path) -> None:
    """From an empty lock, so that nothing is downloaded; the second call does nothing."""
    lock, env, lines = tmp_path / "lock.txt", tmp_path / "env", list[str]()
    lock.write_text("# nothing\n")
    (env / "lib").mkdir(parents=True)
    (env / "leftover").touch()
    triton_env.ensure_env(env, lock=lock, report=lines.append)
    assert not (env / "leftover").exists()
    assert [line.split()[0] for line in lines] == ["removing", "installing", "Triton"]
    triton_env.ensure_env(env, lock=lock, report=lines.append)
    assert len(lines) == 3


def test_a_failed_installation_says_why_and_is_not_complete(tmp_path: Path) -> None:
    lock, env = tmp_path / "lock.txt", tmp_path / "env"
    lock.write_text("./no-such-file-1.0.whl\n")
    with pytest.raises(ConfigurationError, match=r"could not install Triton(.|\n)*no-such-file"):
        triton_env.ensure_env(env, lock=lock, report=lambda _: None)
    assert not triton_env.is_complete(env, lock)


def test_a_taken_port_names_its_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port} .* set LOCAL_TRITON_GRPC_PORT to a free port"):
            triton_machine.check_port_free(port, "LOCAL_TRITON_GRPC_PORT")
    triton_machine.check_port_free(port, "LOCAL_TRITON_GRPC_PORT")


class Driver:
    """NVIDIA's, as far as it is asked: `cuda` is the version that it is made for."""

    def __init__(self, cuda: int = 13_000, gpus: int = 1, error: int = 0) -> None:
        self._cuda, self._gpus, self._error = cuda, gpus, error

    def cuDriverGetVersion(self, version: Any) -> int:  # noqa: N802 # NVIDIA's name
        version._obj.value = self._cuda
        return 0

    def cuInit(self, flags: int) -> int:  # noqa: N802 # likewise
        return self._error

    def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802 # likewise
        count._obj.value = self._gpus
        return 0


def test_a_gpu_with_a_new_enough_driver_will_do() -> None:
    triton_machine.check_gpu(lambda name: Driver(13_020))


@pytest.mark.parametrize(
    ("driver", "words"),
    [
        (
            Driver(12_080),
            r"too old: it is made for CUDA 12\.8, .* needs 13\.0: install driver 580 or newer, or set LOCAL_",
        ),
        (Driver(gpus=0), "finds no GPU: look at `nvidia-smi`"),
        (Driver(error=100), "finds no GPU"),
    ],
)
def test_a_driver_that_does_not_fit_is_told(driver: Driver, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        triton_machine.check_gpu(lambda name: driver)


def test_a_machine_without_a_driver_is_told_what_to_do() -> None:
    def missing(name: str) -> Any:
        raise OSError(name)

    with pytest.raises(ConfigurationError, match=r"no NVIDIA driver here \(libcuda\.so\.1 .* LOCAL_TRITON_CONFIG=cpu"):
        triton_machine.check_gpu(missing)


def test_a_server_on_a_gpu_finds_cuda_and_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a GPU it looks for neither, and says nothing of either."""
    site = tmp_path / "env" / "lib" / "python3.12" / "site-packages"
    folders = [site / "nvidia" / name / "lib" for name in ("cu13", "cudnn")]
    driver = tmp_path / "driver"
    for folder in (site / "pytriton" / "tritonserver" / "bin", *folders, driver):
        folder.mkdir(parents=True)
    (driver / "libcuda.so.1").touch()
    (site / "pytriton" / "tritonserver" / "bin" / "tritonserver").touch()
    monkeypatch.setattr(triton_server, "python_library", lambda python: ("3.12", tmp_path))
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/elsewhere:{driver}")
    found = triton_server.find_installation(tmp_path / "env")
    libraries = [site / "nvidia_pytriton.libs", tmp_path, *folders, driver]
    assert found.environment["LD_LIBRARY_PATH"] == ":".join(map(str, libraries))
    assert {"--allow-gpu-metrics=true", "--pinned-memory-pool-byte-size=268435456"} <= set(found.command(gpu=True))
    assert {"--allow-gpu-metrics=false", "--pinned-memory-pool-byte-size=0"} <= set(found.command())


def test_every_gpu_configuration_has_the_environment_for_gpus(tmp_path: Path) -> None:
    for name in get_args(TritonConfig):
        folder, lock = triton_env.env_for(name, tmp_path)
        assert (folder == tmp_path / "env-gpu") == (lock == triton_env.GPU_LOCK) == (name != "cpu")


def test_the_environment_for_gpus_differs_in_the_runtime_alone() -> None:
    """Server, backend and numpy are those that every test runs; each version is exact."""

    def pins(lock: Path) -> dict[str, str]:
        lines = [line for line in lock.read_text().splitlines() if not line.startswith("#")]
        return dict(line.split("==") for line in lines)

    cpu, gpu = pins(triton_env.LOCK), pins(triton_env.GPU_LOCK)
    assert set(cpu) - set(gpu) == {"onnxruntime", "openvino"}
    assert all(gpu[name] == version for name, version in cpu.items() if name in gpu)
    assert all(name == "onnxruntime-gpu" or name.startswith("nvidia-") for name in set(gpu) - set(cpu))


def test_small_shared_memory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="0 MB free, Triton needs 256: enlarge it"):
        triton_machine.check_shared_memory(tmp_path / "absent")
    monkeypatch.setattr(triton_machine, "MIN_SHARED_MEMORY_MB", 1)
    triton_machine.check_shared_memory(tmp_path)


def test_shared_memory_of_dead_servers_is_removed(tmp_path: Path) -> None:
    """Of a former server of this folder, and of processes that are gone; others' stays."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    folder, other = Path("/x/here"), Path("/x/other")
    former = triton_machine.region_prefix(folder)
    alive = triton_machine.region_prefix(other)
    gone = alive.replace(str(os.getpid()), str(dead.pid))
    for name in (f"{former}uuid", f"{gone}uuid", f"{alive}uuid", "undertone_odd", "psm_1"):
        (tmp_path / name).touch()
    triton_machine.remove_stale_regions(folder, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"{alive}uuid", "undertone_odd", "psm_1"}


def test_a_python_without_its_library_says_which_package_helps(tmp_path: Path) -> None:
    python = fake_python(tmp_path, "python", f"printf '3.99\\n{tmp_path}\\n{tmp_path}\\n'")
    with pytest.raises(ConfigurationError, match=r"libpython3\.99\.so\.1\.0.* apt-get install libpython3\.99"):
        triton_machine.python_library(Path(python))
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libpython3.99.so.1.0").touch()
    assert triton_machine.python_library(Path(python)) == ("3.99", tmp_path / "lib")
