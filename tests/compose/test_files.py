"""The CPU and the GPU differ in Triton, and there in nothing but what the hardware asks for."""

from typing import Any

import pytest

from deploy import make_env
from tests.compose.stack import config, docker

PROFILES = ("monitoring", "export", "tracing")
# Of Triton: what is of the image, and where the image's parts lie.
OF_THE_IMAGE = {
    "build",
    "image",
    "command",
    "entrypoint",
    "environment",
    "healthcheck",
    "mem_limit",
    "tmpfs",
    "volumes",
}
OF_THE_GPU = {"deploy"}
INTERNAL = {"stream", "database", "inference", "monitoring"}


@pytest.fixture(scope="module")
def cpu() -> dict[str, Any]:
    return config("docker-compose.cpu.yml", make_env.make_values({})[0] | {"TRITON_KEY": "a-key"}, *PROFILES)


@pytest.fixture(scope="module")
def gpu(cpu: dict[str, Any]) -> dict[str, Any]:
    values = dict.fromkeys(make_env.PASSWORDS, "x") | {"API_KEYS": "x", "TRITON_KEY": "a-key"}
    return config("docker-compose.gpu.yml", values, *PROFILES)


def without_values(service: dict[str, Any]) -> dict[str, Any]:
    """Passwords differ from run to run."""
    return service | {"environment": sorted(service.get("environment") or {})}


def test_everything_but_triton_is_the_same(cpu: dict[str, Any], gpu: dict[str, Any]) -> None:
    assert set(cpu["services"]) == set(gpu["services"])
    for name in set(cpu["services"]) - {"triton"}:
        assert without_values(cpu["services"][name]) == without_values(gpu["services"][name]), name
    assert (cpu["networks"], cpu["volumes"]) == (gpu["networks"], gpu["volumes"])


def test_triton_differs_in_its_image_and_its_device(cpu: dict[str, Any], gpu: dict[str, Any]) -> None:
    ours, nvidias = cpu["services"]["triton"], gpu["services"]["triton"]
    assert {name for name in {*ours, *nvidias} if ours.get(name) != nvidias.get(name)} <= OF_THE_IMAGE | OF_THE_GPU
    command = nvidias["command"]
    assert "--model-config-name=gpu" in command
    assert [device["capabilities"] for device in nvidias["deploy"]["resources"]["reservations"]["devices"]] == [["gpu"]]
    assert {"--grpc-address=0.0.0.0", "--http-address=127.0.0.1"} <= set(command)
    restricted = next(part for part in command if part.startswith("--grpc-restricted-protocol="))
    assert restricted.endswith(":undertone-key=a-key")
    for service in (ours, nvidias):
        models = next(volume for volume in service["volumes"] if volume["target"] == "/models")
        assert models["read_only"]
        assert service["healthcheck"]["test"][-1].endswith("health.py")


@pytest.mark.parametrize("name", ["docker-compose.cpu.yml", "docker-compose.gpu.yml"])
def test_no_password_has_a_default(name: str) -> None:
    values = dict.fromkeys(make_env.PASSWORDS, "x") | {"API_KEYS": "x"}
    for missing in values:
        if missing == "GRAFANA_PASSWORD":
            continue
        with pytest.raises(AssertionError, match=missing):
            config(name, values | {missing: ""}, *PROFILES)


def test_only_the_frontend_publishes_a_port_and_only_its_network_leads_outside(cpu: dict[str, Any]) -> None:
    assert [name for name, service in cpu["services"].items() if service.get("ports")] == ["frontend"]
    (port,) = cpu["services"]["frontend"]["ports"]
    assert port["host_ip"] == "127.0.0.1"
    assert {name for name, network in cpu["networks"].items() if network.get("internal")} == INTERNAL
    assert set(cpu["services"]["frontend"]["networks"]) == {"edge"}
    edge = {name for name, service in cpu["services"].items() if "edge" in (service.get("networks") or {})}
    assert edge - {"grafana", "prometheus"} == {"frontend", "api"}


def test_every_service_is_confined(cpu: dict[str, Any]) -> None:
    for name, service in cpu["services"].items():
        assert service.get("read_only"), name
        assert service.get("cap_drop") == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service.get("init"), name
        assert service.get("mem_limit"), name
        assert service.get("pids_limit"), name
        assert service["logging"]["options"]["max-size"], name


def test_whoever_runs_is_watched_and_started_again(cpu: dict[str, Any]) -> None:
    for name, service in cpu["services"].items():
        if service.get("restart") != "no":
            assert service["restart"] == "unless-stopped", name
            assert service["healthcheck"]["test"], name


def test_the_version_of_compose_is_one_that_waits_for_one_shots() -> None:
    assert tuple(int(part) for part in docker("compose", "version", "--short").split("-")[0].split(".")[:2]) >= (2, 24)
