"""Subjects, roles and bindings joined: who can do what, by any path, and what nobody can tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from auditor.collectors.kubernetes.core_configuration import service_account
from auditor.collectors.kubernetes.rbac import cluster_role, cluster_role_binding, role, role_binding
from auditor.collectors.kubernetes.rights import HeldRights, any_binding, any_role, subject
from auditor.domain.reading import Seen, Unseen
from tests.fixtures.cluster import FakeCluster, pod, scanned
from tests.fixtures.cluster_documents import documents, manifest

DEFAULT = {"kubernetes.io/bootstrapping": "rbac-defaults"}
ADMIN = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
RBAC = "rbac.authorization.k8s.io"


def rule(verbs: str, resources: str, group: str = "", **more: Any) -> dict[str, Any]:
    return {"verbs": verbs.split(","), "apiGroups": [group], "resources": resources.split(","), **more}


def binding(name: str, to: str, who: tuple[str, ...] = ("Group:devs",), namespace: str = "") -> dict[str, Any]:
    kind, _, called = to.partition("/")
    subjects = []
    for one in who:
        sort, _, rest = one.partition(":")
        place, _, own = rest.rpartition("/")
        subjects.append({"kind": sort, "name": own, **({"namespace": place} if place else {})})
    return manifest(name, namespace, roleRef={"kind": kind, "name": called}, subjects=subjects)


def held(
    *rules: dict[str, Any], namespace: str = "", who: str = "Group:devs", name: str = "custom", **more: Any
) -> HeldRights:
    """What a subject holds through one binding to a cluster role of these rules."""
    given = binding("b", f"ClusterRole/{name}", (who,), namespace)
    found = documents(
        subject,
        {
            cluster_role: [manifest(name, rules=list(rules), **more)],
            (role_binding if namespace else cluster_role_binding): [given],
        },
    )
    (only,) = found.values()
    document: HeldRights = only
    return document


def through(reading: Any) -> tuple[str, ...]:
    assert isinstance(reading, Seen)
    told: tuple[str, ...] = reading.value
    return told


def test_a_role_binding_to_the_administrator_role_is_administration_of_its_namespace() -> None:
    found = held(ADMIN, namespace="shop", name="cluster-admin", labels=DEFAULT)
    assert through(found.administers) == ()
    assert through(found.administers_namespaces) == (
        "ClusterRole cluster-admin through RoleBinding b in namespace shop",
    )


def test_a_custom_role_with_all_rights_administers_whatever_its_name() -> None:
    assert through(held(ADMIN).administers) == ("ClusterRole custom through ClusterRoleBinding b in the whole cluster",)


def test_all_verbs_on_all_resources_of_one_group_is_no_administration() -> None:
    assert through(held({"verbs": ["*"], "apiGroups": ["apps"], "resources": ["*"]}).administers) == ()


@pytest.mark.parametrize(
    ("given", "reads"),
    [
        (rule("get", "secrets"), True),
        (rule("list", "secrets"), True),
        (rule("watch", "*"), True),
        (rule("*", "secrets"), True),
        (rule("get", "secret"), False),
        (rule("get", "secrets", "vault.example.com"), False),
        (rule("get", "secrets/status"), False),
        (rule("get", "secrets", resourceNames=["own"]), False),
        (rule("create", "secrets"), False),
        ({"verbs": ["get"], "apiGroups": ["*"], "resources": ["secrets"]}, True),
    ],
)
def test_secrets_are_those_of_the_core_group_and_not_the_named_ones(given: dict[str, Any], reads: bool) -> None:
    assert bool(through(held(given).reads_secrets)) is reads


@pytest.mark.parametrize(
    ("given", "raises"),
    [
        (rule("escalate", "clusterroles", RBAC), True),
        (rule("bind", "clusterroles", RBAC), True),
        (rule("*", "roles", RBAC), True),
        (rule("impersonate", "users"), True),
        (rule("impersonate", "groups"), True),
        (rule("impersonate", "serviceaccounts"), True),
        (rule("update", "clusterroles", RBAC), False),
        (rule("escalate", "clusterroles"), False),
    ],
)
def test_rights_that_lead_to_rights_are_found(given: dict[str, Any], raises: bool) -> None:
    assert bool(through(held(given).raises_rights)) is raises


def test_a_role_binding_lets_nobody_impersonate_users_or_change_webhooks_or_reach_kubelets() -> None:
    found = held(
        rule("impersonate", "users,groups"),
        rule("*", "validatingwebhookconfigurations", "admissionregistration.k8s.io"),
        rule("get", "nodes/proxy"),
        namespace="shop",
    )
    assert through(found.raises_rights) == through(found.changes_webhooks) == through(found.reaches_kubelets) == ()


def test_cluster_wide_powers_come_through_cluster_role_bindings() -> None:
    found = held(
        rule("patch", "mutatingwebhookconfigurations", "admissionregistration.k8s.io"), rule("get", "nodes/*,*/proxy")
    )
    assert through(found.changes_webhooks)
    assert through(found.reaches_kubelets)


@pytest.mark.parametrize(
    ("given", "makes"),
    [
        (rule("create", "pods"), True),
        (rule("create", "pods/exec"), True),
        (rule("create", "pods/attach", resourceNames=["web"]), True),
        (rule("create", "*/exec"), True),
        (rule("create", "deployments", "apps"), True),
        (rule("create", "cronjobs", "batch"), True),
        (rule("create", "deployments"), False),
        (rule("create", "pods/*"), False),
        (rule("create", "pods/log"), False),
        (rule("get,list", "pods"), False),
        (rule("create", "pods", resourceNames=["web"]), False),
    ],
)
def test_what_starts_a_program_in_the_cluster_is_found(given: dict[str, Any], makes: bool) -> None:
    assert bool(through(held(given).makes_pods)) is makes


def test_minting_tokens_is_a_subresource_of_service_accounts() -> None:
    assert through(held(rule("create", "serviceaccounts/token")).mints_tokens)
    assert not through(held(rule("create", "serviceaccounts")).mints_tokens)


def test_a_default_role_may_impersonate_but_a_custom_one_gathered_into_it_may_not() -> None:
    edit = manifest("edit", labels=DEFAULT, rules=[rule("impersonate", "serviceaccounts")])
    edit["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {"to-edit": "true"}}]}
    world = {
        cluster_role: [edit],
        role_binding: [binding("b", "ClusterRole/edit", namespace="shop")],
    }
    (plain,) = documents(subject, world).values()
    assert through(plain.raises_rights) == ()
    world[cluster_role].append(manifest("more", labels={"to-edit": "true"}, rules=[rule("bind", "roles", RBAC)]))
    (grown,) = documents(subject, world).values()
    assert through(grown.raises_rights) == ("ClusterRole edit through RoleBinding b in namespace shop",)


def test_roles_that_gather_each_other_are_read_once() -> None:
    def gathers(name: str, label: str) -> dict[str, Any]:
        about = manifest(name, labels={"for": name}, rules=[rule("get", "secrets" if name == "b" else "pods")])
        return {**about, "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"for": label}}]}}

    world = {
        cluster_role: [gathers("a", "b"), gathers("b", "a")],
        cluster_role_binding: [binding("x", "ClusterRole/a")],
    }
    (found,) = documents(subject, world).values()
    assert through(found.reads_secrets)


def test_a_role_of_the_namespace_is_not_the_cluster_role_of_the_same_name() -> None:
    world = {
        cluster_role: [manifest("reader", rules=[rule("get", "secrets")])],
        role: [manifest("reader", "shop", rules=[rule("get", "pods")])],
        role_binding: [binding("b", "Role/reader", namespace="shop")],
    }
    (found,) = documents(subject, world).values()
    assert through(found.reads_secrets) == ()


def test_a_binding_to_a_role_that_does_not_exist_gives_nothing() -> None:
    world = {cluster_role: [], cluster_role_binding: [binding("b", "ClusterRole/gone")]}
    (found,) = documents(subject, world).values()
    assert through(found.administers) == through(found.reads_secrets) == ()


def test_a_binding_without_subjects_is_about_nobody() -> None:
    world = {cluster_role: [manifest("r", rules=[ADMIN])], cluster_role_binding: [binding("b", "ClusterRole/r", ())]}
    assert documents(subject, world) == {}


def test_a_service_account_is_one_subject_however_it_is_spelled() -> None:
    world = {
        cluster_role: [manifest("r", rules=[rule("get", "secrets")])],
        cluster_role_binding: [
            binding("a", "ClusterRole/r", ("User:system:serviceaccount:shop:ci", "ServiceAccount:lost"))
        ],
        role_binding: [binding("b", "ClusterRole/r", ("ServiceAccount:ci",), "shop")],
    }
    found = documents(subject, world)
    assert set(found) == {"shop/ServiceAccount/ci"}
    assert len(through(found["shop/ServiceAccount/ci"].reads_secrets)) == 2


@pytest.mark.parametrize(
    ("who", "system"),
    [
        ("User:system:kube-scheduler", True),
        ("Group:system:nodes", True),
        ("Group:system:serviceaccounts:shop", False),
        ("Group:system:authenticated", False),
        ("User:system:anonymous", False),
        ("ServiceAccount:kube-system/builder", False),
        ("User:ana", False),
    ],
)
def test_components_are_system_and_crowds_are_not(who: str, system: bool) -> None:
    assert held(rule("get", "pods"), who=who).system is system


def test_a_controller_of_the_platform_does_not_answer_for_its_own_role_but_for_others() -> None:
    who = "ServiceAccount:kube-system/job-controller"
    assert through(held(rule("create", "pods"), who=who, name="system:controller:job-controller").makes_pods) == ()
    assert through(held(rule("create", "pods"), who=who).makes_pods)
    assert through(held(rule("create", "pods"), name="system:controller:job-controller").makes_pods)


def test_roles_that_could_not_be_listed_make_every_power_unseen_but_the_named_one() -> None:
    world = {
        cluster_role_binding: [binding("a", "ClusterRole/cluster-admin"), binding("b", "ClusterRole/r", ("User:ana",))]
    }
    found = documents(subject, world, denied=[cluster_role])
    assert through(found["/Group/devs"].administers)
    assert found["/User/ana"].reads_secrets == Unseen("Cluster role: Forbidden list kubernetes.cluster_role in global")


def test_bindings_that_could_not_be_listed_hide_what_a_subject_lacks_and_not_what_it_has() -> None:
    world = {
        cluster_role: [manifest("r", rules=[rule("get", "secrets")])],
        cluster_role_binding: [binding("b", "ClusterRole/r")],
    }
    (found,) = documents(subject, world, denied=[role_binding]).values()
    assert through(found.reads_secrets)
    assert isinstance(found.makes_pods, Unseen)


def wild(world: Mapping[Any, Any], **more: Any) -> dict[str, Any]:
    return documents(any_role, world, **more)


def test_wildcards_are_told_and_roles_know_whether_anybody_holds_them() -> None:
    found = wild(
        {
            cluster_role: [manifest("a", rules=[rule("*", "pods")]), manifest("system:b", rules=[ADMIN])],
            role: [manifest("a", "shop", rules=[rule("get", "pods")]), manifest("c", "shop", rules=[])],
            role_binding: [binding("x", "Role/a", namespace="shop"), binding("y", "Role/c", (), "shop")],
        }
    )
    assert found["/ClusterRole/a"].wildcards == ('verbs * on pods of groups ""',)
    assert found["/ClusterRole/a"].bound == Seen(value=False)
    assert found["/ClusterRole/system:b"].built_in
    assert found["shop/Role/a"].bound == Seen(value=True)
    assert found["shop/Role/a"].wildcards == ()
    assert found["shop/Role/c"].bound == Seen(value=False)


def test_whether_a_cluster_role_is_held_needs_both_kinds_of_bindings() -> None:
    found = wild({cluster_role: [manifest("a", rules=[ADMIN])]}, denied=[role_binding])
    assert isinstance(found["/ClusterRole/a"].bound, Unseen)


@pytest.mark.parametrize(
    ("to", "who", "strange"),
    [
        ("ClusterRole/view", "Group:system:unauthenticated", True),
        ("ClusterRole/system:public-info-viewer", "Group:system:unauthenticated", False),
        ("ClusterRole/system:discovery", "User:system:anonymous", True),
        ("ClusterRole/system:discovery", "Group:system:authenticated", False),
        ("ClusterRole/edit", "Group:system:authenticated", True),
        ("ClusterRole/edit", "Group:devs", False),
    ],
)
def test_strangers_get_what_every_cluster_gives_them_and_no_more(to: str, who: str, strange: bool) -> None:
    (found,) = documents(any_binding, {cluster_role_binding: [binding("b", to, (who,))]}).values()
    assert bool(found.strangers) is strange


def test_a_service_account_that_is_gone_is_stale_and_people_are_not() -> None:
    world = {
        service_account: [manifest("ci", "shop")],
        role_binding: [
            binding("b", "Role/r", ("ServiceAccount:shop/ci", "ServiceAccount:old", "User:ana"), "shop"),
            binding("c", "Role/r", ("User:ana",), "shop"),
        ],
    }
    found = documents(any_binding, world)
    assert found["shop/RoleBinding/b"].stale == Seen(("ServiceAccount:shop/old",))
    assert not found["shop/RoleBinding/c"].names_accounts
    hidden = documents(any_binding, world, denied=[service_account])
    assert isinstance(hidden["shop/RoleBinding/b"].stale, Unseen)
    assert hidden["shop/RoleBinding/c"].stale == Seen(())


def test_who_may_list_pods_but_no_bindings_gets_verdicts_on_pods_and_unknown_on_the_cluster() -> None:
    kinds = ("clusterroles", "clusterrolebindings", "roles", "rolebindings")
    seen = scanned(FakeCluster({"core/v1:pods": [pod()]}, {f"{RBAC}/v1:{kind}": "Forbidden" for kind in kinds}))
    verdicts = [one for one in seen.verdicts if one.check.startswith("k8s.rbac.")]
    assert {(one.verdict, one.resource) for one in verdicts} == {("unknown", "/Cluster/meadowbrook")}
    assert all("Forbidden list clusterrole" in one.reason for one in verdicts)
    assert any(one.check == "k8s.pod.not_privileged" and one.verdict == "pass" for one in seen.verdicts)


def test_a_finding_on_a_subject_names_every_binding_and_no_other_resource() -> None:
    cluster = FakeCluster(
        {
            f"{RBAC}/v1:clusterroles": [manifest("reader", rules=[rule("get", "secrets")])],
            f"{RBAC}/v1:clusterrolebindings": [binding("a", "ClusterRole/reader", ("ServiceAccount:shop/ci",))],
        }
    )
    (found,) = [one for one in scanned(cluster).verdicts if one.check == "k8s.rbac.secret_access_limited"]
    assert (found.verdict, found.resource) == ("fail", "shop/ServiceAccount/ci")
    assert "ClusterRole reader through ClusterRoleBinding a in the whole cluster" in found.reason
