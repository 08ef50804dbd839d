"""Namespaces and workloads under network policies: what is denied, who is selected, and what plug-ins may do instead."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.kubernetes import calico, cilium
from auditor.collectors.kubernetes.core_namespaces import namespace, quota
from auditor.collectors.kubernetes.core_pods import pod
from auditor.collectors.kubernetes.networking import policy
from auditor.collectors.kubernetes.traffic import BoundedNamespace, bounded_namespace, covered_workload
from auditor.domain.reading import Seen, Unseen
from tests.fixtures.cluster_documents import documents, manifest

YES, NO = Seen(value=True), Seen(value=False)
DENY = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
DNS = {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}
EVERYWHERE = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}


def bounded(*specs: dict[str, Any], **more: Any) -> BoundedNamespace:
    world = {
        namespace: [manifest("shop")],
        pod: [a_pod("web")],
        policy: [manifest(f"p{number}", "shop", spec=spec) for number, spec in enumerate(specs)],
        **more.pop("beside", {}),
    }
    document: BoundedNamespace = documents(bounded_namespace, world, **more)["/Namespace/shop"]
    return document


def a_pod(name: str, space: str = "shop", labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    containers = [{"name": "main", "image": "web:1"}]
    return manifest(
        name, space, labels or {"app": name}, spec={"containers": containers, **spec}, status={"phase": "Running"}
    )


def test_an_empty_selector_without_rules_denies_both_ways() -> None:
    found = bounded(DENY)
    assert (found.denies_ingress, found.denies_egress) == (YES, YES)


def test_missing_types_mean_ingress_alone() -> None:
    found = bounded({"podSelector": {}})
    assert (found.denies_ingress, found.denies_egress) == (YES, NO)


@pytest.mark.parametrize(
    "spec",
    [
        {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]},
        {
            "podSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]},
            "policyTypes": ["Ingress"],
        },
        {"podSelector": {}, "policyTypes": ["Egress"]},
        {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]},
        {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {}}]}]},
    ],
)
def test_what_selects_some_or_allows_some_is_no_default(spec: dict[str, Any]) -> None:
    assert bounded(spec).denies_ingress == NO


def test_a_policy_that_allows_everything_undoes_one_that_denies() -> None:
    open_to_all = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}
    assert bounded(DENY, open_to_all).denies_ingress == NO
    assert bounded(DENY, open_to_all).denies_egress == YES


def test_the_whole_world_as_a_range_is_everything_too() -> None:
    assert bounded(DENY, {"podSelector": {}, "policyTypes": ["Egress"], "egress": [EVERYWHERE]}).denies_egress == NO
    to_the_web = {**EVERYWHERE, "ports": [{"port": 443}]}
    assert bounded(DENY, {"podSelector": {}, "policyTypes": ["Egress"], "egress": [to_the_web]}).denies_egress == YES


def test_looking_up_names_is_allowed_to_those_who_may_do_nothing_else() -> None:
    assert bounded({"podSelector": {}, "policyTypes": ["Egress"], "egress": [DNS]}).denies_egress == YES
    assert bounded({"podSelector": {}, "policyTypes": ["Egress"], "egress": [DNS, {}]}).denies_egress == NO
    wide = {"ports": [{"protocol": "UDP", "port": 53, "endPort": 60}]}
    assert bounded({"podSelector": {}, "policyTypes": ["Egress"], "egress": [wide]}).denies_egress == NO


def test_policies_that_could_not_be_listed_make_it_unseen() -> None:
    found = bounded(denied=[policy])
    assert isinstance(found.denies_ingress, Unseen)


@pytest.mark.parametrize("other", [cilium.policy, calico.policy])
def test_a_policy_of_a_plug_in_makes_a_missing_one_unseen_in_its_namespace(other: Any) -> None:
    here, elsewhere = {other: [manifest("x", "shop")]}, {other: [manifest("x", "lab")]}
    assert isinstance(bounded(beside=here).denies_ingress, Unseen)
    assert bounded(beside=elsewhere).denies_ingress == NO
    assert bounded(DENY, beside=here).denies_ingress == YES


@pytest.mark.parametrize("other", [cilium.clusterwide_policy, calico.global_policy])
def test_a_policy_for_the_cluster_makes_a_missing_one_unseen_everywhere(other: Any) -> None:
    assert isinstance(bounded(beside={other: [manifest("x")]}).denies_ingress, Unseen)
    assert isinstance(bounded(denied=[other]).denies_ingress, Unseen)


def test_a_pod_that_is_over_is_no_pod_of_the_namespace() -> None:
    over = {**a_pod("job"), "status": {"phase": "Succeeded"}}
    assert bounded(beside={pod: [over]}).has_pods == NO
    assert bounded().has_pods == YES
    assert isinstance(bounded(denied=[pod]).has_pods, Unseen)


def test_quotas_are_those_of_the_namespace() -> None:
    quotas = {quota: [manifest("small", "shop"), manifest("big", "lab")]}
    assert bounded(beside=quotas).quotas == Seen(("small",))
    assert isinstance(bounded(denied=[quota]).quotas, Unseen)


def covered(labels: dict[str, str], selector: dict[str, Any], **more: Any) -> Any:
    world = {
        pod: [a_pod("web", labels=labels, **more.pop("spec", {}))],
        policy: [manifest("p", "shop", spec={"podSelector": selector}), manifest("q", "lab", spec={"podSelector": {}})],
        **more.pop("beside", {}),
    }
    return documents(covered_workload, world, **more)["shop/Pod/web"]


@pytest.mark.parametrize(
    ("selector", "selects"),
    [
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "api"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "api"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["web"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, True),
        ({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]}, False),
    ],
)
def test_a_pod_is_covered_by_what_selects_it(selector: dict[str, Any], selects: bool) -> None:
    assert covered({"app": "web"}, selector).uncovered == Seen(() if selects else ("web",))


def test_a_pod_in_the_network_of_its_host_says_so() -> None:
    assert covered({}, {}, spec={"hostNetwork": True}).host_network


def test_a_pod_that_only_a_plug_in_may_select_is_unseen() -> None:
    beside = {cilium.clusterwide_policy: [manifest("x")]}
    assert isinstance(covered({"app": "web"}, {"matchLabels": {"app": "api"}}, beside=beside).uncovered, Unseen)
    assert covered({"app": "web"}, {}, beside=beside).uncovered == Seen(())
