"""No dashboard and no rule asks for a metric that nobody has: a panel would stay empty, an alert never fire."""

import importlib
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry

from services.api.alerting.delivery import WebhookMetrics
from services.api.metrics import ApiMetrics
from tests.monitoring import DEPLOY, alerts, dashboards, metrics_of, panel_queries, recordings, rules, without_variables

EXPOSED = Path(__file__).parent / "exposed"
# Prometheus' own.
OWN = {"up", "ALERTS", "prometheus_rule_evaluation_failures_total"}
ENDINGS = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
# Whose metrics are made when they are imported.
MODULES = (
    "services.common.circuit",
    "services.common.dead_letters.burial",
    "services.common.retry",
    "services.inference.metrics",
    "services.ingester.intake",
    "services.ingester.publisher",
    "services.ingester.source_report",
    "services.ingester.sources.health",
    "services.worker.metrics",
    "services.worker.upkeep.__main__",
    "services.worker.upkeep.metrics",
)


def names(registry: CollectorRegistry) -> set[str]:
    families = list(registry.collect())
    return {family.name + ending for family in families for ending in ENDINGS.get(family.type, ())}


def recorded() -> set[str]:
    """What Triton and the exporters show, as recorded; each file says of which version."""
    files = [path.read_text().splitlines() for path in EXPOSED.glob("*.txt")]
    return {line for lines in files for line in lines if not line.startswith("#")}


@pytest.fixture(scope="module")
def exposed() -> set[str]:
    for module in MODULES:
        importlib.import_module(module)
    api = ApiMetrics()
    WebhookMetrics(api.registry)
    return names(api.registry) | names(REGISTRY) | recorded() | OWN | {rule["record"] for rule in recordings()}


def missing(expressions: Iterable[str], exposed: set[str]) -> set[str]:
    return {name for expression in expressions for name in metrics_of(expression)} - exposed


def test_every_metric_of_the_dashboards_exists(exposed: set[str]) -> None:
    assert missing([asked.expression for asked in panel_queries()], exposed) == set()


def test_every_metric_of_the_choices_exists(exposed: set[str]) -> None:
    choices = [variable["definition"] for board in dashboards().values() for variable in board["templating"]["list"]]
    metrics = [choice.removeprefix("label_values(").rpartition(",")[0] for choice in choices]
    assert missing(map(without_variables, metrics), exposed) == set()


def test_every_metric_of_the_rules_exists(exposed: set[str]) -> None:
    assert missing([rule["expr"] for rule in rules()], exposed) == set()


def test_every_metric_that_kubernetes_scales_by_exists(exposed: set[str]) -> None:
    files = [yaml.safe_load(path.read_text()) for path in (DEPLOY / "kubernetes/components/keda").glob("*.yaml")]
    triggers = [trigger for file in files for trigger in file.get("spec", {}).get("triggers", ())]
    assert {trigger["type"] for trigger in triggers} == {"prometheus"}
    queries = [trigger["metadata"]["query"] for trigger in triggers]
    assert len(queries) == 2
    assert missing(queries, exposed) == set()


def test_a_metric_that_nobody_has_is_found(exposed: set[str]) -> None:
    assert missing(["rate(undertone_worker_posts_stored_totl[1m]) > 0"], exposed) == {
        "undertone_worker_posts_stored_totl"
    }


def test_every_recording_is_asked_for() -> None:
    asked = [query.expression for query in panel_queries()] + [rule["expr"] for rule in alerts()]
    used = {name for expression in asked for name in metrics_of(expression)}
    assert {rule["record"] for rule in recordings()} <= used
