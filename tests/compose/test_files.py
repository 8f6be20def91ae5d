"""The CPU and the GPU differ in Triton, and there in nothing but what the hardware asks for."""

import json
from typing import Any

import pytest

from deploy import make_env, make_tls
from tests.compose.stack import ROOT, config, docker

CPU, GPU, TLS = "docker-compose.cpu.yml", "docker-compose.gpu.yml", "deploy/compose/tls.yml"
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
OF_TLS = {"command", "entrypoint", "environment", "group_add", "healthcheck", "volumes"}
# What a client has of a server -> the setting with which it asks for TLS.
CLIENTS = {"POSTGRES_PASSWORD": "POSTGRES_TLS_CA", "REDIS_PASSWORD": "REDIS_TLS_CA", "TRITON_KEY": "TRITON_TLS_CA"}
INTERNAL = {"stream", "database", "inference", "monitoring", "tracing"}


@pytest.fixture(scope="module")
def cpu() -> dict[str, Any]:
    return config(CPU, make_env.make_values({})[0] | {"TRITON_KEY": "a-key"}, *PROFILES)


@pytest.fixture(scope="module")
def gpu(cpu: dict[str, Any]) -> dict[str, Any]:
    values = dict.fromkeys(make_env.PASSWORDS, "x") | {"API_KEYS": "x", "TRITON_KEY": "a-key"}
    return config(GPU, values, *PROFILES)


@pytest.fixture(scope="module", params=[CPU, GPU])
def plain_and_tls(request: pytest.FixtureRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    """The services without TLS and with it."""
    values = dict.fromkeys(make_env.PASSWORDS, "x") | {"API_KEYS": "x"}
    plain = config(request.param, values, *PROFILES)
    chosen = ("-f", request.param, "-f", TLS, *(f"--profile={profile}" for profile in PROFILES))
    tls = json.loads(docker("compose", *chosen, "config", "--format=json", environment=values))
    assert (plain["networks"], plain["volumes"]) == (tls["networks"], tls["volumes"])
    return plain["services"], tls["services"]


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
    # On the network of its clients alone, by the name that its address has there.
    assert {"--grpc-address=triton-inference", "--http-address=127.0.0.1"} <= set(command)
    assert ours["environment"]["TRITON_GRPC_HOST"] == "triton-inference"
    for service in (ours, nvidias):
        assert service["networks"] == {"inference": {"aliases": ["triton-inference"]}, "tracing": None}
    restricted = next(part for part in command if part.startswith("--grpc-restricted-protocol="))
    assert restricted.endswith(":undertone-key=a-key")
    for service in (ours, nvidias):
        models = next(volume for volume in service["volumes"] if volume["target"] == "/models")
        assert models["read_only"]
        assert service["healthcheck"]["test"][-1].endswith("health.py")


@pytest.mark.parametrize("name", [CPU, GPU])
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


def mounted(service: dict[str, Any]) -> dict[str, str]:
    """Target -> what of the folder of certificates is mounted there; all of it is read-only."""
    volumes = [volume for volume in service.get("volumes") or [] if volume["target"].startswith("/tls")]
    assert all(volume["read_only"] and not volume["bind"].get("create_host_path") for volume in volumes)
    return {volume["target"]: volume["source"].removeprefix(f"{ROOT}/tls/") for volume in volumes}


def test_with_tls_nothing_else_is_different(plain_and_tls: tuple[dict[str, Any], dict[str, Any]]) -> None:
    plain, tls = plain_and_tls
    assert set(plain) == set(tls)
    for name, before in plain.items():
        after = tls[name]
        assert {part for part in {*before, *after} if before.get(part) != after.get(part)} <= OF_TLS, name
        kept, changed = before.get("environment") or {}, after.get("environment") or {}
        assert {part for part in kept if kept[part] != changed[part]} <= {"DATA_SOURCE_URI", "REDIS_ADDR"}, name
        assert [part for part in before.get("volumes") or [] if part not in after["volumes"]] == [], name
        # What was said to the server still is.
        command = before.get("command") or []
        assert (after.get("command") or [])[: len(command)] == command, name


def test_every_client_asks_for_tls(plain_and_tls: tuple[dict[str, Any], dict[str, Any]]) -> None:
    clients = {name: service for name, service in plain_and_tls[1].items() if name not in make_tls.SERVERS}
    exporters = {name: clients.pop(f"{name}-exporter") for name in ("postgres", "redis")}
    for name, service in clients.items():
        settings = service.get("environment") or {}
        wanted = {setting for has, setting in CLIENTS.items() if has in settings}
        given = {setting: path for setting, path in settings.items() if setting.endswith("_TLS_CA")}
        assert given == dict.fromkeys(wanted, "/tls/ca.crt"), name
        assert mounted(service) == ({"/tls/ca.crt": "ca.crt"} if wanted else {}), name
    for exporter in exporters.values():
        assert mounted(exporter) == {"/tls/ca.crt": "ca.crt"}
    postgres, redis = (exporter["environment"] for exporter in exporters.values())
    assert "sslmode=verify-full&sslrootcert=/tls/ca.crt" in postgres["DATA_SOURCE_URI"]
    assert redis["REDIS_ADDR"].startswith("rediss://")
    assert redis["REDIS_EXPORTER_TLS_CA_CERT_FILE"] == "/tls/ca.crt"


def test_every_server_has_its_own_key_and_no_other(plain_and_tls: tuple[dict[str, Any], dict[str, Any]]) -> None:
    for name in make_tls.SERVERS:
        service = plain_and_tls[1][name]
        assert mounted(service)["/tls/server"] == name
        assert set(mounted(service).values()) <= {name, "ca.crt"}
        assert service["group_add"] == [str(make_tls.GROUP)]


def test_servers_speak_nothing_but_tls(plain_and_tls: tuple[dict[str, Any], dict[str, Any]]) -> None:
    tls = plain_and_tls[1]
    redis = " ".join(tls["redis"]["command"])
    assert "--port 0 --tls-port 6379" in redis
    assert "--grpc-use-ssl=true" in tls["triton"]["environment"]["TRITON_FLAGS"]
    lines = (ROOT / "deploy/postgres/pg_hba.conf").read_text().splitlines()
    assert {line.split()[0] for line in lines if not line.startswith("#")} == {"local", "hostssl"}
    (script,) = tls["postgres"]["entrypoint"]
    start = (ROOT / "deploy/postgres" / script.rpartition("/")[2]).read_text()
    assert "-cssl=on" in start
    assert "-chba_file=/etc/undertone/pg_hba.conf" in start


def test_the_version_of_compose_is_one_that_waits_for_one_shots() -> None:
    assert tuple(int(part) for part in docker("compose", "version", "--short").split("-")[0].split(".")[:2]) >= (2, 24)
