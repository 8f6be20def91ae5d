"""The manifests start what the compose files start: the same images, commands, settings, ports, limits and checks."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.kubernetes.__main__ import ROOT, compose_services, generated, is_secret, settings
from deploy.kubernetes.make_secrets import SECRETS
from services.common.settings import Settings
from tests.unit.deploy.kubernetes import RENDERED, container, find, of_kind, overlay, pod, pod_templates, render

# Who is not ours there: operators and Prometheus' operator have them, and Prometheus may ask one port of Triton itself.
ELSEWHERE = {"postgres", "redis", "prometheus", "grafana", "triton-metrics"}
# A container of its own with compose, here one that runs before Triton's.
INIT = {"models"}
PYTHON = ("ingester", "worker", "keeper", "api")
SERVICES = (*PYTHON, "frontend", "migrate", "export", "triton", "postgres-exporter", "redis-exporter")
# A pod has one address, so policies say who reaches the endpoint, not what it listens on.
NOT_HERE = {("triton", "TRITON_GRPC_HOST")}
COMPOSE = compose_services()
SETTINGS = settings()
GPU = yaml.safe_load((ROOT / "docker-compose.gpu.yml").read_text())["services"]["triton"]


def resolved(text: object) -> str:
    """As compose reads it without a .env; what is required stays."""
    plain = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(text).lower() if isinstance(text, bool) else str(text))
    return plain.replace("$$", "$")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The overlay for the CPU with the exporters and the export, as compose has them without tls.yml."""
    return overlay(tmp_path_factory.mktemp("overlay"), "overlays/cpu", "monitoring", "export")


def test_every_service_of_compose_is_here_or_of_an_operator() -> None:
    assert set(COMPOSE) == {*SERVICES, *ELSEWHERE, *INIT}
    assert {component for component, _ in pod_templates("example")} == set(SERVICES)


def test_what_is_made_of_other_files_is_up_to_date() -> None:
    for path, text in generated().items():
        assert path.read_text() == text, f"write it again: python -m deploy.kubernetes ({path.name})"


@pytest.mark.parametrize("service", SERVICES)
def test_it_is_the_same_image_and_command(plain: Path, service: str) -> None:
    ours, theirs = container(plain, service), COMPOSE[service]
    assert ours["image"] == resolved(theirs["image"])
    command = [*ours.get("command", ()), *ours.get("args", ())]
    # The export says how it is used until it is told what to do.
    expected = ["--help"] if service == "export" else [resolved(part) for part in theirs.get("command", ())]
    assert [part.rstrip("\n") for part in command] == [part.rstrip("\n") for part in expected]


@pytest.mark.parametrize("service", SERVICES)
def test_it_has_the_same_settings(plain: Path, service: str) -> None:
    ours = container(plain, service)
    data = find(plain, "ConfigMap", "settings")["data"]
    has_all = [source["configMapRef"]["name"] for source in ours.get("envFrom", ())]
    given = {entry["name"]: entry for entry in ours.get("env", ())}
    expected = {
        name: value
        for name, value in COMPOSE[service].get("environment", {}).items()
        if (service, name) not in NOT_HERE
    }
    for name, value in expected.items():
        required = re.fullmatch(r"\$\{(\w+):\?[^}]+\}", str(value))
        optional = re.fullmatch(r"\$\{(\w+):-(.*)\}", str(value))
        if required:
            assert_secret(given[name], service, required[1], optional=False)
        elif optional and is_secret(name):
            assert_secret(given[name], service, optional[1], optional=True)
        elif optional and name in SETTINGS:
            # Of the one place where all of them are, whole or by name.
            assert has_all or given[name]["valueFrom"]["configMapKeyRef"]["key"] == name, name
            assert optional[2] == data[name]
        else:
            assert given[name] == {"name": name, "value": resolved(value)}
    assert set(given) <= set(expected), "compose does not have these"


def assert_secret(entry: dict[str, Any], service: str, name: str, *, optional: bool) -> None:
    reference = entry["valueFrom"]["secretKeyRef"]
    assert reference["name"] == service
    assert SECRETS[service][reference["key"]] == name
    assert reference.get("optional", False) is optional


def test_a_setting_that_compose_has_is_in_the_one_place_and_no_other_is() -> None:
    for folder in RENDERED[:2]:
        data = find(folder, "ConfigMap", "settings")["data"]
        assert data == SETTINGS
        assert {name.lower() for name in data} <= set(Settings.model_fields)
    assert len(SETTINGS) > 40
    # And the example changes some, as an overlay of yours would.
    assert find("example", "ConfigMap", "settings")["data"].keys() == SETTINGS.keys()


def test_no_secret_is_among_the_settings() -> None:
    assert [name for name in SETTINGS if is_secret(name)] == []
    assert is_secret("ALERT_WEBHOOKS")
    assert is_secret("API_KEYS")


@pytest.mark.parametrize("service", SERVICES)
def test_it_has_the_same_limits_and_as_long_to_stop(plain: Path, service: str) -> None:
    ours = container(plain, service)["resources"]["limits"]["memory"]
    assert bytes_of(ours) == bytes_of(resolved(COMPOSE[service]["mem_limit"]))
    # Docker's own is 10 s, Kubernetes' 30.
    wanted_s = int(str(extended(service).get("stop_grace_period", "10s")).removesuffix("s"))
    if service != "migrate":
        assert pod(plain, service).get("terminationGracePeriodSeconds", 30) >= wanted_s


def extended(service: str) -> dict[str, Any]:
    """With what docker-compose.cpu.yml takes of another file for Triton."""
    described: dict[str, Any] = COMPOSE[service]
    if "extends" in described:
        file = ROOT / described["extends"]["file"]
        described = {**yaml.safe_load(file.read_text())["services"][described["extends"]["service"]], **described}
    return described


def bytes_of(text: str) -> int:
    found = re.fullmatch(r"(\d+)([kmg])i?", text.lower())
    assert found is not None, text
    return int(found[1]) << {"k": 10, "m": 20, "g": 30}[found[2]]


@pytest.mark.parametrize("service", SERVICES)
def test_it_has_the_same_folders_to_write_to(plain: Path, service: str) -> None:
    ours = {mount["mountPath"] for mount in container(plain, service)["volumeMounts"]}
    theirs = {entry.partition(":")[0] for entry in COMPOSE[service].get("tmpfs", ())}
    assert theirs <= ours
    sizes = dict(re.findall(r"(/\w+):\S*?size=(\w+)", " ".join(COMPOSE[service].get("tmpfs", ()))))
    volumes = {volume["name"]: volume for volume in pod(plain, service)["volumes"]}
    for mount in container(plain, service)["volumeMounts"]:
        if mount["mountPath"] in sizes:
            assert bytes_of(volumes[mount["name"]]["emptyDir"]["sizeLimit"]) == bytes_of(sizes[mount["mountPath"]])


@pytest.mark.parametrize("service", [*PYTHON, "triton", "postgres-exporter", "redis-exporter"])
def test_it_is_ready_when_compose_calls_it_healthy(plain: Path, service: str) -> None:
    kind, *test = COMPOSE[service]["healthcheck"]["test"]
    expected = ["sh", "-c", resolved(test[0])] if kind == "CMD-SHELL" else test
    ready = container(plain, service)["readinessProbe"]
    assert ready["exec"]["command"] == expected
    assert ready["timeoutSeconds"] == int(extended(service)["healthcheck"].get("timeout", "30s").removesuffix("s"))


@pytest.mark.parametrize("service", PYTHON)
def test_who_waits_for_a_server_is_not_started_again(plain: Path, service: str) -> None:
    one = container(plain, service)
    for probe in ("livenessProbe", "startupProbe"):
        assert one[probe]["exec"]["command"] == ["python", "-m", "services.health", service, "--alive"]


@pytest.mark.parametrize("folder", RENDERED)
def test_a_triton_whose_models_do_not_answer_is_started_again_but_not_while_it_loads(folder: str) -> None:
    one = container(folder, "triton")
    commands = {str(one[probe]["exec"]["command"]) for probe in ("livenessProbe", "readinessProbe", "startupProbe")}
    assert len(commands) == 1
    start = one["startupProbe"]
    # As long as the compose files give it.
    period = int(extended("triton")["healthcheck"].get("start_period", "600s").removesuffix("s"))
    assert start["periodSeconds"] * start["failureThreshold"] >= period


@pytest.mark.parametrize("folder", RENDERED)
def test_ports_are_those_that_the_services_listen_on(folder: str) -> None:
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    expected = {name: {"metrics": defaults[f"{name}_metrics_port"]} for name in ("worker", "ingester", "keeper")}
    expected |= {
        "api": {"http": defaults["api_port"]},
        "triton": {"grpc": 8001, "metrics": 8002},
        "frontend": {"http": int(re.findall(r"listen (\d+);", (ROOT / "frontend/nginx/nginx.conf").read_text())[0])},
    }
    for component, ports in expected.items():
        found = {port["name"]: port["containerPort"] for port in container(folder, component)["ports"]}
        assert found == ports, component
    # With compose the frontend is reached at the same port.
    assert str(COMPOSE["frontend"]["ports"]).endswith(":8080']")


@pytest.mark.parametrize("folder", RENDERED)
def test_every_address_is_of_a_service_that_has_that_port(folder: str) -> None:
    services = {s["metadata"]["name"]: {p["port"] for p in s["spec"]["ports"]} for s in of_kind(folder, "Service")}
    # Their operators make those of these.
    services |= {"postgres": {5432}, "redis": {6379}}
    ways = re.findall(r"(?:value': '|//)(?:https?://|rediss?://)?(\w+):(\d+)", str(render(folder)))
    addresses = {(host, int(port)) for host, port in ways if host != "localhost"}
    upstream = find(folder, "ConfigMap", "frontend-upstream")["data"]["upstream.conf"]
    addresses |= {(host, int(port)) for host, port in re.findall(r"http://(\w+):(\d+)", upstream)}
    assert {("triton", 8001), ("triton", 8002), ("api", 8000)} <= addresses
    for host, port in addresses - {("collector", 4318)}:
        assert port in services[host], (host, port)
    hosts = {
        entry["value"]
        for _, template in pod_templates(folder)
        for one in template["spec"]["containers"]
        for entry in one.get("env", ())
        if entry["name"].endswith("_HOST") and entry["value"] != "0.0.0.0"
    }
    assert hosts == {"postgres", "redis"}


def test_the_starter_models_are_those_of_the_same_image() -> None:
    for folder in RENDERED:
        (models,) = pod(folder, "triton")["initContainers"]
        assert models["image"] == resolved(COMPOSE["models"]["image"])


def test_starter_models_that_are_missing_are_added_and_others_are_left_as_they_are(tmp_path: Path) -> None:
    (models,) = pod("overlays/cpu", "triton")["initContainers"]
    shell, flags, script = models["command"]
    for name in ("emotion", "sentiment"):
        (tmp_path / "models" / name / "1").mkdir(parents=True)
        (tmp_path / "models" / name / "1" / "model.onnx").write_text(name)
    repository = tmp_path / "repository"
    (repository / "sentiment").mkdir(parents=True)
    # What a pod has left that was stopped meanwhile.
    (repository / ".emotion.this" / "half").mkdir(parents=True)
    script = script.replace("/models/", f"{tmp_path}/models/").replace("/repository/", f"{repository}/")
    for _ in range(2):
        subprocess.run(
            [shell, flags, script], check=True, env={"HOSTNAME": "this", "PATH": "/bin:/usr/bin"}, timeout=60
        )
        files = sorted(str(path.relative_to(repository)) for path in repository.rglob("*"))
        assert files == ["emotion", "emotion/1", "emotion/1/model.onnx", "sentiment"]


@pytest.mark.parametrize("endpoint", ["", "http://collector:4318"])
def test_nvidias_server_is_given_what_compose_gives_it(tmp_path: Path, endpoint: str) -> None:
    """Both by a shell, as they are: what it would start prints what it was given."""
    server = tmp_path / "tritonserver"
    server.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    server.chmod(0o755)
    values = {"TRITON_KEY": "a$b 'c", "TRITON_CONFIG": "gpu", "TRACES_ENDPOINT": endpoint, "TRITON_FLAGS": "--a=1 --b"}
    environment = {"PATH": f"{tmp_path}:/bin:/usr/bin", **values}
    one = container("overlays/gpu", "triton")
    ours = started(one["command"], environment, tmp_path)
    theirs = started([with_values(part, values) for part in GPU["command"]], environment, tmp_path)
    # A pod has one address, and policies say who reaches it.
    assert set(ours) - set(theirs) == {"--grpc-address=0.0.0.0"}
    assert set(theirs) - set(ours) == {"--grpc-address=triton-inference"}
    assert [entry["name"] for entry in one["env"]] == ["TRITON_CONFIG", "TRITON_KEY", "TRACES_ENDPOINT"]
    assert one["image"] == resolved(GPU["image"])
    assert bytes_of(one["resources"]["limits"]["memory"]) == bytes_of(resolved(GPU["mem_limit"]))
    assert one["readinessProbe"]["exec"]["command"] == GPU["healthcheck"]["test"][1:]


def started(command: list[str], environment: dict[str, str], folder: Path) -> list[str]:
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


def with_values(part: str, values: dict[str, str]) -> str:
    """As compose fills it in."""
    filled = re.sub(r"(?<!\$)\$\{(\w+):[-?]([^}]*)\}", lambda found: values.get(found[1]) or found[2], part)
    return filled.replace("$$", "$")


def test_nvidias_image_has_the_health_check_of_ours() -> None:
    data = find("overlays/gpu", "ConfigMap", "triton-health")["data"]
    assert data == {"health.py": (ROOT / "services/triton/health.py").read_text()}


def test_postgresql_is_set_up_as_compose_does_it() -> None:
    theirs, ours = COMPOSE["postgres"], find("example", "Cluster", "postgres")["spec"]
    flags = dict(re.findall(r"-c(\w+)=(\S+)", resolved(" ".join(theirs["command"]))))
    # The operator loads the library of what has a setting.
    assert flags.pop("shared_preload_libraries") == "pg_stat_statements"
    parameters = dict(ours["postgresql"]["parameters"])
    assert parameters.pop("pg_stat_statements.max")
    assert parameters == flags
    version = re.search(r":(\d+)", resolved(theirs["image"]))
    assert version is not None
    assert ours["imageName"].endswith(f":{version[1]}")
    initdb = ours["bootstrap"]["initdb"]
    assert initdb["dataChecksums"] is True
    asked = dict(
        part[2:].split("=") for part in shlex.split(theirs["environment"]["POSTGRES_INITDB_ARGS"]) if "=" in part
    )
    assert asked == {
        "encoding": initdb["encoding"],
        "locale": initdb["locale"],
        "locale-provider": initdb["localeProvider"],
        "builtin-locale": initdb["builtinLocale"],
    }
    assert initdb["database"] == theirs["environment"]["POSTGRES_DB"]
    assert initdb["owner"] == theirs["environment"]["POSTGRES_USER"]
    assert bytes_of(ours["resources"]["limits"]["memory"]) == bytes_of(resolved(theirs["mem_limit"]))


def test_redis_is_set_up_as_compose_does_it() -> None:
    theirs, ours = COMPOSE["redis"], find("example", "Redis", "redis")["spec"]
    configuration = find("example", "ConfigMap", ours["redisConfig"]["additionalRedisConfig"])["data"]
    assert configuration == {"redis-additional.conf": (ROOT / "deploy/redis/redis.conf").read_text()}
    assert f"maxmemory {resolved(theirs['command'][-1])}\n" in configuration["redis-additional.conf"]
    limits = ours["kubernetesConfig"]["resources"]["limits"]
    assert bytes_of(limits["memory"]) == bytes_of(resolved(theirs["mem_limit"]))
    assert ours["terminationGracePeriodSeconds"] == int(theirs["stop_grace_period"].removesuffix("s"))


def test_with_tls_the_same_clients_check_the_same_servers() -> None:
    theirs = yaml.safe_load((ROOT / "deploy/compose/tls.yml").read_text())["services"]
    servers = {"postgres", "redis", "triton"}
    for service in set(theirs) - servers:
        one = container("example", service)
        given = {entry["name"]: entry.get("value") for entry in one["env"]}
        for name, value in theirs[service]["environment"].items():
            assert given[name] == value, (service, name)
        mounts = {mount["mountPath"]: mount["name"] for mount in one["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in pod("example", service)["volumes"]}
        assert volumes[mounts["/tls"]]["secret"]["secretName"] == "tls-ca", service
    flags = {entry["name"]: entry.get("value") for entry in container("example", "triton")["env"]}["TRITON_FLAGS"]
    # Secrets have names of Kubernetes' own for the two files.
    expected = (
        theirs["triton"]["environment"]["TRITON_FLAGS"]
        .replace("server.crt", "tls.crt")
        .replace("server.key", "tls.key")
    )
    assert flags == expected
    assert find("example", "Cluster", "postgres")["spec"]["postgresql"]["pg_hba"] == ["hostnossl all all all reject"]
    assert find("example", "Redis", "redis")["spec"]["TLS"]["secret"] == {"secretName": "tls-redis"}
