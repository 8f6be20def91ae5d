"""The manifests as `kubectl` renders them, and what is in them."""

import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from deploy.kubernetes import __main__ as generator

MANIFESTS = Path(generator.__file__).parent
KUBECTL = Path(sys.executable).with_name("kubectl")
RENDERED = ("overlays/cpu", "overlays/gpu", "example")
# What only some clusters have: their operators bring the schemas.
CUSTOM = {"keda.sh", "monitoring.coreos.com", "postgresql.cnpg.io", "redis.redis.opstreelabs.in"}


@functools.cache
def render(folder: str | Path) -> list[dict[str, Any]]:
    """The resources of a folder, relative to deploy/kubernetes unless it is absolute."""
    if not KUBECTL.exists():
        raise AssertionError(f"{KUBECTL} is missing, so no manifest was checked; run: make .venv/.dev")
    done = subprocess.run(
        [KUBECTL, "kustomize", MANIFESTS / folder], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    # What is deprecated is told there.
    assert done.stderr == ""
    return list(yaml.load_all(done.stdout, Loader=yaml.CSafeLoader))


def overlay(folder: Path, base: str, *components: str) -> Path:
    """Makes one in that folder, of a base and some components."""
    # Kustomize takes relative paths alone.
    ours = Path(*[".."] * (len(folder.parts) - 1), *MANIFESTS.parts[1:])
    text = {"resources": [f"{ours}/{base}"], "components": [f"{ours}/components/{name}" for name in components]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(text))
    return folder


def find(folder: str | Path, kind: str, name: str) -> dict[str, Any]:
    """The one resource of that kind and name; of generated names, without the hash."""
    found = [resource for resource in of_kind(folder, kind) if _plain_name(resource) == name]
    assert len(found) == 1, (kind, name, len(found))
    return found[0]


def of_kind(folder: str | Path, kind: str) -> list[dict[str, Any]]:
    return [resource for resource in render(folder) if resource["kind"] == kind]


def _plain_name(resource: dict[str, Any]) -> str:
    name: str = resource["metadata"]["name"]
    stem, _, suffix = name.rpartition("-")
    return stem if resource["kind"] == "ConfigMap" and len(suffix) == 10 else name


def pod_templates(folder: str | Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(component, metadata and spec) of every pod of ours."""
    for resource in render(folder):
        spec = resource.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
        if template and "spec" in template and resource["kind"] in ("Deployment", "Job", "CronJob"):
            yield template["metadata"]["labels"]["app.kubernetes.io/component"], template


def pod(folder: str | Path, component: str) -> dict[str, Any]:
    """The pod's spec."""
    spec: dict[str, Any] = dict(pod_templates(folder))[component]["spec"]
    return spec


def container(folder: str | Path, component: str) -> dict[str, Any]:
    """The one container of the pod."""
    containers = pod(folder, component)["containers"]
    assert len(containers) == 1
    only: dict[str, Any] = containers[0]
    return only
