"""What the compose files let anybody reach, and with what: read as they stand, without Docker."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.unit.deploy import COMPOSE_FILES

FILES = {file.name: yaml.safe_load(file.read_text()) for file in COMPOSE_FILES}
# Files that somebody adds to open a page on this host alone.
PORT_FILES = {"grafana-port.yml": "grafana", "jaeger-port.yml": "jaeger"}
# A network -> every service on it. `export` runs while somebody runs it, jaeger in the profile `tracing`, and
# triton-metrics passes one path of one port.
NETWORKS = {
    "edge": {"frontend", "api"},
    "sources": {"ingester", "export"},
    "stream": {"redis", "ingester", "worker", "api", "redis-exporter"},
    "database": {"postgres", "worker", "keeper", "api", "migrate", "postgres-exporter"},
    "inference": {"triton", "worker", "api", "export", "triton-metrics"},
    "tracing": {"triton", "jaeger"},
    "monitoring": {
        *("ingester", "worker", "keeper", "api", "jaeger", "prometheus", "grafana"),
        *("postgres-exporter", "redis-exporter", "triton-metrics"),
    },
}
LEADS_OUTSIDE = {"edge", "sources"}
# A service -> its role of PostgreSQL, its user of Redis.
ROLES = {
    "worker": "undertone_worker",
    "keeper": "undertone_migrate",
    "api": "undertone_api",
    "migrate": "undertone",
    "postgres": "undertone",
}
USERS = {"ingester": "ingester", "worker": "worker", "api": "api", "redis-exporter": "monitor"}
SECRET = re.compile(r"PASS(WORD)?$|(^|_)KEYS?$|SECRET|TOKEN$")
# Given by whoever is asked for posts; where there is none, those that need none are read.
OTHERS_SECRETS = {"MASTODON_TOKEN", "REDDIT_CLIENT_SECRET"}


def services() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(file, name, service), a service once for each file that says something of it."""
    for file, parsed in FILES.items():
        for name, service in (parsed.get("services") or {}).items():
            yield file, name, service


def given(key: str) -> dict[str, str]:
    """Service -> the value of that variable of its environment."""
    return {
        name: service["environment"][key]
        for _, name, service in services()
        if isinstance(service.get("environment"), dict) and key in service["environment"]
    }


def test_only_the_frontends_port_is_published_and_on_loopback_unless_somebody_says_otherwise() -> None:
    published = {(file, name): service["ports"] for file, name, service in services() if service.get("ports")}
    assert published.pop(("base.yml", "frontend")) == ["${FRONTEND_ADDRESS:-127.0.0.1}:${FRONTEND_PORT:-3000}:8080"]
    assert set(published) == set(PORT_FILES.items())
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert not [name for _, name, service in services() if service.get("network_mode", "none") != "none"]


def test_a_service_is_on_the_networks_that_it_needs_and_on_no_other() -> None:
    found: dict[str, set[str]] = {name: set() for name in NETWORKS}
    for file, name, service in services():
        for network in service.get("networks") or ():
            if file not in PORT_FILES:
                found[network].add(name)
    assert found == NETWORKS
    # Who is on none would be on the default one.
    named = {name for members in found.values() for name in members}
    assert {name for _, name, _ in services()} - named == {"models"}
    assert FILES["base.yml"]["services"]["models"]["network_mode"] == "none"


def test_every_network_but_that_of_the_frontend_and_that_of_sources_is_internal() -> None:
    networks = FILES["base.yml"]["networks"]
    assert set(networks) == set(NETWORKS)
    assert {name for name, network in networks.items() if not (network or {}).get("internal")} == LEADS_OUTSIDE
    for file, parsed in FILES.items():
        if file != "base.yml":
            assert set(parsed.get("networks") or ()) == ({f"{PORT_FILES[file]}-port"} if file in PORT_FILES else set())


def test_every_password_is_required_and_none_is_written_down() -> None:
    text = "".join(file.read_text() for file in COMPOSE_FILES)
    # After $$ it is a variable of the container.
    asked = [(name, rest) for name, rest in re.findall(r"(?<!\$)\$\{?(\w+)([^}\s]*)", text) if SECRET.search(name)]
    assert len(asked) > 10
    assert {name for name, rest in asked if not rest.startswith(":?")} == OTHERS_SECRETS
    for _, service, described in services():
        for name, value in (described.get("environment") or {}).items():
            if SECRET.search(name) and name not in OTHERS_SECRETS:
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", str(value)), (service, name)


def test_every_service_has_a_role_of_its_own_in_postgresql_and_a_user_of_its_own_in_redis() -> None:
    assert given("POSTGRES_USER") == ROLES
    assert given("DATA_SOURCE_USER") == {"postgres-exporter": "undertone_monitor"}
    assert given("REDIS_USER") == USERS
    # And the password of that one alone; `migrate`, which makes the roles, has all of PostgreSQL.
    for name, user in USERS.items():
        password = given("REDIS_PASSWORD")[name]
        assert password.startswith(f"${{REDIS_{user.upper()}_PASSWORD:?"), name
    for name in ("worker", "keeper", "api"):
        role = ROLES[name].removeprefix("undertone_").upper()
        assert given("POSTGRES_PASSWORD")[name].startswith(f"${{POSTGRES_{role}_PASSWORD:?"), name


def test_callers_are_counted_one_by_one_and_have_a_limit() -> None:
    api = FILES["base.yml"]["services"]["api"]["environment"]
    assert api["API_PROXY_HOPS"] == 1
    assert re.fullmatch(r"\$\{API_REQUESTS_PER_MINUTE:-[1-9]\d*\}", api["API_REQUESTS_PER_MINUTE"])
    assert re.fullmatch(r"\$\{API_KEYS:\?[^}]+\}", api["API_KEYS"])
