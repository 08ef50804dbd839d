"""``auditor scan kubernetes`` as a build calls it, against a cluster over TLS; and the role that it asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditor.cli import main
from auditor.simulators.kubernetes_api import ClusterApi

WEB = "shop/Deployment/web"
TEMPLATE = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {
        "containers": [{"name": "web", "image": "nginx", "securityContext": {"privileged": True}}],
        "initContainers": [{"name": "prepare", "image": "busybox:1.36"}],
    },
}


def stored(version: str, kind: str, name: str, *, owner: tuple[str, str] | None = None, **told: Any) -> dict[str, Any]:
    about: dict[str, Any] = {"name": name, "namespace": "shop", "labels": {"app": "web"}}
    if owner is not None:
        about["ownerReferences"] = [
            {"apiVersion": version, "kind": owner[0], "name": owner[1], "uid": "1", "controller": True}
        ]
    return {"apiVersion": version, "kind": kind, "metadata": about, **told}


@pytest.fixture
def api() -> Iterator[ClusterApi]:
    with ClusterApi() as running:
        running.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        selector = {"matchLabels": {"app": "web"}}
        running.put_all(
            [
                stored(
                    "apps/v1", "Deployment", "web", spec={"replicas": 3, "selector": selector, "template": TEMPLATE}
                ),
                stored("apps/v1", "ReplicaSet", "web-5d8f", owner=("Deployment", "web"), spec={"replicas": 3}),
                *(
                    stored("v1", "Pod", f"web-5d8f-{n}", owner=("ReplicaSet", "web-5d8f"), spec=TEMPLATE["spec"])
                    for n in range(3)
                ),
                stored("v1", "Pod", "tool", spec={"containers": [{"name": "tool", "image": "tool:1"}]}),
            ]
        )
        yield running


def scanned(config: Path, folder: Path, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code and the lines of one scan."""
    out = folder / "scan.ndjson"
    code = main(
        ["scan", "kubernetes", "--kubeconfig", str(config), "--format", "ndjson", "--out", str(out), *arguments]
    )
    return code, [json.loads(line) for line in out.read_text("utf-8").splitlines()]


def about(lines: list[dict[str, Any]], check: str) -> dict[str, dict[str, Any]]:
    return {line["resource"]: line for line in lines if line["check"] == check}


def allowed(api: ClusterApi, role: dict[str, Any]) -> str:
    """The token of an account that this role is bound to and nothing else."""
    api.put(role)
    api.put(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "auditor"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": role["metadata"]["name"],
            },
            "subjects": [{"kind": "ServiceAccount", "namespace": "kube-public", "name": "auditor"}],
        }
    )
    return api.account_token("kube-public", "auditor")


def printed_role(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["permissions", "kubernetes"]) == 0
    role: dict[str, Any] = yaml.safe_load(capsys.readouterr().out)
    return role


def test_pods_of_a_deployment_are_one_line_with_its_pods(api: ClusterApi, tmp_path: Path) -> None:
    code, lines = scanned(api.kubeconfig(tmp_path / "config"), tmp_path, "--allow-partial")
    found = about(lines, "k8s.pod.not_privileged")
    assert code == 0
    assert found[WEB]["verdict"] == "fail"
    assert found[WEB]["reason"] == "Deployment shop/web runs privileged containers: web"
    assert found[WEB]["members"] == [f"shop/Pod/web-5d8f-{n}" for n in range(3)]
    assert found["shop/Pod/tool"]["verdict"] == "pass"
    assert {line["account"] for line in lines} == {"meadowbrook"}


def test_every_check_leaves_at_least_one_line(api: ClusterApi, tmp_path: Path) -> None:
    from controls import shipped

    _, lines = scanned(api.kubeconfig(tmp_path / "config"), tmp_path)
    assert {line["check"] for line in lines} == {check.id for check in shipped().about("kubernetes").checks}


def test_findings_at_the_floor_decide_the_exit_code(api: ClusterApi, tmp_path: Path) -> None:
    config = api.kubeconfig(tmp_path / "config")
    assert scanned(config, tmp_path, "--allow-partial", "--fail-on", "critical")[0] == 1
    api.delete("Deployment", "web", namespace="shop")
    api.delete("ReplicaSet", "web-5d8f", namespace="shop")
    for number in range(3):
        api.delete("Pod", f"web-5d8f-{number}", namespace="shop")
    assert scanned(config, tmp_path, "--allow-partial", "--fail-on", "critical")[0] == 0


def test_an_account_that_may_list_pods_but_no_bindings_judges_pods_and_says_what_it_lacks(
    api: ClusterApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    role = printed_role(capsys)
    role["rules"] = [rule for rule in role["rules"] if rule.get("apiGroups") != ["rbac.authorization.k8s.io"]]
    code, lines = scanned(api.kubeconfig(tmp_path / "config", token=allowed(api, role)), tmp_path)
    assert code == 4
    assert about(lines, "k8s.pod.not_privileged")[WEB]["verdict"] == "fail"
    token = about(lines, "k8s.service_account.token_not_mounted")[WEB]
    assert token["verdict"] == "unknown"
    assert "list rolebindings.rbac.authorization.k8s.io" in token["reason"]


def test_an_account_that_may_nothing_sees_nothing_and_says_so(api: ClusterApi, tmp_path: Path) -> None:
    code, lines = scanned(api.kubeconfig(tmp_path / "config", token=api.token("nobody")), tmp_path)
    assert code == 2
    on_cluster = about(lines, "k8s.pod.not_privileged")["/Cluster/meadowbrook"]
    assert (on_cluster["verdict"], "list pods" in on_cluster["reason"]) == ("unknown", True)


def test_a_wrong_token_is_told_without_a_traceback(
    api: ClusterApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = api.kubeconfig(tmp_path / "config", token="nobody-knows-this")
    assert main(["scan", "kubernetes", "--kubeconfig", str(config)]) == 2
    assert "does not let us in" in capsys.readouterr().err


def test_only_what_stands_in_a_named_namespace_is_judged(api: ClusterApi, tmp_path: Path) -> None:
    lone = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "lone", "namespace": "default"}}
    api.put({**lone, "spec": {"containers": [{"name": "lone", "image": "lone:1"}]}})
    _, lines = scanned(api.kubeconfig(tmp_path / "config"), tmp_path, "--namespace", "default")
    assert set(about(lines, "k8s.pod.not_privileged")) == {"default/Pod/lone"}


def test_the_printed_role_is_enough_and_no_more_than_what_is_asked(
    api: ClusterApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    role = printed_role(capsys)
    config = api.kubeconfig(tmp_path / "config", token=allowed(api, role))
    api.reset_counts()
    _, lines = scanned(config, tmp_path)
    assert [line["reason"] for line in lines if "Forbidden" in line["reason"]] == []
    asked = {path.rsplit("/", 1)[1] for verb, path in api.counts() if verb == "list"}
    named = {resource for rule in role["rules"] for resource in rule.get("resources", ())}
    assert named == asked
    verbs = {verb for rule in role["rules"] if "resources" in rule for verb in rule["verbs"]}
    assert verbs == {"list", "watch"}, "the latter for clusters that are connected: see test_watch.py"


def test_tables_speak_of_a_cluster(api: ClusterApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = api.kubeconfig(tmp_path / "config")
    assert main(["scan", "kubernetes", "--kubeconfig", str(config), "--allow-partial"]) == 0
    printed = capsys.readouterr().out
    assert "Cluster meadowbrook as of" in printed
    assert "not a real provider" not in printed
