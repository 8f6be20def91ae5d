"""An alert says how bad it is, what is, with its value, and where to read on."""

import re

import pytest

from tests.monitoring import DEPLOY, alerts

OPERATIONS = DEPLOY.parent / "docs" / "operations.md"


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_explains_itself(alert: dict[str, dict[str, str]]) -> None:
    assert alert["labels"]["severity"] in ("critical", "warning")
    annotations = alert["annotations"]
    assert set(annotations) == {"summary", "description", "runbook"}
    assert "{{ $value" in annotations["description"]
    assert annotations["description"].endswith(".")
    assert not annotations["summary"].endswith(".")


def test_every_alert_has_a_section_in_the_runbook_and_every_section_an_alert() -> None:
    headings = re.findall(r"^### (\w+)$", OPERATIONS.read_text(), re.MULTILINE)
    assert headings == [alert["alert"] for alert in alerts()]
    for alert in alerts():
        assert alert["annotations"]["runbook"] == f"docs/operations.md#{alert['alert'].lower()}"
