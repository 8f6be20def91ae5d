"""Prometheus' operator is told what deploy/prometheus tells Prometheus, and Grafana has the same dashboards."""

import json
import re
from typing import Any

import yaml

from deploy.kubernetes.__main__ import ROOT
from tests.unit.deploy.kubernetes import container, find, of_kind, pod_templates

PROMETHEUS = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
# Named by what they run with Kubernetes, by what they tell of with compose.
EXPORTERS = {"postgres-exporter": "postgres", "redis-exporter": "redis"}


def monitored() -> dict[str, dict[str, Any]]:
    """Component -> the endpoint that is read of its pods, by the monitors' own selectors."""
    found: dict[str, dict[str, Any]] = {}
    for monitor in of_kind("example", "PodMonitor"):
        selector = monitor["spec"]["selector"]
        chosen = selector.get("matchLabels", {}).get("app.kubernetes.io/component")
        names = [chosen] if chosen else selector["matchExpressions"][0]["values"]
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        assert not found.keys() & set(names), "read twice"
        found |= {name: {**monitor["spec"], **endpoint} for name in names}
    return found


def test_the_same_are_read_by_the_same_names_at_the_same_ports() -> None:
    ports = {}
    for component, endpoint in monitored().items():
        assert endpoint["jobLabel"] == "app.kubernetes.io/component"
        named = {port["name"]: port["containerPort"] for port in container("example", component)["ports"]}
        ports[EXPORTERS.get(component, component)] = named[endpoint["port"]]
    expected = {}
    for job in PROMETHEUS["scrape_configs"]:
        for where in (*job.get("static_configs", ()), *job.get("dns_sd_configs", ())):
            port = where["port"] if "port" in where else where["targets"][0].rpartition(":")[2]
            expected[job["job_name"]] = int(port)
    del expected["prometheus"]
    assert ports == expected
    assert monitored().keys() <= {component for component, _ in pod_templates("example")}


def test_they_are_read_as_often_and_with_the_same_limits() -> None:
    wanted = PROMETHEUS["global"]
    for endpoint in monitored().values():
        assert (endpoint["interval"], endpoint["scrapeTimeout"]) == (
            wanted["scrape_interval"],
            wanted["scrape_timeout"],
        )
        assert (endpoint["sampleLimit"], endpoint["bodySizeLimit"]) == (
            wanted["sample_limit"],
            wanted["body_size_limit"],
        )
    (dropped,) = monitored()["postgres-exporter"]["metricRelabelings"]
    (job,) = [job for job in PROMETHEUS["scrape_configs"] if job["job_name"] == "postgres"]
    (relabelled,) = job["metric_relabel_configs"]
    assert (dropped["regex"], dropped["action"]) == (relabelled["regex"], relabelled["action"])
    assert dropped["sourceLabels"] == relabelled["source_labels"]


def test_every_rule_is_there() -> None:
    (resource,) = of_kind("example", "PrometheusRule")
    files = [yaml.safe_load(path.read_text()) for path in (ROOT / "deploy/prometheus/rules").glob("*.yml")]
    groups = [group for file in files for group in file["groups"]]
    assert len(groups) > 5
    assert sorted(resource["spec"]["groups"], key=str) == sorted(groups, key=str)


def test_every_dashboard_is_there() -> None:
    for path in (ROOT / "deploy/grafana/dashboards").glob("*.json"):
        resource = find("example", "ConfigMap", f"dashboard-{path.stem}")
        assert json.loads(resource["data"][path.name]) == json.loads(path.read_text())
        assert resource["metadata"]["labels"]["grafana_dashboard"] == "1"
        # What `kubectl apply` keeps of a resource in a note on it.
        assert len(json.dumps(resource)) < 256 * 1024


def test_workers_are_scaled_by_posts_that_wait_and_tritons_by_how_long_requests_do() -> None:
    by = {scaled["metadata"]["name"]: scaled["spec"] for scaled in of_kind("example", "ScaledObject")}
    (lag,), (wait,) = by["worker"]["triggers"], by["triton"]["triggers"]
    assert "undertone_stream_lag" in lag["metadata"]["query"]
    # Posts are shared by the workers; the wait is what each Triton's requests have.
    assert lag["metricType"] == "AverageValue"
    assert wait["metricType"] == "Value"
    assert {"nv_inference_queue_duration_us", "nv_inference_request_success"} <= set(
        re.findall(r"nv_\w+", wait["metadata"]["query"])
    )
    for spec in by.values():
        assert 1 <= spec["minReplicaCount"] < spec["maxReplicaCount"]
        # KEDA refuses one for what is not divided; without Prometheus the number stays as it is.
        assert "fallback" not in spec
        # Of this namespace: another Undertone may run in another one.
        assert spec["triggers"][0]["metadata"]["query"].count('{namespace="undertone"}') >= 1
