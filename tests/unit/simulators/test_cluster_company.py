from __future__ import annotations

import json
import ssl
import subprocess
import sys
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from auditor.simulators.cluster_company import AUDITOR, NAMESPACES, NARROW, build, large
from auditor.simulators.kubernetes_api import ClusterApi
from auditor.simulators.kubernetes_workloads import owned_by, roll_out
from tests.unit.simulators.asking import METADATA_ONLY, Asker


def furnished(*, managed: bool = False) -> ClusterApi:
    cluster = ClusterApi(clock=lambda: datetime(2026, 3, 5, tzinfo=UTC))
    build(cluster, managed=managed)
    return cluster


@pytest.fixture(scope="module")
def company() -> ClusterApi:
    return furnished()


def everything(cluster: ClusterApi) -> Iterator[Mapping[str, Any]]:
    for kind in cluster.store.kinds:
        if "list" in kind.verbs:
            for one in cluster.store.view(kind).items:
                yield {"kind": kind.kind, **one.document}


def test_two_builds_read_alike(company: ClusterApi) -> None:
    assert list(everything(furnished())) == list(everything(company))


def test_whatever_lies_in_a_namespace_lies_in_one_that_exists(company: ClusterApi) -> None:
    there = {*NAMESPACES, "default", "kube-system", "kube-public", "kube-node-lease"}
    assert {one["metadata"].get("namespace", "default") for one in everything(company)} <= there


def test_every_pod_is_owned_by_what_exists_or_by_nobody(company: ClusterApi) -> None:
    owners = [one for one in everything(company) if one["kind"] in {"ReplicaSet", "DaemonSet", "StatefulSet", "Job"}]
    found: Counter[str] = Counter()
    for pod in company.store.documents("Pod"):
        references = pod["metadata"].get("ownerReferences")
        if references and references[0]["kind"] != "Node":
            owner = next(one for one in owners if owned_by(pod, one))
            found[owner["kind"]] += 1
        else:
            found["Node" if references else "nobody"] += 1
    assert {"ReplicaSet", "DaemonSet", "StatefulSet", "Job", "Node", "nobody"} == found.keys()


def test_every_mounted_secret_claim_and_account_is_there(company: ClusterApi) -> None:
    for pod in company.store.documents("Pod"):
        place, spec = pod["metadata"]["namespace"], pod["spec"]
        if "serviceAccountName" in spec:
            assert company.get("ServiceAccount", spec["serviceAccountName"], namespace=place), pod["metadata"]["name"]
        for volume in spec.get("volumes", ()):
            if "secret" in volume:
                assert company.get("Secret", volume["secret"]["secretName"], namespace=place)
            if "persistentVolumeClaim" in volume:
                claim = volume["persistentVolumeClaim"]["claimName"]
                assert company.get("PersistentVolumeClaim", claim, namespace=place)
        assert company.get("Node", spec["nodeName"])


@pytest.mark.parametrize(
    ("kind", "name", "namespace", "holds"),
    [
        (
            "Deployment",
            "dicom-router",
            "imaging",
            lambda spec: spec["initContainers"][0]["securityContext"]["privileged"],
        ),
        ("Deployment", "records-api", "records", lambda spec: spec["containers"][0]["ports"][0]["hostPort"] == 8080),
        (
            "Deployment",
            "billing-api",
            "billing",
            lambda spec: "allowPrivilegeEscalation" not in spec["containers"][0]["securityContext"],
        ),
        ("Deployment", "report-port-no-tag", "etl", lambda spec: spec["containers"][0]["image"].count(":") == 1),
        ("Deployment", "intake-forms", "intake", lambda spec: "securityContext" not in spec["containers"][0]),
    ],
)
def test_the_traps_are_set(company: ClusterApi, kind: str, name: str, namespace: str, holds: Any) -> None:
    found: dict[str, Any] = company.get(kind, name, namespace=namespace) or {}
    assert holds(found["spec"]["template"]["spec"])


def test_a_pod_may_differ_from_its_template(company: ClusterApi) -> None:
    pod: dict[str, Any] = company.get("Pod", "archive-1", namespace="imaging") or {}
    assert pod["spec"]["ephemeralContainers"][0]["securityContext"]["privileged"] is True
    assert "ephemeralContainers" not in (company.get("Pod", "archive-0", namespace="imaging") or {})["spec"]


def test_a_binding_without_subjects_has_no_such_field(company: ClusterApi) -> None:
    assert "subjects" not in (company.get("ClusterRoleBinding", "old-breakglass") or {"subjects": ()})


def test_one_of_two_hosts_has_tls(company: ClusterApi) -> None:
    spec: dict[str, Any] = (company.get("Ingress", "records-api", namespace="records") or {})["spec"]
    assert len(spec["rules"]) == 2
    assert spec["tls"][0]["hosts"] == [spec["rules"][0]["host"]]


def test_a_managed_control_plane_shows_neither_pods_nor_nodes() -> None:
    managed = furnished(managed=True)
    assert managed.get("Pod", "kube-apiserver-cp-1", namespace="kube-system") is None
    assert managed.get("Node", "cp-1") is None
    assert managed.get("Node", "worker-1") is not None


def test_a_rollout_brings_new_pods_under_the_same_deployment() -> None:
    cluster = furnished()
    before: dict[str, Any] = cluster.get("Deployment", "scheduling", namespace="portal") or {}
    old = {pod["metadata"]["name"] for pod in cluster.store.documents("Pod", namespace="portal")}
    roll_out(cluster, "portal", "scheduling", "registry.meadowbrook.example/meadowbrook/scheduling:2.15.0")
    after: dict[str, Any] = cluster.get("Deployment", "scheduling", namespace="portal") or {}
    new = {pod["metadata"]["name"] for pod in cluster.store.documents("Pod", namespace="portal")}
    sets = [one for one in cluster.store.documents("ReplicaSet", namespace="portal") if owned_by(one, after)]
    assert before["metadata"]["uid"] == after["metadata"]["uid"]
    assert (len(old - new), len(new - old), len(new)) == (2, 2, len(old))
    assert sorted(one["spec"]["replicas"] for one in sets) == [0, 2]


def test_the_auditor_lists_everything_and_of_secrets_only_that(ask: Asker) -> None:
    build(ask.cluster)
    token = ask.cluster.account_token(*AUDITOR)
    for kind in ask.cluster.store.kinds:
        if "list" in kind.verbs and ask.cluster.store.view(kind).items:
            root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
            assert ask(f"{root}/{kind.resource}?limit=1", token=token, accept=METADATA_ONLY).status == 200, (
                kind.qualified
            )
    assert ask("/api/v1/namespaces/records/secrets/records-db", token=token).status == 403


def test_the_narrow_account_sees_three_kinds(ask: Asker) -> None:
    build(ask.cluster)
    token = ask.cluster.account_token(*NARROW)
    paths = (
        "/api/v1/pods",
        "/api/v1/namespaces",
        "/apis/apps/v1/deployments",
        "/api/v1/services",
        "/apis/batch/v1/jobs",
    )
    assert [ask(path, token=token).status for path in paths] == [200, 200, 200, 403, 403]


def test_whoever_may_view_lists_secrets_since_reports_extended_it(ask: Asker) -> None:
    build(ask.cluster)
    token = ask.cluster.token("nurse@meadowbrook.example", ["meadowbrook:staff"])
    assert ask("/api/v1/secrets", token=token).status == 200
    ask.cluster.delete("ClusterRole", "reports-extend-view")
    assert ask("/api/v1/secrets", token=token).status == 403


def test_a_cluster_in_its_own_process_serves_until_its_parent_lets_go(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "auditor.simulators.kubernetes_run", "--kubeconfig", str(tmp_path / "config")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        config = json.loads((tmp_path / "config").read_text())
        authority = b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
        connection = HTTPSConnection(urlsplit(told["url"]).netloc, context=ssl.create_default_context(cadata=authority))
        headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
        connection.request("GET", "/api/v1/nodes", headers=headers)
        assert connection.getresponse().status == 200
        connection.close()
        process.stdin.close()
        assert process.wait(10) == 0


def test_the_large_cluster_has_as_many_pods_as_asked_for() -> None:
    cluster = ClusterApi()
    made = large(cluster, pods=103, namespaces=4)
    assert len(cluster.store.documents("Pod")) == 103
    assert len(cluster.store.documents("Deployment")) == 21
    assert made == 103 + 2 * 21 + 2 * 4
