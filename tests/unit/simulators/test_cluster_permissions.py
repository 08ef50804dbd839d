from __future__ import annotations

import json
import ssl
from datetime import timedelta
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from auditor.simulators.cluster_company import build
from auditor.simulators.kubernetes_api import ClusterApi
from auditor.simulators.kubernetes_faults import Trouble
from auditor.simulators.kubernetes_objects import binding, role, rule
from tests.unit.simulators.asking import Asker
from tests.unit.simulators.conftest import TurnedClock

REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def forecast(ask: Asker, token: str, **attributes: str) -> bool:
    told = ask(REVIEW, token=token, body={"spec": {"resourceAttributes": attributes}})
    assert told.status == 201
    return bool(told.body["status"]["allowed"])


def test_a_client_that_does_not_trust_the_authority_gets_no_further(cluster: ClusterApi) -> None:
    stranger = HTTPSConnection(urlsplit(cluster.url).netloc, context=ssl.create_default_context(), timeout=5)
    with pytest.raises(ssl.SSLCertVerificationError):
        stranger.request("GET", "/version")
    stranger.close()
    assert cluster.counts() == {}


def test_a_token_ends_at_its_time_and_when_it_is_revoked(ask: Asker, clock: TurnedClock) -> None:
    short = ask.cluster.account_token("shop", "app", expires_at=clock.now + timedelta(minutes=10))
    lasting = ask.cluster.account_token("shop", "app")
    assert ask("/version", token=short).status == 200
    clock.now += timedelta(minutes=10)
    assert ask("/version", token=short).status == 401
    assert ask("/version", token=lasting).status == 200
    ask.cluster.revoke(lasting)
    assert ask("/version", token=lasting).body["reason"] == "Unauthorized"


def test_without_a_token_one_is_anonymous_unless_that_is_switched_off(ask: Asker) -> None:
    assert ask("/version", token=None).status == 200
    assert 'User "system:anonymous"' in ask("/api/v1/pods", token=None).body["message"]
    ask.cluster.identities.anonymous = False
    assert ask("/version", token=None).status == 401


def test_a_role_holds_in_its_namespace_alone(ask: Asker) -> None:
    ask.cluster.put_all(
        [role("pods", rule("list", "pods"), place="shop"), binding("pods", "Role/pods", "shop/app", place="shop")]
    )
    token = ask.cluster.account_token("shop", "app")
    assert ask("/api/v1/namespaces/shop/pods", token=token).status == 200
    assert ask("/api/v1/namespaces/other/pods", token=token).status == 403
    assert ask("/api/v1/pods", token=token).status == 403


def test_a_cluster_role_bound_in_a_namespace_holds_there_and_on_no_path(ask: Asker) -> None:
    ask.cluster.put(binding("all", "ClusterRole/cluster-admin", "User/ann", place="shop"))
    token = ask.cluster.token("ann")
    assert ask("/api/v1/namespaces/shop/secrets", token=token).status == 200
    assert ask("/api/v1/namespaces/shop", token=token).status == 404
    assert ask("/api/v1/nodes", token=token).status == 403
    assert ask("/metrics", token=token).status == 403


def test_names_narrow_a_rule_to_single_objects_and_never_allow_a_list(ask: Asker) -> None:
    narrow = role("one", rule("get,list", "secrets", names=["key"]), place="shop")
    ask.cluster.put_all([narrow, binding("one", "Role/one", "User/ann", place="shop")])
    token, path = ask.cluster.token("ann"), "/api/v1/namespaces/shop/secrets"
    assert ask(f"{path}/key", token=token).status == 404  # allowed, and not there
    assert ask(f"{path}/other", token=token).status == 403
    assert ask(path, token=token).status == 403


@pytest.mark.parametrize(
    ("resources", "groups", "path", "status"),
    [
        ("pods", "", "/api/v1/pods", 200),
        ("pods", "apps", "/api/v1/pods", 403),
        ("*", "*", "/apis/apps/v1/deployments", 200),
        ("secrets", "vault.example", "/api/v1/secrets", 403),
        ("secret", "", "/api/v1/secrets", 403),
        ("pods/log", "", "/api/v1/pods", 403),
    ],
)
def test_a_rule_means_its_group_and_resource(ask: Asker, resources: str, groups: str, path: str, status: int) -> None:
    ask.cluster.put_all(
        [role("some", rule("list", resources, groups=groups)), binding("some", "ClusterRole/some", "User/ann")]
    )
    assert ask(path, token=ask.cluster.token("ann")).status == status


def test_a_path_outside_the_api_is_allowed_by_its_pattern(ask: Asker) -> None:
    paths = role("paths", {"nonResourceURLs": ["/livez", "/logs/*"], "verbs": ["get"]})
    ask.cluster.put_all([paths, binding("paths", "ClusterRole/paths", "User/ann")])
    token = ask.cluster.token("ann")
    assert ask("/logs/kubelet", token=token).status == 404
    assert ask("/logsandmore", token=token).status == 403


@pytest.mark.parametrize("to", ["ClusterRole/not-there", "Role/not-there"])
def test_a_binding_to_a_role_that_is_not_there_gives_nothing(ask: Asker, to: str) -> None:
    ask.cluster.put(binding("void", to, "User/ann"))
    assert ask("/api/v1/pods", token=ask.cluster.token("ann")).status == 403


def test_an_aggregated_role_takes_in_what_its_label_brings_and_lets_it_go(ask: Asker) -> None:
    ask.cluster.put(binding("view", "ClusterRole/view", "User/ann"))
    token = ask.cluster.token("ann")
    assert ask("/api/v1/secrets", token=token).status == 403
    label = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    ask.cluster.put(role("more", rule("list", "secrets"), labels=label))
    assert ask("/api/v1/secrets", token=token).status == 200
    admin: dict[str, Any] = ask.cluster.get("ClusterRole", "admin") or {}
    assert rule("list", "secrets") in admin["rules"]  # view is part of edit, edit of admin
    ask.cluster.delete("ClusterRole", "more")
    assert ask("/api/v1/secrets", token=token).status == 403


def test_forecasts_and_answers_never_disagree_about_the_company(ask: Asker) -> None:
    build(ask.cluster)
    people = {
        "auditor": ask.cluster.account_token("auditor", "auditor"),
        "narrow": ask.cluster.account_token("auditor", "auditor-narrow"),
        "billing": ask.cluster.account_token("billing", "app"),
        "etl": ask.cluster.account_token("etl", "app"),
        "clerk": ask.cluster.token("clerk@meadowbrook.example"),
        "intake": ask.cluster.token("ann", ["meadowbrook:intake"]),
    }
    seen = set()
    for token in people.values():
        for kind in ask.cluster.store.kinds:
            if "list" not in kind.verbs or kind.resource not in {
                "pods",
                "secrets",
                "nodes",
                "roles",
                "deployments",
                "gateways",
            }:
                continue
            root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
            for place in ("", "billing", "intake") if kind.namespaced else ("",):
                path = f"{root}/namespaces/{place}/{kind.resource}" if place else f"{root}/{kind.resource}"
                status = ask(path, token=token).status
                assert status in {200, 403}
                told = forecast(ask, token, verb="list", group=kind.group, resource=kind.resource, namespace=place)
                assert told == (status == 200)
                seen.add(told)
    assert seen == {True, False}


def test_an_answer_may_be_made_to_contradict_its_forecast(ask: Asker) -> None:
    token = ask.cluster.admin_token()
    ask.cluster.trouble(Trouble("deny", verb="list", resource="pods"))
    assert forecast(ask, token, verb="list", resource="pods")
    assert ask("/api/v1/pods", token=token).body["reason"] == "Forbidden"


def test_someone_else_is_reviewed_by_who_may_ask(ask: Asker) -> None:
    ask.cluster.put(binding("ops", "ClusterRole/cluster-admin", "Group/ops"))
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    posted = {"spec": {"user": "ann", "groups": ["ops"], "nonResourceAttributes": {"verb": "get", "path": "/metrics"}}}
    status = ask(path, body=posted).body["status"]
    assert status["allowed"] is True
    assert 'ClusterRoleBinding "ops"' in status["reason"]
    assert ask(path, body=posted, token=ask.cluster.token("bob")).status == 403


def test_a_name_in_a_path_may_be_escaped(ask: Asker) -> None:
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    assert ask(f"{path}/system%3Adiscovery").body["metadata"]["name"] == "system:discovery"


def test_nothing_is_written_over_http_even_by_who_may(ask: Asker) -> None:
    before = ask.cluster.store.version
    assert ask("/api/v1/namespaces", body={"metadata": {"name": "new"}}).status == 405
    assert ask.cluster.store.version == before


def test_a_kubeconfig_names_server_authority_and_token(cluster: ClusterApi, tmp_path: Path) -> None:
    token = cluster.account_token("auditor", "auditor")
    path = cluster.kubeconfig(tmp_path / "config", token=token)
    told = json.loads(path.read_text())
    assert path.stat().st_mode & 0o077 == 0
    assert told["clusters"][0]["cluster"]["server"] == cluster.url
    assert told["users"][0]["user"] == {"token": token}
    kept = cluster.kubeconfig(tmp_path / "other", token_file=tmp_path / "token")
    assert json.loads(kept.read_text())["users"][0]["user"] == {"tokenFile": str(tmp_path / "token")}
