"""Namespaces of a connected cluster: which are audited, what leaves with a rule, and accounts that may list in some alone."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from auditor.bootstrap import ask_permissions
from auditor.cli import main
from auditor.domain.scope import Rule, Scope
from auditor.settings import Settings
from auditor.simulators.kubernetes_api import ClusterApi
from auditor.simulators.kubernetes_objects import binding, ingress, role, rule
from auditor.simulators.kubernetes_workloads import container, pod_spec, run
from tests.fixtures.database import Provisioned
from tests.integration.test_cluster_source import PRIVILEGED, World, configured, signed_in, world

__all__ = ["configured"]
WEB, JOB = "shop/Deployment/web", "sandbox/Deployment/job"
CERTIFICATE = "k8s.certificate.not_expiring"
NAMED = ("shop",)


def deployed(api: ClusterApi, namespace: str, name: str) -> None:
    api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    spec = pod_spec(container(name, f"registry.example/{name}:1", security={"privileged": True}))
    run(api, "Deployment", namespace, name, spec)


@pytest.fixture
def api() -> Iterator[ClusterApi]:
    with ClusterApi() as running:
        deployed(running, "shop", "web")
        deployed(running, "sandbox", "job")
        yield running


@pytest.fixture
def shop(api: ClusterApi, provisioned: Provisioned, tmp_path: Path) -> Iterator[World]:
    with world(provisioned, api, tmp_path, api.admin_token()) as made:
        yield made


def scoped(made: World, **rule: Any) -> Any:
    return made.here.change_scope(made.tenant, made.source.id, Scope(**rule), by="ana", reason="no patient data there")


def states(made: World, check: str = PRIVILEGED) -> dict[str, str]:
    return {name: state for name, (state, _) in made.findings(check).items()}


def test_a_namespace_out_of_scope_leaves_at_once_and_stays_out_in_the_next_run(shop: World) -> None:
    shop.api.put(ingress("sandbox", "front", ["front.example"], ["front.example"]))
    shop.run()
    assert (states(shop)[WEB], states(shop)[JOB]) == ("fail", "fail")
    change = scoped(shop, without=Rule(namespaces=("sand*",)))
    assert {turn.resource for turn in change.turns} >= {JOB, "sandbox/Secret/front-tls", "/Namespace/sandbox"}
    assert {
        turn.resource for turn in change.turns if not turn.resource.startswith(("sandbox/", "/Namespace/"))
    } == set()
    for _ in range(2):
        assert (states(shop)[WEB], states(shop)[JOB]) == ("fail", "excluded")
        assert states(shop, CERTIFICATE)["sandbox/Secret/front-tls"] == "excluded", "what is joined goes with it"
        reason = shop.findings(PRIVILEGED)[JOB][1]
        assert reason == "excluded by namespace: sand* (scope version 2)"
        state = shop.run()
        assert state.counts["listed"] == state.counts["judged"] + state.counts["held"] + state.counts["excluded"]
    scoped(shop)
    shop.run()
    assert states(shop)[JOB] == "fail", "what comes back is judged again"


def test_what_appears_in_a_namespace_out_of_scope_is_told_as_excluded(shop: World) -> None:
    shop.run()
    scoped(shop, namespaces=NAMED)
    deployed(shop.api, "sandbox", "second")
    shop.run()
    state, reason = shop.findings(PRIVILEGED)["sandbox/Deployment/second"]
    assert (state, reason) == ("excluded", "not among the namespaces in scope: shop (scope version 2)")
    assert states(shop, "k8s.rbac.no_wildcards")["/ClusterRole/cluster-admin"] not in {"excluded", "unknown"}


def test_an_account_that_may_list_in_one_namespace_alone_is_asked_there(
    api: ClusterApi, provisioned: Provisioned, tmp_path: Path
) -> None:
    api.put(role("reads", rule("list", "*", groups="*"), place="shop"))
    api.put(binding("reads", "Role/reads", "User/narrow", place="shop"))
    api.put(role("names", rule("list", "namespaces")))
    api.put(binding("names", "ClusterRole/names", "User/narrow"))
    with world(provisioned, api, tmp_path, api.admin_token()) as made:
        made.run()
        scoped(made, namespaces=NAMED)
        sealed = made.here.keyring.seal(made.tenant, "cluster token", api.token("narrow").encode())
        with made.here.open_tenant(made.tenant) as books:
            assert made.source.access is not None
            books.renew_secret(made.source.id, made.source.access, sealed, by="tests", now=made.clock())
            source = books.source(made.source.id)
        made.api.reset_counts()
        made.run()
        inside = "/api/v1/namespaces/{namespace}/pods"
        assert (made.api.counts()["list", "/api/v1/pods"], made.api.counts()["list", inside]) == (1, 1)
        assert states(made)[WEB] == "fail"
        assert states(made)[JOB] == "excluded", "where nobody may look nothing is called gone"
        (look,) = made.rows(
            "SELECT state, within FROM coverage_span WHERE resource_type = 'kubernetes.pod' AND valid_to > '9000-01-01'"
        )
        assert (look.state, look.within) == ("ok", ["shop"])
        assert states(made, "k8s.node.ready").keys() == {f"/Cluster/{made.source.account}"}
        caller = made.here.caller(source, threads=2)
        with ThreadPoolExecutor(4) as pool:
            scope = Scope(namespaces=NAMED)
            tried = ask_permissions(caller, made.here.library, scope, (), pool=pool, kind="kubernetes")
        answers = {one.action: one.answer for one in tried}
        assert answers["list pods in shop"] == "allowed"
        assert "list pods" not in answers
        assert answers["list nodes"] == "denied"


def test_the_page_previews_and_tells_a_rule_over_namespaces(shop: World) -> None:
    shop.run()
    client = signed_in(shop)
    path = f"/sources/{shop.source.id}"
    assert "f-without_namespaces" in client.get(path).text
    told = client.get(path, query_string={"preview": "1", "without_namespaces": "sandbox"}).text
    assert "Of these failing" in told
    wrong = client.get(path, query_string={"preview": "1", "namespaces": "shopp"}).text
    assert "The cluster has no namespace shopp" in wrong
    scoped(shop, namespaces=NAMED)
    assert "Only namespaces shop" in client.get(path).text


def test_a_cluster_is_connected_with_its_namespaces_and_a_misspelt_one_is_refused(
    api: ClusterApi, configured: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del configured
    here = ["--tenant", tmp_path.name]
    config = str(api.kubeconfig(tmp_path / "kubeconfig"))
    add = ["source", "add", "kubernetes", *here, "--name", "shop", "--kubeconfig", config, "--namespace", "shop"]
    assert main(add) == 0
    capsys.readouterr()
    assert main(["scope", "show", "shop", *here]) == 0
    assert "only namespaces shop" in capsys.readouterr().out
    assert main(["scope", "set", "shop", *here, "--without-namespace", "sandbox", "--why", "a sandbox"]) == 0
    assert "without namespaces sandbox" in capsys.readouterr().out
