"""`python -m deploy.kubernetes`: writes what the manifests have from the compose files and from deploy/prometheus."""

import re
from pathlib import Path
from typing import Any

import yaml

from services.common.settings import Settings

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
# Who gets the settings: the services, the exporter, and Triton, which is given two of them.
SERVICES = ("ingester", "worker", "keeper", "api", "export", "triton")
# What the overlays decide.
OF_THE_OVERLAYS = {"TRITON_CONFIG"}
OPTIONAL = re.compile(r"\$\{(\w+):-(.*)\}")


def compose_services() -> dict[str, dict[str, Any]]:
    """The services of docker-compose.cpu.yml and of what it includes."""
    files = [ROOT / "docker-compose.cpu.yml", *(ROOT / f"deploy/compose/{name}.yml" for name in ("base", "monitoring"))]
    services: dict[str, dict[str, Any]] = {}
    for file in files:
        services |= yaml.safe_load(file.read_text())["services"]
    return services


def is_secret(name: str) -> bool:
    """Whether no log may show the setting: its place is a Secret."""
    field = Settings.model_fields.get(name.lower())
    return field is not None and (not field.repr or name.endswith("PASSWORD"))


def settings() -> dict[str, str]:
    """What .env may set with Docker compose, with the default that compose has; empty: the service's own."""
    services = compose_services()
    found: dict[str, str] = {}
    for service in SERVICES:
        for name, value in services[service]["environment"].items():
            optional = OPTIONAL.fullmatch(str(value))
            if optional and optional[1] == name and name not in OF_THE_OVERLAYS and not is_secret(name):
                found[name] = optional[2]
    return found


def settings_env() -> str:
    lines = [f"{name}={value}" for name, value in sorted(settings().items())]
    return "\n".join(["# Made of the compose files by `python -m deploy.kubernetes`.", *lines]) + "\n"


def rules() -> str:
    """The alerts and recording rules of deploy/prometheus as one PrometheusRule."""
    files = sorted((ROOT / "deploy/prometheus/rules").glob("*.yml"))
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "undertone"},
        "spec": {"groups": [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]},
    }
    text: str = yaml.safe_dump(resource, sort_keys=False, width=120)
    return f"# Made of deploy/prometheus/rules by `python -m deploy.kubernetes`.\n{text}"


def generated() -> dict[Path, str]:
    """Each file that is made of others, and its text."""
    return {
        FOLDER / "base/settings.env": settings_env(),
        FOLDER / "components/monitoring/rules.yaml": rules(),
    }


def main() -> None:
    for path, text in generated().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
