"""A cluster as a source: planned, looked at, judged, remembered and told like an account, over TLS and PostgreSQL."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient

from auditor.bootstrap import CLUSTER_TOKEN, Installation, Work, ask_permissions, plan
from auditor.cli import main
from auditor.cli.clusters import identified
from auditor.cli.connect import add_user
from auditor.collectors.kubernetes._sources import eks_arn, expiry
from auditor.domain.errors import CollectionError, TenancyError
from auditor.domain.ports import Queue, RunState
from auditor.domain.scope import Rule, Scope
from auditor.domain.source import ClusterAccess, Source
from auditor.settings import Settings
from auditor.simulators.cluster_company import AUDITOR, NARROW, build
from auditor.simulators.kubernetes_api import ClusterApi
from auditor.simulators.kubernetes_workloads import container, pod_spec, roll_out, run
from auditor.store.reads import posture, requirements
from auditor.trust.passwords import Passwords
from dashboard.wiring import application
from tests.fixtures.database import Provisioned
from tests.fixtures.spine import DAY, LEASE, Days

AT = datetime(2026, 10, 1, 6, tzinfo=UTC)
PRIVILEGED = "k8s.pod.not_privileged"
WEB = "shop/Deployment/web"
PASSWORD = "correct horse battery"


@dataclass
class World:
    """A tenant with one cluster, and a hand that plays the broker."""

    here: Installation
    work: Work
    api: ClusterApi
    clock: Days
    tenant: UUID
    source: Source

    def drive(self) -> None:
        duties: dict[Queue, Callable[[Any], Any]] = {
            "collect": self.work.collect,
            "assess": self.work.assess,
            "notify": self.work.deliver,
        }
        while True:
            claims = [
                (duty, claim)
                for queue, duty in duties.items()
                for claim in self.here.claims.lease(queue, now=self.clock(), limit=50, lease_for=LEASE)
            ]
            if not claims:
                return
            for duty, claim in claims:
                duty(claim)

    def run(self) -> RunState:
        """One pass a day later, to its end."""
        self.clock.forward(DAY)
        at = self.clock()
        with self.here.open_tenant(self.tenant) as books:
            planned = plan(books, self.source.id, slot=at, now=at)
        self.drive()
        with self.here.open_tenant(self.tenant) as books:
            return books.run(planned)

    def rows(self, sql: str, **values: Any) -> list[Any]:
        from sqlalchemy import text

        with self.here.app.under(self.tenant) as connection:
            return list(connection.execute(text(sql), values))

    def findings(self, check: str) -> dict[str, tuple[str, str]]:
        """State and reason by resource."""
        sql = (
            "SELECT r.native_id, f.state, f.reason FROM finding f JOIN resource r USING (tenant_id, resource_id) "
            "WHERE check_id = :check AND f.state <> 'absent'"
        )
        return {row.native_id: (row.state, row.reason) for row in self.rows(sql, check=check)}

    def spans(self, check: str, resource: str) -> list[str]:
        sql = (
            "SELECT s.state FROM finding_span s JOIN finding f USING (tenant_id, finding_id) "
            "JOIN resource r USING (tenant_id, resource_id) WHERE f.check_id = :check AND r.native_id = :resource ORDER BY seq"
        )
        return [row.state for row in self.rows(sql, check=check, resource=resource)]

    def told(self) -> list[tuple[str, str, str]]:
        rows = self.rows("SELECT type, data FROM outbox ORDER BY at, event_id")
        return [(row.type, row.data.get("check", ""), row.data.get("resource", "")) for row in rows]


def settings(provisioned: Provisioned, home: Path) -> Settings:
    return Settings(
        home=home,
        database_url=provisioned.app_url,
        claim_database_url=provisioned.claims_url,
        ledger_database_url=provisioned.ledger_url,
        base_url="https://auditor.example",
        egress_allow="127.0.0.0/8",
    )


@contextmanager
def world(provisioned: Provisioned, api: ClusterApi, home: Path, token: str) -> Iterator[World]:
    """A fresh tenant whose one source is this cluster, asked with this token and never looked at."""
    clock = Days(AT)
    with Installation.open(settings(provisioned, home), clock=clock) as here, ThreadPoolExecutor(8) as pool:
        tenant = uuid4()
        here.identities.add_tenant(tenant, slug=f"t{tenant.hex}", name="Tests", now=clock())
        access = ClusterAccess("", url=api.url, authority=api.authority)
        asked = Source(tenant, tenant, "kubernetes", "shop", "shop", "", access=access)
        source, _ = identified(here, asked, token)
        with here.open_tenant(tenant) as books:
            books.add_source(source, Scope(), regions=(), every=DAY.total_seconds(), now=clock())
        yield World(here, Work(here, pool), api, clock, tenant, source)


def deployed(api: ClusterApi, *, privileged: bool = False, tag: str = "1.4.0") -> None:
    """The deployment ``web`` as it stands after a rollout: the replica set and pods of before are gone."""
    for kind in ("Pod", "ReplicaSet"):
        for one in api.store.documents(kind, namespace="shop"):
            api.delete(kind, one["metadata"]["name"], namespace="shop")
    security = {"privileged": True} if privileged else {"privileged": False, "runAsNonRoot": True}
    run(api, "Deployment", "shop", "web", pod_spec(container("web", f"registry.example/web:{tag}", security=security)))


@pytest.fixture
def api() -> Iterator[ClusterApi]:
    with ClusterApi() as running:
        running.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        deployed(running)
        yield running


@pytest.fixture
def shop(api: ClusterApi, provisioned: Provisioned, tmp_path: Path) -> Iterator[World]:
    with world(provisioned, api, tmp_path, api.admin_token()) as made:
        yield made


def test_a_run_over_a_cluster_reconciles(provisioned: Provisioned, tmp_path: Path) -> None:
    with ClusterApi() as api:
        build(api)
        with world(provisioned, api, tmp_path, api.account_token(*AUDITOR)) as made:
            state = made.run()
            assert (state.state, state.baseline) == ("done", True)
            counts = state.counts
            assert counts["listed"] == counts["judged"], counts
            asked = {check.id for check in made.here.library.about("kubernetes").checks}
            told = {row.check_id for row in made.rows("SELECT DISTINCT check_id FROM finding")}
            assert told == asked, "every check of a cluster leaves a line, and no check of an account does"
            assert made.run().counts["listed"] == counts["listed"]


def test_a_privileged_container_opens_one_finding_on_its_deployment_and_closes_it(shop: World) -> None:
    shop.run()
    assert shop.findings(PRIVILEGED)[WEB][0] == "pass"
    deployed(shop.api, privileged=True)
    shop.run()
    state, reason = shop.findings(PRIVILEGED)[WEB]
    assert (state, reason) == ("fail", "Deployment shop/web runs privileged containers: web")
    assert {name for name in shop.findings(PRIVILEGED) if name.startswith("shop/")} == {WEB}, "no line for a pod"
    deployed(shop.api)
    shop.run()
    assert shop.spans(PRIVILEGED, WEB) == ["pass", "fail", "pass"]
    told = [one for one in shop.told() if one[1:] == (PRIVILEGED, WEB)]
    assert [type_ for type_, _, _ in told] == ["finding.opened", "finding.resolved"]


def test_a_rollout_is_no_drift(shop: World) -> None:
    shop.run()
    before = shop.rows("SELECT count(*) AS n FROM finding_span")[0].n
    pods = {one["metadata"]["name"] for one in shop.api.store.documents("Pod", namespace="shop")}
    roll_out(shop.api, "shop", "web", "registry.example/web:1.5.0")
    assert not pods & {one["metadata"]["name"] for one in shop.api.store.documents("Pod", namespace="shop")}
    shop.run()
    assert shop.rows("SELECT count(*) AS n FROM finding_span")[0].n == before
    assert [one for one in shop.told() if one[0].startswith("finding.")] == []


def test_a_workload_out_of_scope_is_excluded_and_not_judged(shop: World) -> None:
    shop.run()
    with shop.here.open_tenant(shop.tenant) as books:
        rule = Rule(resources=("shop/*",))
        books.change_scope(
            shop.source.id,
            Scope(without=rule),
            by="ana",
            reason="it is a sandbox",
            now=shop.clock(),
            tell=lambda _: None,
        )
    state = shop.run()
    assert state.state == "done"
    assert shop.findings(PRIVILEGED)[WEB][0] == "excluded"


def test_an_account_that_may_list_pods_but_no_roles_is_judged_as_far_as_it_sees(
    provisioned: Provisioned, tmp_path: Path
) -> None:
    with ClusterApi() as api:
        build(api)
        with world(provisioned, api, tmp_path, api.account_token(*NARROW)) as made:
            state = made.run()
            assert state.state == "done"
            assert made.findings(PRIVILEGED)["portal/Deployment/patient-portal"][0] == "pass"
            cluster = f"/Cluster/{made.source.account}"
            state_of, reason = made.findings("k8s.rbac.no_wildcards")[cluster]
            assert state_of == "unknown"
            assert "list clusterroles.rbac.authorization.k8s.io" in reason


def test_a_test_of_permissions_names_verb_and_resource(provisioned: Provisioned, tmp_path: Path) -> None:
    with ClusterApi() as api:
        build(api)
        with world(provisioned, api, tmp_path, api.account_token(*NARROW)) as made:
            caller = made.here.caller(made.source, threads=2)
            api.reset_counts()
            with ThreadPoolExecutor(4) as pool:
                tried = ask_permissions(caller, made.here.library, Scope(), (), pool=pool, kind="kubernetes")
            assert [verb for verb, _ in api.counts() if verb == "list"] == [], "nothing is listed for it"
        answers = {one.action: one.answer for one in tried}
        assert answers["list pods"] == "allowed"
        assert answers["list clusterroles.rbac.authorization.k8s.io"] == "denied"
        assert {one.region for one in tried} == {"cluster"}


def test_what_is_not_connected_leaves_no_requirement_undetermined(shop: World) -> None:
    shop.run()
    with shop.here.app.reading(shop.tenant) as conn:
        told = posture.posture(conn, shop.here.library, shop.clock())
        view = requirements.framework(conn, shop.here.library, "hipaa", shop.clock())
    checks = {check for framework in told.frameworks for check in framework.checks}
    assert checks
    assert all(check.startswith("k8s.") for check in checks)
    assert view is not None
    assert view.standing.unseen == ()


def test_checks_of_both_providers_are_counted_beside_a_requirement_whatever_is_connected(shop: World) -> None:
    with shop.here.app.reading(shop.tenant) as conn:
        view = requirements.framework(conn, shop.here.library, "hipaa", shop.clock())
    assert view is not None
    risks = next(clause for clause in view.clauses if clause.requirement.id == "164.308(a)(1)(ii)(B)")
    asked = [check.id for check in shop.here.library.checks if risks.requirement.id in check.requirements("hipaa")]
    clusters = sum(id_.startswith("k8s.") for id_ in asked)
    assert risks.checks == {"aws": len(asked) - clusters, "kubernetes": clusters}
    assert min(risks.checks.values()) > 0
    row = re.search(
        r"<code>164\.308\(a\)\(1\)\(ii\)\(B\)</code>.*?</tr>", signed_in(shop).get("/frameworks/hipaa").text, re.DOTALL
    )
    assert row is not None
    assert f'<td class="number muted">{clusters}</td>' in row[0]


def test_a_token_is_kept_sealed_and_renewed(shop: World) -> None:
    row = shop.rows("SELECT * FROM source")[0]
    assert row.access["url"] == shop.api.url
    sealed = bytes(row.secret_sealed)
    assert shop.source.secret_sealed == sealed
    assert shop.here.keyring.open(shop.tenant, CLUSTER_TOKEN, sealed).decode() in shop.api.identities._known
    ends = datetime(2026, 12, 1, tzinfo=UTC)
    renewed, _ = identified(shop.here, shop.source, shop.api.admin_token())
    assert (renewed.id, renewed.account) == (shop.source.id, shop.source.account), "the same cluster is the same source"
    assert renewed.access is not None
    assert renewed.secret_sealed is not None
    access = replace(renewed.access, expires_at=ends)
    with shop.here.open_tenant(shop.tenant) as books:
        books.renew_secret(shop.source.id, access, renewed.secret_sealed, by="tests", now=shop.clock())
        kept = books.source(shop.source.id)
    assert kept.access == access
    assert kept.secret_sealed == renewed.secret_sealed


def test_another_cluster_at_the_same_address_is_refused(shop: World) -> None:
    other = replace(shop.source, access=replace(shop.source.access, uid="another"))  # type: ignore[type-var]
    with pytest.raises(CollectionError, match="another cluster"):
        shop.here.caller(other, threads=1)


def test_an_address_in_a_network_that_nobody_allowed_is_not_asked(
    api: ClusterApi, provisioned: Provisioned, tmp_path: Path
) -> None:
    closed = settings(provisioned, tmp_path).model_copy(update={"egress_allow": ""})
    access = ClusterAccess("", url=api.url, authority=api.authority)
    asked = Source(uuid4(), uuid4(), "kubernetes", "shop", "shop", "", access=access)
    with Installation.open(closed, clock=Days(AT)) as here:
        api.reset_counts()
        with pytest.raises(CollectionError, match="not a public address"):
            identified(here, asked, api.admin_token())
    assert not api.counts()


def test_a_cluster_is_connected_once(shop: World) -> None:
    with (
        shop.here.open_tenant(shop.tenant) as books,
        pytest.raises(TenancyError, match=r"cluster .* is connected already"),
    ):
        books.add_source(shop.source, Scope(), regions=(), every=60.0, now=shop.clock())


def test_the_end_of_a_token_is_read_where_it_says_one() -> None:
    def token(claims: bytes) -> str:
        return f"e30.{urlsafe_b64encode(claims).decode().rstrip('=')}.sig"

    ends = datetime(2026, 12, 1, tzinfo=UTC)
    assert expiry(token(json.dumps({"exp": int(ends.timestamp())}).encode())) == ends
    for silent in ("opaque", token(b"{}"), token(b"no json"), token(b'{"exp": "never"}'), token(b"[1]"), "a.%.c"):
        assert expiry(silent) is None


def signed_in(made: World) -> FlaskClient:
    """Somebody of the tenant, in front of the pages."""
    email = f"ana-{made.tenant.hex}@example.org"
    hashed = Passwords().hash(PASSWORD)
    add_user(made.here, slug=f"t{made.tenant.hex}", email=email, name="Ana", role="owner", password_hash=hashed)
    client = application(made.here).test_client()
    token = client.get("/sign-in").text.partition('name="form_token" value="')[2].partition('"')[0]
    answer = client.post("/sign-in", data={"form_token": token, "email": email, "password": PASSWORD})
    assert answer.status_code == 303
    return client


def test_pages_speak_of_a_cluster(shop: World) -> None:
    shop.run()
    ends = replace(shop.source.access, expires_at=shop.clock() + 3 * DAY)  # type: ignore[type-var]
    with shop.here.open_tenant(shop.tenant) as books:
        assert shop.source.secret_sealed is not None
        books.renew_secret(shop.source.id, ends, shop.source.secret_sealed, by="tests", now=shop.clock())  # type: ignore[arg-type]
    client = signed_in(shop)
    source = client.get(f"/sources/{shop.source.id}").text
    assert "Cluster" in source
    assert shop.source.account in source
    assert "f-regions" not in source, "a cluster has none to leave out"
    assert "partition" not in source
    assert f"a token, at {shop.api.url}" in source
    assert "The token ends" in source
    assert "auditor source token" in source
    assert "Regions looked at" not in source
    assert "Kubernetes" in client.get("/sources").text
    sql = "SELECT finding_id FROM finding f JOIN resource r USING (tenant_id, resource_id) WHERE check_id = :c AND native_id = :r"
    roll_out(shop.api, "shop", "web", "registry.example/web:1.5.0")
    shop.run()
    finding = shop.rows(sql, c=PRIVILEGED, r=WEB)[0].finding_id
    page = client.get(f"/findings/{finding}").text
    assert "<dt>Region</dt><dd>cluster</dd>" in page
    pods = {f"shop/Pod/{one['metadata']['name']}" for one in shop.api.store.documents("Pod", namespace="shop")}
    assert len(pods) == 2
    assert all(f"<code>{pod}</code>" in page for pod in pods), (
        "the pods that are there now, not those of the first look"
    )
    for path in (
        "/",
        "/findings",
        "/coverage",
        "/drift",
        f"/sources/{shop.source.id}/permissions",
        "/frameworks/hipaa",
    ):
        answer = client.get(path)
        assert answer.status_code == 200, path


@pytest.fixture
def configured(provisioned: Provisioned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    wanted = settings(provisioned, tmp_path)
    monkeypatch.setenv("AUDITOR_HOME", str(tmp_path))
    monkeypatch.setenv("AUDITOR_DATABASE_URL", provisioned.app_url)
    monkeypatch.setenv("AUDITOR_CLAIM_DATABASE_URL", provisioned.claims_url)
    monkeypatch.setenv("AUDITOR_EGRESS_ALLOW", wanted.egress_allow)
    with Installation.open(wanted) as here:
        at = here.clock()
        here.identities.add_tenant(uuid4(), slug=tmp_path.name, name="Tests", demo=False, now=at)
    return wanted


@pytest.mark.usefixtures("configured")
def test_an_operator_connects_tests_and_lists_a_cluster(
    api: ClusterApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ca, token = tmp_path / "ca.pem", tmp_path / "token"
    ca.write_text(api.authority)
    token.write_text(api.admin_token() + "\n")
    here = ["--tenant", tmp_path.name]
    by_address = ["--url", api.url, "--ca", str(ca), "--token-file", str(token)]
    add = ["source", "add", "kubernetes", *here, "--name"]
    assert main([*add, "shop", *by_address]) == 0
    assert "asked as admin" in capsys.readouterr().out
    config = api.kubeconfig(tmp_path / "kubeconfig")
    assert main([*add, "again", "--kubeconfig", str(config)]) == 2, "the same cluster by another way in"
    assert "is connected already" in capsys.readouterr().err
    assert main(["source", "test", *here, "--source", "shop"]) == 0
    assert "list pods" not in capsys.readouterr().out, "what is allowed is not listed one by one"
    token.write_text(api.token("nobody"))
    assert main(["source", "token", *here, "--source", "shop", "--token-file", str(token)]) == 2
    assert "which cluster this is cannot be told" in capsys.readouterr().err
    token.write_text(api.admin_token())
    assert main(["source", "token", *here, "--source", "shop", "--token-file", str(token)]) == 0
    assert main(["source", "list", *here]) == 0
    assert "shop" in capsys.readouterr().out


def test_a_cluster_of_eks_is_known_by_the_name_that_its_account_lists(api: ClusterApi, tmp_path: Path) -> None:
    arn = "arn:aws:eks:eu-central-1:123456789012:cluster/shop"
    config = api.kubeconfig(tmp_path / "kubeconfig")
    assert eks_arn(config, None) is None
    told = json.loads(config.read_text())
    told["clusters"][0]["name"] = told["contexts"][0]["context"]["cluster"] = arn
    config.write_text(json.dumps(told))
    assert eks_arn(config, None) == arn
