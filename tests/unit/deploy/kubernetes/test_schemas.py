"""Every resource is one that a cluster takes: of Kubernetes' own by its schemas, of operators by theirs."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from tests.unit.deploy.kubernetes import CUSTOM, RENDERED, overlay, render

# The oldest with all that we use (a pause before a stop), and the newest whose schemas are known.
KUBERNETES = ("1.30", "1.37")
MODELS = {
    "keda.sh": "cloudcoil.models.keda.v1alpha1",
    "monitoring.coreos.com": "cloudcoil.models.prometheus_operator.v1",
}
# No package has the schemas of these two: the fields that are used, as the operators' own types name them
# (api/v1/cluster_types.go of CloudNativePG 1.25, api/redis/v1beta2 of redis-operator 0.22), and what they hold.
FIELDS: dict[str, Any] = {
    "postgresql.cnpg.io/v1": {
        "instances": int,
        "imageName": str,
        "bootstrap": {
            "initdb": {
                "database": str,
                "owner": str,
                "secret": {"name": str},
                "dataChecksums": bool,
                "encoding": str,
                "locale": str,
                "localeProvider": str,
                "builtinLocale": str,
            }
        },
        "managed": {
            "roles": [
                {"name": str, "ensure": str, "login": bool, "superuser": bool, "passwordSecret": {"name": str}},
            ],
            "services": {
                "disabledDefaultServices": [str],
                "additional": [{"selectorType": str, "serviceTemplate": {"metadata": {"name": str}}}],
            },
        },
        "postgresql": {
            "synchronous": {"method": str, "number": int, "dataDurability": str},
            "parameters": {str: str},
            "pg_hba": [str],
        },
        "certificates": {"serverCASecret": str, "serverTLSSecret": str},
        "storage": {"size": str},
        "resources": {"requests": {str: str}, "limits": {str: str}},
    },
    "redis.redis.opstreelabs.in/v1beta2": {
        "kubernetesConfig": {
            "image": str,
            "imagePullPolicy": str,
            "redisSecret": {"name": str, "key": str},
            "resources": {"requests": {str: str}, "limits": {str: str}},
        },
        "acl": {"secret": {"secretName": str}},
        "redisConfig": {"additionalRedisConfig": str},
        "storage": {
            "volumeClaimTemplate": {"spec": {"accessModes": [str], "resources": {"requests": {str: str}}}},
        },
        "TLS": {"ca": str, "cert": str, "key": str, "secret": {"secretName": str}},
        "podSecurityContext": {
            "runAsNonRoot": bool,
            "runAsUser": int,
            "fsGroup": int,
            "seccompProfile": {"type": str},
        },
        "securityContext": {"allowPrivilegeEscalation": bool, "capabilities": {"drop": [str]}},
        "terminationGracePeriodSeconds": int,
    },
}


@pytest.fixture(scope="module")
def with_object_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An overlay of the one component that the example has not."""
    return overlay(tmp_path_factory.mktemp("overlay"), "overlays/cpu", "models-object-store")


def group_of(resource: dict[str, Any]) -> str:
    return str(resource["apiVersion"]).partition("/")[0]


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_takes_every_resource_of_its_own(version: str) -> None:
    # What is the same in several of them once.
    own = {str(resource): resource for folder in RENDERED for resource in render(folder) if is_own(resource)}
    assert len(own) > 50
    for resource in own.values():
        kubernetes_validate.validate(resource, version, strict=True)


def is_own(resource: dict[str, Any]) -> bool:
    return group_of(resource) not in CUSTOM


def test_kubernetes_takes_what_fetches_models_from_an_object_store(with_object_store: Path) -> None:
    changed = [resource for resource in render(with_object_store) if resource not in render("overlays/cpu")]
    assert {resource["metadata"]["name"] for resource in changed} >= {"worker", "api", "triton", "outside"}
    for resource in changed:
        kubernetes_validate.validate(resource, KUBERNETES[-1], strict=True)
    text = str(render(with_object_store))
    assert "persistentVolumeClaim" not in text
    assert "undertone-models" not in text
    assert text.count("store:undertone/model_repository") == 1


def test_a_field_that_kubernetes_does_not_know_is_found() -> None:
    wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"selectors": {}}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES[-1], strict=True)


def custom() -> Iterator[dict[str, Any]]:
    return (resource for resource in render("example") if group_of(resource) in CUSTOM)


def test_the_example_has_every_kind_of_operators() -> None:
    assert {group_of(resource) for resource in custom()} == CUSTOM
    # And the overlays have none: they need nothing of a cluster but itself.
    for folder in RENDERED[:2]:
        assert not {group_of(resource) for resource in render(folder)} & CUSTOM


def test_keda_and_prometheus_operator_take_theirs() -> None:
    for resource in custom():
        module = MODELS.get(group_of(resource))
        if module:
            assert_taken(resource, module)


def assert_taken(resource: dict[str, Any], module: str) -> None:
    """Read and written again it is the same: an unknown field would be dropped, another type changed or refused."""
    model = getattr(importlib.import_module(module), resource["kind"])
    read = model.model_validate(resource)
    assert read.model_dump(mode="json", by_alias=True, exclude_unset=True) == resource


@pytest.mark.parametrize(
    "spec",
    [
        {"scaleTargetRef": {"name": "worker"}, "triggers": [], "minReplicas": 2},
        {"scaleTargetRef": {"name": "worker"}, "triggers": [], "minReplicaCount": "2"},
    ],
)
def test_a_field_that_keda_does_not_know_or_of_another_type_is_found(spec: dict[str, Any]) -> None:
    wrong = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "a"}, "spec": spec}
    with pytest.raises(AssertionError):
        assert_taken(wrong, MODELS["keda.sh"])


def test_postgresql_and_redis_use_fields_of_their_operators() -> None:
    found = [resource for resource in custom() if resource["apiVersion"] in FIELDS]
    assert len(found) == 2
    for resource in found:
        assert list(misfits(resource["spec"], FIELDS[resource["apiVersion"]], resource["kind"])) == []


def misfits(value: object, shape: Any, path: str) -> Iterator[str]:
    """The paths of what is not as the shape says; a type as a key stands for any name."""
    if isinstance(shape, type):
        if type(value) is not shape:
            yield path
    elif isinstance(shape, list):
        for item in value if isinstance(value, list) else [None]:
            yield from misfits(item, shape[0], f"{path}[]")
    elif not isinstance(value, dict):
        yield path
    else:
        for name, held in value.items():
            if name not in shape and str not in shape:
                yield f"{path}.{name}"
            else:
                yield from misfits(held, shape.get(name, shape.get(str)), f"{path}.{name}")


def test_a_field_that_nobody_looked_up_is_found() -> None:
    wrong = {"instances": "2", "storage": {"sizes": "1Gi"}, "managed": {"roles": {}}}
    assert [*misfits(wrong, FIELDS["postgresql.cnpg.io/v1"], "Cluster")] == [
        "Cluster.instances",
        "Cluster.storage.sizes",
        "Cluster.managed.roles[]",
    ]
