"""`python -m deploy.grafana`: writes deploy/grafana/dashboards/*.json."""

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.grafana import alerts, database, gpu, inference, pipeline

FOLDER = Path(__file__).parent / "dashboards"


def dashboards() -> dict[str, Dashboard]:
    """By the name of the file, without its ending."""
    modules = {"pipeline": pipeline, "inference": inference, "gpu": gpu, "database": database, "alerts": alerts}
    return {name: module.dashboard().build() for name, module in modules.items()}


def as_json(dashboard: Dashboard) -> str:
    """As Grafana reads it: panels numbered, links in sight (the SDK puts every link into a menu)."""
    document = json.loads(json.dumps(dashboard, cls=JSONEncoder))
    for number, panel in enumerate(document["panels"], start=1):
        panel["id"] = number
    for link in document["links"]:
        del link["placement"]
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, dashboard in dashboards().items():
        (FOLDER / f"{name}.json").write_text(as_json(dashboard))


if __name__ == "__main__":
    main()
