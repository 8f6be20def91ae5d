"""Each alert fires with the series of its case and does not with the others, by promtool in Prometheus' image."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.compose.alert_cases import CASES, FIRES_ON_NOTHING, Series
from tests.monitoring import DEPLOY, RULES, alerts, rules_in

PROMETHEUS_IMAGE = os.environ.get("PROMETHEUS_IMAGE", "prom/prometheus:v2.53.3")
# What promtool may take on a busy machine.
PROMTOOL_TIMEOUT_S = 300


def promtool(written: Path, *arguments: str) -> None:
    """The configuration lies at /etc/prometheus, what is in `written` at /written."""
    volumes = [f"--volume={DEPLOY / 'prometheus'}:/etc/prometheus:ro", f"--volume={written}:/written:ro"]
    command = ["docker", "run", "--rm", "--network=none", *volumes, "--entrypoint=promtool", PROMETHEUS_IMAGE]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def expectation(name: str, series: Series, after: int, firing: int) -> dict[str, Any]:
    """That so many of this alert's series fire after so many minutes."""
    return {
        "name": f"{name}, {'fires' if firing else 'does not fire'}",
        "interval": "1m",
        "input_series": [{"series": series_name, "values": values} for series_name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{name}", alertstate="firing"}}) or vector(0)',
                "eval_time": f"{after}m",
                "exp_samples": [{"labels": "{}", "value": firing}],
            }
        ],
    }


def expectations(name: str) -> list[dict[str, Any]]:
    case = CASES[name]
    found = [expectation(name, case.fires, case.after, 1), expectation(name, case.calm, case.after, 0)]
    return [*found, expectation(name, {}, case.after, 1)] if name in FIRES_ON_NOTHING else found


def in_container(path: Path) -> str:
    return f"/etc/prometheus/rules/{path.name}"


def test_every_alert_has_a_case() -> None:
    assert list(CASES) == [alert["alert"] for alert in alerts()]


@pytest.mark.timeout(PROMTOOL_TIMEOUT_S)
def test_configuration_and_rules_are_sound(tmp_path: Path) -> None:
    promtool(tmp_path, "check", "config", "/etc/prometheus/prometheus.yml")
    promtool(tmp_path, "check", "rules", "--lint=all", "--lint-fatal", *map(in_container, RULES.glob("*.yml")))


@pytest.mark.timeout(PROMTOOL_TIMEOUT_S)
@pytest.mark.parametrize("path", sorted(RULES.glob("*.yml")), ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_only_then(path: Path, tmp_path: Path) -> None:
    names = [rule["alert"] for rule in rules_in(path) if "alert" in rule]
    tests = [each for name in names for each in expectations(name)]
    document = {
        "rule_files": sorted({in_container(RULES / "recording.yml"), in_container(path)}),
        "evaluation_interval": "1m",
        "tests": tests,
    }
    tmp_path.chmod(0o755)
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump(document, sort_keys=False))
    promtool(tmp_path, "test", "rules", "/written/alerts.yml")
