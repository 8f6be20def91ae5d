"""What is said of a service that answers: a process whose event loop hangs still serves its metrics."""

import json
import time

import pytest

from services import health
from services.common.settings import Settings
from services.health import Unhealthy, check

SETTINGS = Settings(_env_file=None)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What the service answers."""
    given: dict[str, object] = {"status": 200, "body": ""}

    def get(_url: str) -> tuple[object, bytes]:
        return given["status"], str(given["body"]).encode()

    monkeypatch.setattr(health, "get", get)
    return given


def beat(service: str, seconds_ago: float) -> str:
    return f"undertone_{service}_heartbeat_timestamp_seconds {time.time() - seconds_ago!r}\n"


@pytest.mark.parametrize("service", ["worker", "ingester", "keeper"])
def test_a_loop_that_stands_still_is_told_from_one_that_turns(answer: dict[str, object], service: str) -> None:
    ready = "undertone_worker_ready 1.0\n"
    answer["body"] = ready + beat(service, 2)
    assert f"{service} works" in check(service, SETTINGS)
    answer["body"] = ready + beat(service, 60)
    with pytest.raises(Unhealthy, match="hangs"):
        check(service, SETTINGS)


def test_the_heartbeat_of_another_service_counts_for_nothing(answer: dict[str, object]) -> None:
    answer["body"] = beat("worker", 0)
    with pytest.raises(Unhealthy):
        check("keeper", SETTINGS)


def test_a_worker_that_is_not_ready_is_not_healthy(answer: dict[str, object]) -> None:
    answer["body"] = "undertone_worker_ready 0.0\n" + beat("worker", 0)
    with pytest.raises(Unhealthy, match="not ready"):
        check("worker", SETTINGS)


def test_the_api_is_healthy_while_it_has_a_database(answer: dict[str, object]) -> None:
    answer["body"] = json.dumps({"status": "degraded", "problems": ["triton does not answer"]})
    assert check("api", SETTINGS) == "api is degraded: triton does not answer"
    answer |= {"status": 503, "body": json.dumps({"status": "unhealthy", "problems": ["database does not answer"]})}
    with pytest.raises(Unhealthy, match="database does not answer"):
        check("api", SETTINGS)


def test_who_waits_for_a_server_is_alive(answer: dict[str, object]) -> None:
    answer["body"] = "undertone_worker_ready 0.0\n" + beat("worker", 0)
    assert "worker works" in check("worker", SETTINGS, alive=True)
    answer |= {"status": 503, "body": json.dumps({"status": "unhealthy", "problems": ["database does not answer"]})}
    assert check("api", SETTINGS, alive=True) == "api is unhealthy: database does not answer"


def test_who_hangs_or_is_somebody_else_is_not_alive(answer: dict[str, object]) -> None:
    answer["body"] = "undertone_worker_ready 1.0\n" + beat("worker", 60)
    with pytest.raises(Unhealthy, match="hangs"):
        check("worker", SETTINGS, alive=True)
    with pytest.raises(Unhealthy, match="no report"):
        check("api", SETTINGS, alive=True)


@pytest.mark.parametrize("service", ["api", "worker", "ingester", "keeper"])
@pytest.mark.parametrize(("status", "body"), [(200, "<html>"), (200, ""), (200, "[]"), (404, "{}"), (200, "a 1\nb")])
def test_another_program_on_the_port_is_not_taken_for_ours(
    answer: dict[str, object], service: str, status: int, body: str
) -> None:
    answer |= {"status": status, "body": body}
    with pytest.raises(Unhealthy):
        check(service, SETTINGS)


def test_without_a_metrics_port_nobody_can_tell() -> None:
    with pytest.raises(Unhealthy, match="WORKER_METRICS_PORT"):
        check("worker", Settings(_env_file=None, worker_metrics_port=0))
