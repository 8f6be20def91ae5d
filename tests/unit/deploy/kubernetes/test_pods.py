"""No pod has rights, writes to its image, or takes what it should not from Kubernetes."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.deploy.kubernetes import RENDERED, container, find, of_kind, pod, pod_templates

FOLDERS = pytest.mark.parametrize("folder", RENDERED)
VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}


def containers(folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for component, template in pod_templates(folder):
        for one in (*template["spec"].get("initContainers", ()), *template["spec"]["containers"]):
            yield f"{component}/{one['name']}", one


@FOLDERS
def test_no_pod_has_rights_or_writes_to_its_image(folder: str) -> None:
    for name, one in containers(folder):
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
    for component, template in pod_templates(folder):
        spec = template["spec"]
        context = spec["securityContext"]
        assert context["runAsNonRoot"] is True, component
        assert context["runAsUser"] > 0, component
        assert context["runAsGroup"] > 0, component
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, component
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), component
        assert {kind for volume in spec["volumes"] for kind in volume} - {"name"} <= VOLUMES, component
        assert not [port for one in spec["containers"] for port in one.get("ports", ()) if "hostPort" in port]


@FOLDERS
def test_the_namespace_takes_no_pod_that_has_any(folder: str) -> None:
    (namespace,) = of_kind(folder, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@FOLDERS
def test_no_pod_can_ask_the_cluster_anything(folder: str) -> None:
    for component, template in pod_templates(folder):
        assert template["spec"]["automountServiceAccountToken"] is False, component
        assert "serviceAccountName" not in template["spec"], component


@FOLDERS
def test_names_of_services_become_no_settings(folder: str) -> None:
    """Kubernetes would set API_PORT=tcp://10.0.0.1:8000 and the like for each Service."""
    for component, template in pod_templates(folder):
        assert template["spec"]["enableServiceLinks"] is False, component


@FOLDERS
def test_every_container_has_a_limit_of_memory_and_asks_for_some_of_both(folder: str) -> None:
    for name, one in containers(folder):
        assert {"cpu", "memory"} <= set(one["resources"]["requests"]), name
        # Without a limit of processor: what nobody else uses is theirs.
        assert set(one["resources"]["limits"]) - {"nvidia.com/gpu"} == {"memory"}, name


@FOLDERS
def test_every_volume_that_is_written_has_a_limit(folder: str) -> None:
    for component, template in pod_templates(folder):
        for volume in template["spec"]["volumes"]:
            # Nobody writes the folder of checkpoints: it is mounted read only.
            if "emptyDir" in volume and volume["name"] != "checkpoints":
                assert "sizeLimit" in volume["emptyDir"], (component, volume["name"])


@FOLDERS
def test_every_volume_is_mounted_and_every_mount_is_of_a_volume(folder: str) -> None:
    for component, template in pod_templates(folder):
        spec = template["spec"]
        mounts = {
            mount["name"]
            for one in (*spec.get("initContainers", ()), *spec["containers"])
            for mount in one.get("volumeMounts", ())
        }
        assert mounts == {volume["name"] for volume in spec["volumes"]}, component


@FOLDERS
def test_who_is_asked_by_others_is_told_apart_from_who_is_not_ready_and_stops_when_nobody_asks(folder: str) -> None:
    asked = {service["metadata"]["name"] for service in of_kind(folder, "Service")}
    assert asked == {"api", "frontend", "triton"}
    for name in asked:
        one = container(folder, name)
        assert "readinessProbe" in one, name
        pause_s = one["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pod(folder, name)["terminationGracePeriodSeconds"] > pause_s, name


@FOLDERS
@pytest.mark.parametrize("name", ["api", "worker", "frontend", "triton"])
def test_a_node_that_is_emptied_takes_one_pod_at_a_time(folder: str, name: str) -> None:
    budget = find(folder, "PodDisruptionBudget", name)["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"]["matchLabels"] == {"app.kubernetes.io/component": name}


@FOLDERS
def test_selectors_find_the_pods_of_their_own(folder: str) -> None:
    labels = {component: template["metadata"]["labels"] for component, template in pod_templates(folder)}
    for kind in ("Deployment", "Service", "PodDisruptionBudget"):
        for resource in of_kind(folder, kind):
            selector = resource["spec"]["selector"]
            wanted = selector.get("matchLabels", selector)
            chosen = {component for component, own in labels.items() if wanted.items() <= own.items()}
            assert chosen == {resource["metadata"]["name"]}, (kind, resource["metadata"]["name"])


def test_a_gpu_is_asked_for_where_it_is_and_nowhere_else() -> None:
    spec = pod("overlays/gpu", "triton")
    assert spec["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    asking = {name for name, one in containers("overlays/gpu") if "nvidia.com/gpu" in str(one["resources"])}
    assert asking == {"triton/triton"}
    assert container("overlays/gpu", "triton")["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert "nvidia" not in str(pod("overlays/cpu", "triton"))


def test_who_is_scaled_has_no_number_that_would_be_put_back() -> None:
    for scaled in of_kind("example", "ScaledObject"):
        assert "replicas" not in find("example", "Deployment", scaled["spec"]["scaleTargetRef"]["name"])["spec"]


def test_the_export_runs_only_when_somebody_makes_a_job_of_it() -> None:
    assert find("example", "CronJob", "export")["spec"]["suspend"] is True
