"""The control plane by its flags, nodes by their age, and what stays unseen where none shows."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from auditor.collectors.kubernetes._tables import FOLDER, minor, table
from auditor.collectors.kubernetes.control_plane import MANAGED, ApiServer, Etcd, api_server, etcd, kubelets
from auditor.collectors.kubernetes.core_nodes import node
from auditor.collectors.kubernetes.core_pods import pod
from auditor.collectors.kubernetes.node_state import NodeState, node_state
from auditor.collectors.kubernetes.server import server
from auditor.domain.reading import Seen, Unseen
from tests.fixtures.cluster_documents import documents, manifest

YES, NO = Seen(value=True), Seen(value=False)
VERSION = {"version": {"gitVersion": "v1.35.2", "platform": "linux/amd64"}}


def component(name: str, *flags: str, on: str = "n1", space: str = "kube-system") -> dict[str, Any]:
    container = {"name": name, "image": f"{name}:1", "command": [name, *flags]}
    return manifest(
        f"{name}-{on}", space, {"component": name, "tier": "control-plane"}, spec={"containers": [container]}
    )


def server_with(*flags: str, beside: tuple[dict[str, Any], ...] = (), **more: Any) -> ApiServer:
    world = {pod: [component("kube-apiserver", *flags), *beside], server: [VERSION]}
    (document,) = documents(api_server, world, **more).values()
    told: ApiServer = document
    return told


def test_a_managed_control_plane_is_unseen_and_never_wrong() -> None:
    (found,) = documents(api_server, {pod: [], server: [VERSION]}).values()
    facts = (found.refuses_anonymous, found.modes, found.audit_written, found.encrypts_secrets, found.speaks_modern_tls)
    assert set(facts) == {Unseen(MANAGED)}
    (store,) = documents(etcd, {pod: []}).values()
    assert store.asks_clients == store.makes_own_certificates == Unseen(MANAGED)


def test_pods_that_could_not_be_listed_are_not_taken_for_a_managed_control_plane() -> None:
    (found,) = documents(api_server, {server: [VERSION]}, denied=[pod]).values()
    assert isinstance(found.audit_policy, Unseen)
    assert found.audit_policy != Unseen(MANAGED)


def test_a_pod_that_calls_itself_an_api_server_elsewhere_is_none() -> None:
    (found,) = documents(
        api_server, {pod: [component("kube-apiserver", "--anonymous-auth=false", space="shop")], server: [VERSION]}
    ).values()
    assert found.refuses_anonymous == Unseen(MANAGED)


def test_strangers_are_refused_by_the_flag_alone() -> None:
    assert server_with("--anonymous-auth=false").refuses_anonymous == YES
    assert server_with().refuses_anonymous == NO
    assert isinstance(server_with("--authentication-config=/etc/a.yaml").refuses_anonymous, Unseen)


def test_modes_are_those_that_all_pods_have_and_always_allow_of_any() -> None:
    assert server_with("--authorization-mode=Node,RBAC").modes == Seen(("Node", "RBAC"))
    assert server_with().modes == Seen(("AlwaysAllow",))
    other = component("kube-apiserver", "--authorization-mode=RBAC,AlwaysAllow", on="n2")
    assert server_with("--authorization-mode=Node,RBAC", beside=(other,)).modes == Seen(("AlwaysAllow", "RBAC"))
    assert isinstance(server_with("--authorization-config=/etc/a.yaml").modes, Unseen)


def test_one_server_without_an_audit_log_is_enough() -> None:
    flags = ("--audit-policy-file=/etc/p.yaml", "--audit-log-path=/var/log/a.log")
    other = component("kube-apiserver", "--audit-policy-file=/etc/p.yaml", on="n2")
    assert server_with(*flags).audit_written == YES
    assert server_with(*flags, beside=(other,)).audit_written == NO
    assert server_with(*flags, beside=(other,)).audit_policy == YES


def test_the_least_days_count_and_unset_is_no_number() -> None:
    other = component("kube-apiserver", "--audit-log-maxage=7", on="n2")
    assert server_with("--audit-log-maxage=30", beside=(other,)).audit_days == Seen(7)
    assert server_with(beside=(other,)).audit_days == Seen(None)
    assert isinstance(server_with("--audit-log-maxage=soon").audit_days, Unseen)


@pytest.mark.parametrize(
    ("flags", "version", "modern"),
    [
        (("--tls-min-version=VersionTLS12",), "v1.19.0", YES),
        (("--tls-min-version=VersionTLS10",), "v1.35.0", NO),
        ((), "v1.35.0", YES),
        ((), "v1.21.4", NO),
    ],
)
def test_tls_is_modern_by_the_flag_or_by_the_version(flags: tuple[str, ...], version: str, modern: Any) -> None:
    world = {pod: [component("kube-apiserver", *flags)], server: [{"version": {"gitVersion": version}}]}
    (found,) = documents(api_server, world).values()
    assert found.speaks_modern_tls == modern


def test_values_of_other_flags_are_not_kept() -> None:
    assert pod.listing is not None
    assert pod.listing.page is not None
    page = pod.listing.page({"items": [component("kube-apiserver", "--etcd-password=hunter2", "--profiling=false")]})
    assert page["items"][0]["flags"] == {"profiling": "false"}
    assert "hunter2" not in str(page)


def store(*flags: str) -> Etcd:
    (document,) = documents(etcd, {pod: [component("etcd", *flags)]}).values()
    told: Etcd = document
    return told


def test_etcd_asks_clients_and_peers_for_certificates_of_ours() -> None:
    files = ("--cert-file=a", "--key-file=b", "--peer-cert-file=c", "--peer-key-file=d")
    sound = store("--client-cert-auth", "--peer-client-cert-auth=true", *files)
    assert (sound.asks_clients, sound.asks_peers, sound.makes_own_certificates, sound.has_certificates) == (
        YES,
        YES,
        NO,
        YES,
    )
    assert store("--auto-tls=true", *files[:3]).makes_own_certificates == YES
    assert store(*files[:3]).has_certificates == NO
    assert store(*files).asks_clients == NO


def test_nobody_looks_into_kubelets() -> None:
    (found,) = documents(kubelets, {node: [manifest("n1")]}).values()
    assert isinstance(found.refuse_anonymous, Unseen)


def a_node(version: str, **conditions: str) -> NodeState:
    told = [{"type": name, "status": status} for name, status in {"Ready": "True", **conditions}.items() if status]
    item = manifest("n1", status={"nodeInfo": {"kubeletVersion": version}, "conditions": told})
    document: NodeState = documents(node_state, {node: [item], server: [VERSION]})["/Node/n1"]
    return document


def test_a_kubelet_is_as_old_as_its_minor_version() -> None:
    found = a_node("v1.33.4-eks-1a2b3c")
    assert found.patched_until == Seen(datetime(2026, 6, 28, tzinfo=UTC))
    assert found.minors_behind == Seen(2)
    assert a_node("v1.36.0").minors_behind == Seen(-1)


def test_a_version_that_is_in_no_table_is_unseen() -> None:
    assert isinstance(a_node("v1.99.0").patched_until, Unseen)
    assert isinstance(a_node("of our own").minors_behind, Unseen)


def test_the_table_of_versions_names_its_date_and_its_sources() -> None:
    known = table("kubernetes_versions")
    assert {path.stem for path in FOLDER.iterdir()} == {"kubernetes_versions"}
    assert known["as_of"] >= date(2026, 1, 1)
    assert all(known["sources"])
    assert {type(ends) for ends in known["ends"].values()} == {date}
    assert all(minor(version) is not None for version in known["ends"])


def test_a_node_complains_in_its_own_words() -> None:
    assert a_node("v1.35.0", MemoryPressure="False").troubles == ()
    assert a_node("v1.35.0", Ready="Unknown", DiskPressure="True").troubles == (
        "Ready is Unknown",
        "DiskPressure is True",
    )
    assert a_node("v1.35.0", Ready="").troubles == ("Ready is missing",)
