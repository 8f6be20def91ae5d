"""The monitoring profile in containers: every target is up, and every query of a panel and of an alert has data.

Grafana's image is not needed: tests/unit/monitoring checks the dashboards. There is no GPU either: a container plays
the metrics that a Triton on one would add, so of these the queries are tested, not the numbers.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml
from websockets.sync.client import ClientConnection, connect

from tests.compose.stack import Stack
from tests.monitoring import DEPLOY, Asked, alerts, operands, panel_queries, recordings
from tests.waiting import eventually

# All of the profile but Grafana, and what plays a GPU.
SERVICES = ("prometheus", "postgres-exporter", "redis-exporter", "triton-metrics", "played-gpu")
DATA_TIMEOUT_S = 120

pytestmark = pytest.mark.timeout(1_800)


class Monitored:
    """The running system with Prometheus beside it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def _inside(self, task: str, questions: list[str]) -> list[Any]:
        command = ("python3", "/played_gpu.py", task)
        answers: list[Any] = json.loads(self.stack.exec("played-gpu", *command, given=json.dumps(questions)))
        return answers

    def ask(self, expressions: list[str]) -> list[list[Any]]:
        """What Prometheus answers to each: the values, NaN among them."""
        answers = self._inside("ask", expressions)
        for expression, answer in zip(expressions, answers, strict=True):
            assert answer["status"] == "success", f"{expression}: {answer}"
        return [answer["data"]["result"] for answer in answers]

    def statuses(self, urls: list[str]) -> list[int | str]:
        """HTTP's for each URL, or the error, as a container on the network `monitoring` sees it."""
        return self._inside("get", urls)

    def browser(self) -> ClientConnection:
        headers = {"Authorization": f"Bearer {self.stack.keys['dashboard']}"}
        return connect(self.stack.url.replace("http", "ws") + "/ws/sentiment", additional_headers=headers)


@pytest.fixture(scope="module")
def monitored(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    prometheus = tmp_path_factory.mktemp("monitoring") / "prometheus.yml"
    prometheus.write_text(yaml.safe_dump(quicker(configuration())))
    prometheus.chmod(0o644)
    watched = replace(
        stack,
        files=(*stack.files, "tests/compose/monitoring-test.yml"),
        values={**stack.values, "TEST_PROMETHEUS_YML": str(prometheus), "COMPOSE_PROFILES": "monitoring"},
    )
    try:
        watched.up("--no-recreate", *SERVICES)
        yield Monitored(watched)
    finally:
        watched.compose("rm", "--stop", "--force", *SERVICES)


def configuration() -> dict[str, Any]:
    """Prometheus' own."""
    config: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    return config


def quicker(config: dict[str, Any]) -> dict[str, Any]:
    """The same, asking more often, and the played GPU, too."""
    config["global"] |= {"scrape_interval": "10s", "evaluation_interval": "5s"}
    played = {"job_name": "played-gpu", "static_configs": [{"targets": ["played-gpu:8000"]}]}
    config["scrape_configs"].append(played)
    return config


def without_data(asked: list[Asked], monitored: Monitored) -> list[Asked]:
    """Those to which Prometheus has no number to answer."""
    return [
        each
        for each, result in zip(asked, monitored.ask([each.expression for each in asked]), strict=True)
        if all(value == "NaN" for value in values(result))
    ]


def values(result: list[Any]) -> list[str]:
    """Of an instant vector, or of a scalar, which is a pair of time and value."""
    return [sample["value"][1] for sample in result] if not result or isinstance(result[0], dict) else [result[1]]


async def test_every_target_is_up(monitored: Monitored) -> None:
    jobs = [
        job["job_name"] for job in yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    ]

    async def all_up() -> bool:
        (up,) = monitored.ask(["up"])
        seen = {sample["metric"]["job"]: sample["value"][1] for sample in up}
        return set(seen) == {*jobs, "played-gpu"} and set(seen.values()) == {"1"}

    await eventually(all_up, "every target is up", DATA_TIMEOUT_S)


async def test_every_panel_alert_and_recording_has_data(monitored: Monitored) -> None:
    asked = panel_queries()
    asked += [Asked(f"alert {alert['alert']}", each) for alert in alerts() for each in operands(alert["expr"])]
    asked += [Asked(f"recording {rule['record']}", rule["record"]) for rule in recordings()]
    missing = asked
    with monitored.browser() as browser:
        while json.loads(browser.recv(timeout=DATA_TIMEOUT_S))["type"] != "new_post":
            pass

        async def nothing_missing() -> bool:
            nonlocal missing
            missing = without_data(asked, monitored)
            return not missing

        try:
            await eventually(nothing_missing, "every query has data", DATA_TIMEOUT_S)
        except AssertionError:
            pytest.fail("no data for:\n" + "\n".join(f"{each.where}: {each.expression}" for each in missing))


async def test_replicas_of_the_worker_are_found(monitored: Monitored) -> None:
    monitored.stack.up("--no-recreate", "--no-deps", "--scale=worker=2", "worker")

    async def both_up() -> bool:
        return values(monitored.ask(['sum(up{job="worker"})'])[0]) == ["2"]

    await eventually(both_up, "two workers are scraped", DATA_TIMEOUT_S)
    monitored.stack.up("--no-recreate", "--no-deps", "--scale=worker=1", "worker")


def test_prometheus_reaches_the_metrics_of_triton_and_nothing_else_of_it(monitored: Monitored) -> None:
    urls = ["http://triton-metrics:8002/metrics", "http://triton-metrics:8002/v2/models", "http://triton:8002/metrics"]
    metrics, models, triton = monitored.statuses(urls)
    assert metrics == 200
    assert models == 404
    assert isinstance(triton, str)
    assert "resolution" in triton or "not known" in triton
