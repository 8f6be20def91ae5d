"""Who reaches whom, as the policies say together: what the networks of the compose files let through, by port."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.unit.deploy.kubernetes import RENDERED, of_kind, pod_templates
from tests.unit.deploy.test_closed import NETWORKS

# Pods of others, as their policies know them: (namespace, labels).
OTHERS = {
    "postgres": ("undertone", {"cnpg.io/cluster": "postgres"}),
    "redis": ("undertone", {"app": "redis", "redis_setup_type": "standalone"}),
    "prometheus": ("monitoring", {"app.kubernetes.io/name": "prometheus"}),
    "stranger": ("elsewhere", {"app.kubernetes.io/name": "stranger"}),
}
PORTS = {
    "frontend": {"http": 8080},
    "api": {"http": 8000},
    "worker": {"metrics": 9101},
    "ingester": {"metrics": 9102},
    "keeper": {"metrics": 9103},
    "triton": {"http": 8000, "grpc": 8001, "metrics": 8002},
    "postgres": {"postgres": 5432},
    "redis": {"redis": 6379},
    "postgres-exporter": {"metrics": 9187},
    "redis-exporter": {"metrics": 9121},
}
# (who asks, who is asked, port), and no other way.
BASE = {
    ("frontend", "api", 8000),
    *((name, "triton", 8001) for name in ("worker", "api")),
    ("api", "triton", 8002),
    # Whoever reaches the cluster's network.
    *((name, "frontend", 8080) for name in ("prometheus", "stranger")),
}
EXAMPLE = {
    *BASE,
    ("export", "triton", 8001),
    *((name, "redis", 6379) for name in ("ingester", "worker", "api", "redis-exporter")),
    *((name, "postgres", 5432) for name in ("worker", "keeper", "api", "migrate", "postgres-exporter", "postgres")),
    ("prometheus", "api", 8000),
    ("prometheus", "worker", 9101),
    ("prometheus", "ingester", 9102),
    ("prometheus", "keeper", 9103),
    ("prometheus", "triton", 8002),
    ("prometheus", "postgres-exporter", 9187),
    ("prometheus", "redis-exporter", 9121),
}
Pod = tuple[str, Mapping[str, str]]
Way = tuple[str, str, int]


def pods(folder: str) -> dict[str, Pod]:
    ours = {component: ("undertone", template["metadata"]["labels"]) for component, template in pod_templates(folder)}
    return {**ours, **OTHERS}


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Kubernetes' label selector, of which only In is used."""
    assert {expression["operator"] for expression in selector.get("matchExpressions", ())} <= {"In"}
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(expression["key"]) in expression["values"] for expression in selector.get("matchExpressions", ())
    )


def is_peer(peer: Mapping[str, Any], pod: Pod) -> bool:
    """Addresses are of nobody in the cluster: a test of its own looks at them."""
    namespace, labels = pod
    if "ipBlock" in peer:
        return False
    if "namespaceSelector" in peer:
        inside = selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": namespace})
    else:
        inside = namespace == "undertone"
    return inside and selects(peer.get("podSelector", {}), labels)


def allows(rules: list[Mapping[str, Any]], side: str, peer: Pod, port: int, names: Mapping[str, int]) -> bool:
    return any(
        (side not in rule or any(is_peer(one, peer) for one in rule[side]))
        and ("ports" not in rule or port in {names.get(one["port"], one["port"]) for one in rule["ports"]})
        for rule in rules
    )


def lets(folder: str, kind: str, ends: tuple[Pod, Pod], port: int, names: Mapping[str, int]) -> bool:
    """Whether the policies of the first of these ends let it: where none selects it, everything passes."""
    selected, peer = ends
    rules, side = ("ingress", "from") if kind == "Ingress" else ("egress", "to")
    policies = [
        policy["spec"]
        for policy in of_kind(folder, "NetworkPolicy")
        if selected[0] == "undertone"
        and kind in policy["spec"]["policyTypes"]
        and selects(policy["spec"]["podSelector"], selected[1])
    ]
    return not policies or any(allows(policy.get(rules, []), side, peer, port, names) for policy in policies)


def may_ask(folder: str, client: Pod, server: Pod, port: int, names: Mapping[str, int]) -> bool:
    return lets(folder, "Egress", (client, server), port, names)


def is_answered(folder: str, client: Pod, server: Pod, port: int, names: Mapping[str, int]) -> bool:
    return lets(folder, "Ingress", (server, client), port, names)


def may_pass(folder: str, client: Pod, server: Pod, port: int, names: Mapping[str, int]) -> bool:
    return may_ask(folder, client, server, port, names) and is_answered(folder, client, server, port, names)


def ways(folder: str, passes: Callable[[str, Pod, Pod, int, Mapping[str, int]], bool]) -> set[Way]:
    present = pods(folder)
    return {
        (client, server, port)
        for client, asking in present.items()
        for server, ports in PORTS.items()
        for port in ports.values()
        if server in present and passes(folder, asking, present[server], port, ports)
    }


@pytest.mark.parametrize(("folder", "expected"), [("overlays/cpu", BASE), ("overlays/gpu", BASE), ("example", EXAMPLE)])
def test_nobody_reaches_anybody_but_whom_it_needs(folder: str, expected: set[Way]) -> None:
    assert ways(folder, may_pass) == expected


def test_each_end_alone_lets_no_more_than_both() -> None:
    """So one policy that is wrong opens nothing."""
    asked = ways("example", may_ask)
    # Nobody here has a say in what pods of others ask.
    assert {way for way in asked if pods("example")[way[0]][0] == "undertone"} == {
        way for way in EXAMPLE if pods("example")[way[0]][0] == "undertone"
    }
    answered = ways("example", is_answered)
    assert {way for way in answered if way[1] != "frontend"} == {way for way in EXAMPLE if way[1] != "frontend"}


def test_no_way_leads_where_the_networks_of_compose_do_not() -> None:
    passes = {"triton-metrics"}
    for client, server, _ in EXAMPLE - {(name, "frontend", 8080) for name in OTHERS}:
        shared = [network for network, members in NETWORKS.items() if {client, server} <= members]
        # Prometheus asks Triton itself, at the port of the metrics alone; with compose nginx stands between.
        between = [network for network, members in NETWORKS.items() if {client} | passes <= members]
        assert shared or (server == "triton" and between) or client == server, (client, server)


@pytest.mark.parametrize("folder", RENDERED)
def test_those_who_lead_outside_reach_no_address_of_a_cluster(folder: str) -> None:
    for policy in of_kind(folder, "NetworkPolicy"):
        for rule in policy["spec"].get("egress", ()):
            for peer in rule.get("to", ()):
                if peer.get("ipBlock", {}).get("cidr") == "0.0.0.0/0":
                    assert policy["metadata"]["name"] == "outside"
                    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"} <= set(peer["ipBlock"]["except"])
    (outside,) = [p for p in of_kind(folder, "NetworkPolicy") if p["metadata"]["name"] == "outside"]
    leads_outside = set(outside["spec"]["podSelector"]["matchExpressions"][0]["values"])
    assert leads_outside == (NETWORKS["edge"] | NETWORKS["sources"]) - {"frontend"}


def test_spans_go_to_a_collector_and_no_further() -> None:
    present = pods("example")
    for client in present.keys() - OTHERS.keys():
        passes = {p for p in (4317, 4318, 443) if may_pass("example", present[client], present["stranger"], p, {})}
        assert passes == ({4318} if client in {"ingester", "worker", "keeper", "api", "triton"} else set()), client


@pytest.mark.parametrize("folder", RENDERED)
def test_everybody_may_ask_for_names(folder: str) -> None:
    names = ("kube-system", {"k8s-app": "kube-dns"})
    for component, pod in pods(folder).items():
        if component not in OTHERS:
            assert may_pass(folder, pod, names, 53, {}), component
            assert not may_pass(folder, pod, names, 443, {}), component
