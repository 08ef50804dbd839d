"""A cluster between its runs: what it tells is marked, only that is asked again, and a listing stays the only truth."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditor.bootstrap import Work, follow, plan
from auditor.collectors.kubernetes import resource_types
from auditor.collectors.kubernetes._permissions import roles
from auditor.collectors.kubernetes._requests import parts, path_of
from auditor.domain.bundle import Asked
from auditor.domain.errors import TenancyError
from auditor.domain.ports import Claim, Queue, RunState
from auditor.domain.resource_type import ResourceType
from auditor.proof.bundle import verify
from auditor.proof.report import VERIFIED
from auditor.simulators.kubernetes_api import ClusterApi
from auditor.simulators.kubernetes_faults import Trouble
from auditor.simulators.kubernetes_objects import Document
from auditor.simulators.kubernetes_workloads import container, pod_spec
from auditor.worker.watcher import Watcher
from tests.fixtures.database import Provisioned
from tests.fixtures.spine import DAY
from tests.integration.test_bundle import create, notarise, unpack
from tests.integration.test_cluster_source import PRIVILEGED, World, deployed, signed_in, world

ONE, TWO = "shop/Pod/one", "shop/Pod/two"
BY_NAME = ("list", "/api/v1/namespaces/{namespace}/pods/{name}")
ALL_PODS = ("list", "/api/v1/pods")
SETTLED = timedelta(seconds=16)


def until(true: Callable[[], object], what: str) -> None:
    """Wait for what other threads bring about; how long is no part of any claim."""
    give_up = time.monotonic() + 30
    while not true():
        assert time.monotonic() < give_up, what
        time.sleep(0.02)


def bare_pod(name: str, *, privileged: bool = False) -> Document:
    spec = pod_spec(container("main", "registry.example/web:1", security={"privileged": privileged}))
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"}, "spec": spec}


@contextmanager
def watched(made: World, *, kinds: int = 20) -> Iterator[Watcher]:
    """A watcher in a thread, once it hears most of the cluster."""
    watcher = Watcher(
        made.here.claims,
        partial(follow, made.here),
        made.clock,
        every=0.02,
        look_every=0.1,
        lease_for=30 * DAY.total_seconds(),
    )
    stop = threading.Event()
    thread = threading.Thread(target=watcher.run, args=(stop,), daemon=True)
    thread.start()
    try:
        until(lambda: states(made).count("watching") >= kinds, "the cluster is not watched")
        yield watcher
    finally:
        stop.set()
        thread.join(10)


def states(made: World) -> list[str]:
    return [row.state for row in made.rows("SELECT state FROM watched ORDER BY stream")]


def marked(made: World) -> set[tuple[str, str]]:
    return {(row.resource_type, row.native_id) for row in made.rows("SELECT * FROM dirty")}


def runs(made: World) -> list[RunState]:
    with made.here.open_tenant(made.tenant) as books:
        return list(reversed(books.runs(made.source.id)))


def refresh(made: World, *marks: tuple[str, str]) -> dict[tuple[str, str], int]:
    """Wait for just these marks, look at them, and give what the cluster was asked but for watches."""
    until(lambda: marked(made) == set(marks), f"not marked: {marks}")
    made.api.reset_counts()
    made.clock.forward(SETTLED)
    made.work.plan_due()
    made.drive()
    [*_, last] = runs(made)
    assert (last.refresh, last.state) == (True, "done")
    assert last.counts["listed"] == sum(last.counts[name] for name in ("judged", "held", "excluded")), last.counts
    return {asked: n for asked, n in made.api.counts().items() if asked[0] != "watch"}


@pytest.fixture
def api() -> Iterator[ClusterApi]:
    with ClusterApi() as running:
        running.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        deployed(running)
        running.put(bare_pod("one"))
        running.put(bare_pod("two"))
        yield running


@pytest.fixture
def shop(api: ClusterApi, provisioned: Provisioned, tmp_path: Path) -> Iterator[World]:
    """A cluster that was looked at once."""
    with looked_at(provisioned, api, tmp_path, api.admin_token()) as made:
        yield made


@contextmanager
def looked_at(provisioned: Provisioned, api: ClusterApi, home: Path, token: str) -> Iterator[World]:
    """A world after its first run, let go of at the end: whoever watches, watches for all organisations of a database."""
    with world(provisioned, api, home, token) as made:
        assert made.run().state == "done"
        yield made
        with made.here.open_tenant(made.tenant) as books, suppress(TenancyError):
            books.disconnect(made.source.id, by="test", reason="over", now=made.clock())


def test_a_change_becomes_a_finding_without_a_run_over_everything_and_that_object_alone_is_asked(shop: World) -> None:
    before = shop.rows("SELECT * FROM coverage_span ORDER BY resource_type")
    with watched(shop):
        shop.api.put(bare_pod("one", privileged=True))
        assert refresh(shop, ("kubernetes.pod", ONE)) == {BY_NAME: 1}
    assert shop.findings(PRIVILEGED)[ONE][0] == "fail"
    assert shop.findings(PRIVILEGED)[TWO][0] == "pass"
    assert [one for one in shop.told() if one[1:] == (PRIVILEGED, ONE)] == [("finding.opened", PRIVILEGED, ONE)]
    looked = {row.resource_type: row.last_at for row in before}
    pods = shop.rows("SELECT * FROM coverage_span WHERE resource_type = 'kubernetes.pod'")
    assert [(row.last_at, row.listed) for row in pods] == [(looked["kubernetes.pod"], pods[0].listed)]
    assert marked(shop) == set()


def test_what_is_new_is_asked_by_name_and_what_went_ends_by_a_listing_of_its_kind_alone(shop: World) -> None:
    with watched(shop):
        shop.api.put(bare_pod("three", privileged=True))
        assert refresh(shop, ("kubernetes.pod", "shop/Pod/three")) == {BY_NAME: 1}
        assert shop.findings(PRIVILEGED)["shop/Pod/three"][0] == "fail"
        shop.api.delete("Pod", "three", namespace="shop")
        shop.api.put(bare_pod("one", privileged=True))
        asked = refresh(shop, ("kubernetes.pod", ""))
    assert asked == {ALL_PODS: 1}, "who lists a kind need ask for none of it by name"
    assert shop.spans(PRIVILEGED, "shop/Pod/three") == ["fail", "absent"]
    assert shop.findings(PRIVILEGED)[ONE][0] == "fail"
    assert shop.run().state == "done", "a run over everything reconciles afterwards"


def test_a_namespace_that_goes_with_all_in_it_costs_a_listing_of_each_kind(shop: World) -> None:
    shop.api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gone"}})
    shop.api.put({**bare_pod("stray"), "metadata": {"name": "stray", "namespace": "gone"}})
    shop.run()
    with watched(shop):
        shop.api.delete("Namespace", "gone")
        asked = refresh(shop, ("kubernetes.pod", ""), ("kubernetes.namespace", ""))
    assert asked == {ALL_PODS: 1, ("list", "/api/v1/namespaces"): 1}
    assert shop.spans(PRIVILEGED, "gone/Pod/stray")[-1] == "absent"


def test_of_a_kind_in_which_much_changed_all_is_listed(shop: World) -> None:
    for number in range(60):
        shop.api.put(bare_pod(f"many-{number:02}"))
    shop.run()
    with watched(shop):
        for number in range(60):
            shop.api.put(bare_pod(f"many-{number:02}", privileged=True))
        until(lambda: shop.rows("SELECT count(*) AS n FROM dirty")[0].n > 0, "nothing is marked")
        time.sleep(0.5)  # for the rest of them: more than fifty, or their kind
        shop.api.reset_counts()
        shop.clock.forward(SETTLED)
        shop.work.plan_due()
        shop.drive()
    listed = {asked: n for asked, n in shop.api.counts().items() if asked[0] != "watch"}
    assert listed == {ALL_PODS: 1}
    failing = [name for name, (state, _) in shop.findings(PRIVILEGED).items() if state == "fail"]
    assert len(failing) == 60


def test_the_first_of_its_kind_is_listed_so_that_the_line_about_none_goes(shop: World) -> None:
    kind = "kubernetes.cron_job"
    job = {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": {"spec": bare_pod("x")["spec"]}}}}
    with watched(shop):
        about = {"name": "nightly", "namespace": "shop"}
        shop.api.put({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": about, "spec": job})
        asked = refresh(shop, (kind, "shop/CronJob/nightly"))
    assert asked == {("list", "/apis/batch/v1/cronjobs"): 1}
    assert shop.findings(PRIVILEGED)["shop/CronJob/nightly"][0] == "pass"


def test_a_watch_that_was_cut_goes_on_from_where_it_was_and_nothing_is_asked_twice(shop: World) -> None:
    shop.api.trouble(Trouble("cut_body", verb="watch", resource="pods", times=1))
    with watched(shop):
        shop.api.put(bare_pod("one", privileged=True))  # its event is the last of this connection
        assert refresh(shop, ("kubernetes.pod", ONE)) == {BY_NAME: 1}
        shop.api.put(bare_pod("two", privileged=True))
        assert refresh(shop, ("kubernetes.pod", TWO)) == {BY_NAME: 1}
    assert shop.spans(PRIVILEGED, ONE) == shop.spans(PRIVILEGED, TWO) == ["pass", "fail"]


def test_a_watch_that_is_too_old_lists_its_kind_anew_and_goes_on_from_there(shop: World) -> None:
    shop.api.put(bare_pod("one", privileged=True))  # while nobody watches, and soon forgotten
    shop.api.trouble(Trouble("expire", verb="watch", resource="pods", times=1))
    with watched(shop):
        assert refresh(shop, ("kubernetes.pod", "")) == {ALL_PODS: 1}
        assert shop.findings(PRIVILEGED)[ONE][0] == "fail"
        until(lambda: stands(shop, "core/v1:pods")[0] == "watching", "it is not watched again")
        shop.api.put(bare_pod("two", privileged=True))
        assert refresh(shop, ("kubernetes.pod", TWO)) == {BY_NAME: 1}


def stands(made: World, stream: str) -> tuple[str, str]:
    [row] = made.rows("SELECT state, detail FROM watched WHERE stream = :stream", stream=stream)
    return row.state, row.detail


def test_what_changed_while_nobody_watched_is_heard_by_the_next_watcher(shop: World) -> None:
    with watched(shop):
        pass
    shop.api.put(bare_pod("one", privileged=True))
    with watched(shop):
        assert refresh(shop, ("kubernetes.pod", ONE)) == {BY_NAME: 1}


def test_a_run_while_nobody_watches_is_where_the_next_watch_begins(shop: World) -> None:
    shop.api.put(bare_pod("one", privileged=True))
    shop.run()
    with watched(shop):
        shop.api.put(bare_pod("two", privileged=True))
        assert refresh(shop, ("kubernetes.pod", TWO)) == {BY_NAME: 1}, "the run has seen the first"


def test_a_refresh_takes_no_run_off_the_schedule_and_is_no_measure_of_one(shop: World) -> None:
    def kept() -> tuple[Any, ...]:
        with shop.here.open_tenant(shop.tenant) as books:
            costs = books.costs(shop.source.id)
        return shop.rows("SELECT due_at FROM schedule"), costs

    before = kept()
    with watched(shop):
        shop.api.put(bare_pod("one", privileged=True))
        refresh(shop, ("kubernetes.pod", ONE))
    assert kept() == before
    first, second = runs(shop)
    assert (first.baseline, second.baseline) == (True, False)


def test_while_a_run_is_under_way_marks_wait_for_its_end(shop: World) -> None:
    with watched(shop):
        shop.api.put(bare_pod("one", privileged=True))
        until(lambda: marked(shop), "nothing is marked")
        shop.clock.forward(DAY)
        shop.work.plan_due()  # the schedule, and the marks behind it
        assert [one.refresh for one in runs(shop)] == [False, False]
        assert marked(shop) == {("kubernetes.pod", ONE)}
        shop.drive()
        shop.clock.forward(SETTLED)
        shop.work.plan_due()
    assert [one.refresh for one in runs(shop)] == [False, False, True]


def test_what_was_seen_by_name_is_not_called_gone_by_a_listing_that_began_before_it_was_there(shop: World) -> None:
    """The listing shows no third pod; it is created and asked for by name; only then is the listing kept."""
    workshop = shop.work._workshop
    with watched(shop):
        shop.api.put(bare_pod("three", privileged=True))
        until(lambda: marked(shop), "nothing is marked")
        shop.clock.forward(SETTLED)
        shop.work.plan_due()
        [by_name] = shop.here.claims.lease("collect", now=shop.clock(), limit=5, lease_for=60)
        shop.api.delete("Pod", "three", namespace="shop")
        with shop.here.open_tenant(shop.tenant) as books:
            planned = plan(books, shop.source.id, slot=shop.clock() + DAY, now=shop.clock())
        [everything] = shop.here.claims.lease("collect", now=shop.clock(), limit=5, lease_for=60)
        real = workshop.connect

        def between(source: Any, manners: Any) -> Any:
            return Between(real(source, manners), lambda: kept_by_name(shop, by_name))

        replace(workshop, connect=between).collect(everything)
        assert shop.rows("SELECT 1 FROM resource WHERE native_id = 'shop/Pod/three'")
        shop.drive()
        with shop.here.open_tenant(shop.tenant) as books:
            assert books.run(planned).state == "done"
    assert shop.findings(PRIVILEGED)["shop/Pod/three"][0] == "fail"


def test_what_was_seen_by_name_and_then_called_gone_does_not_come_back(shop: World) -> None:
    """A pod answers by name; then it goes, and a listing says so; only then is the answer kept."""
    with watched(shop):
        shop.api.put(bare_pod("one", privileged=True))
        until(lambda: marked(shop), "nothing is marked")
        shop.clock.forward(SETTLED)
        shop.work.plan_due()
        [by_name] = shop.here.claims.lease("collect", now=shop.clock(), limit=5, lease_for=60)

        def gone() -> None:
            shop.clock.forward(timedelta(seconds=1))
            shop.api.delete("Pod", "one", namespace="shop")
            with shop.here.open_tenant(shop.tenant) as books:
                plan(books, shop.source.id, slot=shop.clock() + DAY, now=shop.clock())
            [everything] = shop.here.claims.lease("collect", now=shop.clock(), limit=5, lease_for=60)
            shop.work.collect(everything)

        workshop = shop.work._workshop
        replace(workshop, objects=Slow(workshop.objects, gone)).collect(by_name)
        shop.drive()
    assert {one.state for one in runs(shop)} == {"done"}
    assert shop.spans(PRIVILEGED, ONE) == ["pass", "absent"]
    assert shop.run().state == "done"
    assert shop.spans(PRIVILEGED, ONE) == ["pass", "absent"]


class Slow:
    """Objects that let something happen before evidence is put."""

    def __init__(self, objects: Any, then: Callable[[], None]) -> None:
        self._objects = objects
        self._then = then

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

    def put_many(self, *given: Any) -> Any:
        self._then()
        return self._objects.put_many(*given)


class Between:
    """A caller that lets something happen once pods were listed."""

    def __init__(self, caller: Any, then: Callable[[], None]) -> None:
        self._caller = caller
        self._then = then

    def __getattr__(self, name: str) -> Any:
        return getattr(self._caller, name)

    def pages(self, operation: str, params: Any, **more: Any) -> Iterator[Any]:
        yield from self._caller.pages(operation, params, **more)
        if operation == "core/v1:pods":
            self._then()


def kept_by_name(made: World, claim: Any) -> None:
    made.api.put(bare_pod("three", privileged=True))
    made.clock.forward(timedelta(seconds=1))
    made.work.collect(claim)


def listing_only(api: ClusterApi) -> str:
    """A token of an account with every right of our role but to watch."""
    role = yaml.safe_load(roles(one for one in resource_types() if isinstance(one, ResourceType)))
    for rule in role["rules"]:
        rule["verbs"] = [verb for verb in rule["verbs"] if verb != "watch"]
    return bound(api, role)


def bound(api: ClusterApi, role: Document) -> str:
    api.put({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "auditor", "namespace": "shop"}})
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
            "subjects": [{"kind": "ServiceAccount", "name": "auditor", "namespace": "shop"}],
        }
    )
    return api.account_token("shop", "auditor")


def test_an_account_that_may_not_watch_is_looked_at_as_before(
    api: ClusterApi, provisioned: Provisioned, tmp_path: Path
) -> None:
    with looked_at(provisioned, api, tmp_path, listing_only(api)) as made:
        with watched(made, kinds=0):
            until(lambda: "refused" in states(made), "the refusal is not told")
            until(lambda: set(states(made)) == {"refused"}, "some are watched all the same")
        assert stands(made, "core/v1:pods") == ("refused", "Forbidden watch pods")
        assert made.run().state == "done"


def test_the_role_that_we_print_is_what_watching_needs(
    api: ClusterApi, provisioned: Provisioned, tmp_path: Path
) -> None:
    role = yaml.safe_load(roles(one for one in resource_types() if isinstance(one, ResourceType)))
    with looked_at(provisioned, api, tmp_path, bound(api, role)) as made:
        api.reset_counts()
        with watched(made):
            until(lambda: set(states(made)) == {"watching"}, "something is refused")
            asked = {path for verb, path in api.counts() if verb == "watch"}
            api.put(bare_pod("one", privileged=True))
            assert refresh(made, ("kubernetes.pod", ONE)) == {BY_NAME: 1}
        assert made.findings(PRIVILEGED)[ONE][0] == "fail"
        there = {row.resource_type for row in made.rows("SELECT resource_type FROM coverage_span WHERE state = 'ok'")}
    operations = {
        kind.listing.operation: kind.name
        for kind in resource_types()
        if isinstance(kind, ResourceType) and kind.listing is not None and kind.listing.watched
    }
    assert asked == {path_of(one) for one, name in operations.items() if name in there}, "all that this cluster has"
    granted = {
        (group, plural)
        for rule in role["rules"]
        if "watch" in rule["verbs"]
        for group in rule["apiGroups"]
        for plural in rule["resources"]
    }
    assert granted == {(group, plural) for group, _, plural in map(parts, operations)}
    assert ("", "secrets") not in granted


def test_of_an_object_nothing_but_its_name_is_kept_by_a_watch(shop: World) -> None:
    with watched(shop):
        pod = bare_pod("one")
        pod["metadata"]["annotations"] = {"note": "canary-7f3a"}
        shop.api.put(pod)
        until(lambda: marked(shop), "nothing is marked")
    told = [str(tuple(row)) for table in ("dirty", "watched") for row in shop.rows(f"SELECT * FROM {table}")]
    assert told
    assert not [one for one in told if "canary" in one]


def test_two_organisations_that_watch_one_cluster_mark_it_each_for_itself(
    api: ClusterApi, provisioned: Provisioned, tmp_path: Path
) -> None:
    token = api.admin_token()
    with (
        looked_at(provisioned, api, tmp_path, token) as mine,
        looked_at(provisioned, api, tmp_path, token) as theirs,
    ):
        api.put(bare_pod("one", privileged=True))
        with watched(mine):  # one process watches for both
            until(lambda: marked(mine) and marked(theirs), "not marked for both")
        rows = mine.rows("SELECT tenant_id FROM dirty") + mine.rows("SELECT tenant_id FROM watched")
        assert {row.tenant_id for row in rows} == {mine.tenant}
        foreign = mine.rows("DELETE FROM dirty WHERE tenant_id = :other RETURNING 1", other=theirs.tenant)
        assert foreign == []
        assert marked(theirs) == {("kubernetes.pod", ONE)}


def test_a_source_that_is_disconnected_is_watched_no_more(shop: World) -> None:
    with watched(shop):
        shop.api.put(bare_pod("one", privileged=True))
        until(lambda: marked(shop), "nothing is marked")
        with shop.here.open_tenant(shop.tenant) as books:
            books.disconnect(shop.source.id, by="somebody", reason="moved", now=shop.clock())
        shop.api.put(bare_pod("two", privileged=True))
        shop.clock.forward(SETTLED)
        shop.work.plan_due()
        assert not [one for one in runs(shop) if one.refresh]
    assert (marked(shop), states(shop)) == (set(), [])


def test_what_stopped_being_derived_stays_gone(shop: World) -> None:
    """A pod that becomes one of a deployment's is no line of its own any more; no later look brings it back."""
    with watched(shop):
        [replicas] = shop.api.store.documents("ReplicaSet", namespace="shop")
        pod = bare_pod("one", privileged=True)
        about = {"kind": "ReplicaSet", "apiVersion": "apps/v1", "controller": True}
        pod["metadata"]["ownerReferences"] = [{**about, **{n: replicas["metadata"][n] for n in ("name", "uid")}}]
        shop.api.put(pod)
        assert refresh(shop, ("kubernetes.pod", ONE)) == {BY_NAME: 1}
        assert shop.spans(PRIVILEGED, ONE) == ["pass", "absent"]
        shop.api.put(bare_pod("two", privileged=True))
        refresh(shop, ("kubernetes.pod", TWO))
    shop.run()
    shop.run()
    assert shop.spans(PRIVILEGED, ONE) == ["pass", "absent"]


def test_a_change_of_nothing_that_is_kept_is_neither_judged_nor_joined(shop: World) -> None:
    with watched(shop):
        spans = shop.rows("SELECT count(*) AS n FROM finding_span")[0].n
        pod = bare_pod("one")
        pod["metadata"]["annotations"] = {"checked-at": "noon"}
        shop.api.put(pod)
        until(lambda: marked(shop) == {("kubernetes.pod", ONE)}, "not marked")
        shop.clock.forward(SETTLED)
        shop.work.plan_due()
        [claim] = shop.here.claims.lease("collect", now=shop.clock(), limit=5, lease_for=60)
        shop.work.collect(claim)
        [*_, last] = runs(shop)
        assert (last.refresh, last.state, last.counts) == (True, "done", {})
    assert shop.rows("SELECT count(*) AS n FROM finding_span")[0].n == spans
    assert shop.rows("SELECT 1 FROM work WHERE queue IN ('collect', 'assess')") == []
    assert shop.run().state == "done"


def test_what_could_not_be_looked_at_stays_marked_and_says_nothing_about_the_rest(shop: World) -> None:
    with watched(shop):
        shop.api.put(bare_pod("one", privileged=True))
        until(lambda: marked(shop) == {("kubernetes.pod", ONE)}, "not marked")
    shop.clock.forward(SETTLED)
    shop.work.plan_due()
    shop.api.trouble(Trouble("cut"))
    with ThreadPoolExecutor(4) as pool:
        shop.work = Work(shop.here, pool)  # one that has not been let in yet
        for _ in range(5):
            shop.drive()
            shop.clock.forward(timedelta(minutes=15))
        [*_, last] = runs(shop)
        assert (last.refresh, last.state) == (True, "partial")
        assert marked(shop) == {("kubernetes.pod", ONE)}
        assert shop.rows("SELECT 1 FROM coverage_span WHERE state = 'error'") == []
        shop.api.clear_troubles()
        shop.work.plan_due()
        shop.drive()
    assert shop.findings(PRIVILEGED)[ONE][0] == "fail"


def test_one_that_may_not_be_asked_by_name_is_listed_with_its_kind_which_says_why(shop: World) -> None:
    with watched(shop):
        shop.api.put(bare_pod("one", privileged=True))
        until(lambda: marked(shop), "not marked")
        shop.api.trouble(Trouble("deny", verb="list", resource="pods"))
        shop.clock.forward(SETTLED)
        shop.work.plan_due()
        shop.drive()
    [look] = shop.rows(
        "SELECT state, detail FROM coverage_span WHERE resource_type = 'kubernetes.pod' AND valid_to > '9000-01-01'"
    )
    assert (look.state, look.detail) == ("denied", "Forbidden list pods")
    [*_, last] = runs(shop)
    assert (last.refresh, last.state) == (True, "done")
    assert shop.spans(PRIVILEGED, ONE) == ["pass"], "nobody could look, so nothing turned"


def test_the_page_of_a_source_says_what_is_fresh_by_watch_and_what_by_run(shop: World) -> None:
    client = signed_in(shop)
    page = f"/sources/{shop.source.id}"
    assert "Run only: nobody watches this cluster" in client.get(page).text
    shop.api.trouble(Trouble("deny", verb="watch", resource="pods"))
    with watched(shop):
        until(lambda: set(states(shop)) == {"watching", "refused"}, "not all is told")
        told = client.get(page).text
        assert f"Watch: what changes in {len(states(shop)) - 1} kinds of objects" in told
        assert "core/v1:pods: refused (Forbidden watch pods)" in told
        shop.api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}})
        until(lambda: marked(shop), "nothing is marked")
        assert "1 is waiting for that" in client.get(page).text
    assert "nobody watches" in client.get(page).text, "who stops watching lets go at once"


@dataclass(frozen=True)
class Handing:
    """A world as those see it who hand out bundles."""

    here: Any
    work: Any
    clock: Any
    tenant: Any

    def lease(self, queue: Queue) -> tuple[Claim, ...]:
        leased: tuple[Claim, ...] = self.here.claims.lease(queue, now=self.clock(), limit=50, lease_for=60)
        return leased


def test_a_bundle_over_a_time_with_refreshes_is_verified(shop: World, tmp_path: Path) -> None:
    handing: Any = Handing(shop.here, shop.work, shop.clock, shop.tenant)
    begins = shop.clock() - timedelta(hours=1)
    with watched(shop):
        for name in ("three", "four"):
            shop.api.put(bare_pod(name, privileged=True))
            refresh(shop, ("kubernetes.pod", f"shop/Pod/{name}"))
            notarise(handing)
        shop.api.delete("Pod", "three", namespace="shop")
        refresh(shop, ("kubernetes.pod", ""))
    notarise(handing)
    shop.clock.forward(timedelta(hours=1))
    ends = shop.clock() - timedelta(minutes=1)
    bundle = create(handing, Asked(("hipaa", "soc2"), begins, ends))
    (tmp_path / "unpacked").mkdir()
    report = verify(unpack(handing, bundle, tmp_path / "unpacked"))
    assert (report.outcome, report.what) == (VERIFIED, "")
    assert report.figures["runs"]["done"] == 4, "the one over everything, and three refreshes"
