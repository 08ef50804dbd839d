"""Plain types of a cluster: what is kept of objects, what never is, and how they read."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from auditor.collectors.kubernetes import resource_types
from auditor.collectors.kubernetes.core_configuration import config_map, secret
from auditor.collectors.kubernetes.core_pods import pod as pod_type
from auditor.collectors.kubernetes.networking import ingress, policy
from auditor.collectors.kubernetes.service_accounts import account_rights
from auditor.domain.resource_type import ResourceType
from auditor.domain.source import GLOBAL, Place
from auditor.pipeline.collect import collect
from tests.fixtures.cluster import NOW, FakeCluster, container, documents, meta, pod

HIDDEN = "hunter2-never-kept"
PLAIN = [kind for kind in resource_types() if isinstance(kind, ResourceType)]


def kept(operation: str, kind: ResourceType, item: dict[str, Any]) -> str:
    """The evidence of one object as text."""
    with ThreadPoolExecutor(1) as pool:
        seen = collect(
            Place("meadowbrook", GLOBAL, "", "kubernetes"),
            [kind],
            FakeCluster({operation: [item]}),
            pool=pool,
            clock=lambda: NOW,
        )
    assert len(seen.evidence) == 1
    return json.dumps(seen.evidence[0].content)


def test_values_of_variables_leave_only_their_pattern_and_place() -> None:
    told = pod(containers=[container(env=[{"name": "DB_PASSWORD", "value": HIDDEN}], args=[HIDDEN])])
    text = kept("core/v1:pods", pod_type, told)
    assert HIDDEN not in text
    assert '"place": "web/DB_PASSWORD"' in text


def test_variables_that_point_to_a_secret_hold_none() -> None:
    variable = {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}
    (found,) = documents(
        FakeCluster({"core/v1:pods": [pod(containers=[container(env=[variable])])]}), pod_type
    ).values()
    assert found["spec"]["containers"][0]["secrets"] == []
    assert found["spec"]["containers"][0]["secret_variables"] == ["DB_PASSWORD"]


def test_values_of_config_maps_leave_only_their_pattern_and_place() -> None:
    item = {
        "metadata": meta("settings"),
        "data": {"app.properties": f"db.password={HIDDEN}\nport=1", "api_key": HIDDEN},
    }
    text = kept("core/v1:configmaps", config_map, item)
    assert HIDDEN not in text
    (found,) = documents(FakeCluster({"core/v1:configmaps": [item]}), config_map).values()
    assert found["secrets"] == ["api key in api_key", "password in app.properties line 1"]


def test_a_file_in_a_config_map_is_not_a_secret_by_its_name() -> None:
    item = {
        "metadata": meta("docs"),
        "data": {"token.md": "How tokens\nare made.", "config.json": '{"password": "x1y2"}\n'},
    }
    (found,) = documents(FakeCluster({"core/v1:configmaps": [item]}), config_map).values()
    assert found["secrets"] == ["password in config.json"]


def test_of_a_secret_nothing_but_its_metadata_is_kept() -> None:
    item = {"metadata": meta("db", annotations={"note": HIDDEN}), "data": {"password": HIDDEN}, "type": "Opaque"}
    assert HIDDEN not in kept("core/v1:secrets", secret, item)


@pytest.mark.parametrize("kind", [kind for kind in PLAIN if kind.listing], ids=lambda kind: kind.name)
def test_no_type_keeps_managed_fields_or_the_last_manifest(kind: ResourceType) -> None:
    assert kind.listing is not None
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": HIDDEN}
    item = {
        "metadata": meta("one", annotations=annotations, managedFields=[{"manager": HIDDEN}]),
        "provisioner": "x",
        "roleRef": {},
    }
    assert HIDDEN not in kept(kind.listing.operation, kind, item)


@pytest.mark.parametrize("kind", [kind for kind in PLAIN if kind.listing], ids=lambda kind: kind.name)
def test_every_type_describes_an_object_that_says_nothing(kind: ResourceType) -> None:
    assert kind.listing is not None
    found = documents(FakeCluster({kind.listing.operation: [{"metadata": {"name": "one"}}]}), kind)
    assert [document["name"] for document in found.values()] == ["one"]


def test_operations_are_asked_by_one_type_each() -> None:
    asked = [read.operation for kind in PLAIN for read in kind.reads]
    assert len(asked) == len(set(asked))


def test_an_object_that_cannot_be_told_costs_the_listing_its_completeness_and_no_other_object() -> None:
    with ThreadPoolExecutor(1) as pool:
        seen = collect(
            Place("meadowbrook", GLOBAL, "", "kubernetes"),
            [pod_type],
            FakeCluster({"core/v1:pods": [{"metadata": {}}, pod()]}),
            pool=pool,
            clock=lambda: NOW,
        )
    assert [one.native_id for one in seen.evidence] == ["shop/Pod/web-5d8f-aaaaa"]
    assert seen.coverage[0].state == "error"


def test_flags_are_kept_of_control_plane_components_alone() -> None:
    command = [
        "kube-apiserver",
        "--anonymous-auth=false",
        "--profiling",
        "--authorization-mode",
        "Node,RBAC",
        f"--x={HIDDEN}",
    ]
    runs = [container("kube-apiserver", command=command)]
    about = {"labels": {"component": "kube-apiserver"}}
    inside = pod("kube-apiserver", namespace="kube-system", about=about, containers=runs)
    outside = pod("kube-apiserver", namespace="shop", about=about, containers=runs)
    found = documents(FakeCluster({"core/v1:pods": [inside, outside]}), pod_type)
    assert found["kube-system/Pod/kube-apiserver"]["flags"] == {
        "anonymous-auth": "false",
        "profiling": "true",
        "authorization-mode": "Node,RBAC",
    }
    assert found["shop/Pod/kube-apiserver"]["flags"] is None
    assert HIDDEN not in kept("core/v1:pods", pod_type, inside)


def test_an_ingress_keeps_names_of_snippets_and_not_what_they_say() -> None:
    item = {
        "metadata": meta("web", annotations={"nginx.ingress.kubernetes.io/server-snippet": HIDDEN}),
        "spec": {"rules": [{"host": "a.example.com"}, {}], "tls": [{"hosts": ["a.example.com"]}]},
    }
    (found,) = documents(FakeCluster({"networking.k8s.io/v1:ingresses": [item]}), ingress).values()
    assert found["snippets"] == ["nginx.ingress.kubernetes.io/server-snippet"]
    assert found["hosts"] == ["a.example.com", ""]
    assert found["tls"] == [{"hosts": ["a.example.com"], "secret": None}]


@pytest.mark.parametrize(
    ("spec", "types"),
    [
        ({}, ["Ingress"]),
        ({"egress": [{}]}, ["Ingress", "Egress"]),
        ({"egress": [{}], "policyTypes": ["Egress"]}, ["Egress"]),
    ],
)
def test_a_policy_governs_the_directions_that_the_api_implies(spec: dict[str, Any], types: list[str]) -> None:
    item = {"metadata": meta("deny"), "spec": {"podSelector": {}, **spec}}
    (found,) = documents(FakeCluster({"networking.k8s.io/v1:networkpolicies": [item]}), policy).values()
    assert found["types"] == types


def test_a_group_of_all_service_accounts_gives_rights_to_each_default_one() -> None:
    def binding(name: str, role: str) -> dict[str, Any]:
        return {
            "metadata": {"name": name},
            "roleRef": {"kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "Group", "name": "system:serviceaccounts"}],
        }

    cluster = FakeCluster(
        {
            "core/v1:serviceaccounts": [{"metadata": meta("default")}],
            "rbac.authorization.k8s.io/v1:clusterrolebindings": [
                binding("viewers", "view"),
                binding("issuers", "system:service-account-issuer-discovery"),
            ],
        }
    )
    (found,) = documents(cluster, account_rights).values()
    assert found["bindings"] == ["/ClusterRoleBinding/viewers"]
