from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from auditor.domain.errors import StaleFenceError, TenancyError
from auditor.domain.evidence import Collection, Evidence, Exclusion, Held, Known
from auditor.domain.finding import Refresh
from auditor.domain.ports import Claim, Claims, Objects, Queue, Store, TenantStore
from auditor.domain.scope import Scope
from auditor.domain.source import JOIN, Source
from auditor.proof.canonical import canonical
from auditor.store.claims import PostgresClaims
from auditor.store.database import Database
from auditor.store.identity import Identities
from auditor.store.memory import MemoryObjects
from auditor.store.tenant_store import PostgresStore
from tests.fixtures.database import NOW
from tests.fixtures.world import BUCKET, CHECK, a_source, brought, look, seen, turn

HOUR = timedelta(hours=1)


class World:
    """One tenant with one source in one region, over either implementation."""

    def __init__(self, store: Store, claims: Claims, objects: Objects, tenant: UUID, app: Database) -> None:
        self.store, self.claims, self.objects, self.tenant, self.app = store, claims, objects, tenant, app
        self.source = a_source(tenant)
        with store.open(tenant) as rows:
            rows.add_source(self.source, Scope(), regions=["eu-central-1"], every=86_400, now=NOW)

    def plan(self, *, hours: float = 0) -> UUID:
        at = NOW + hours * HOUR
        with self.store.open(self.tenant) as rows:
            return rows.plan(self.source.id, slot=at, now=at, regions=["eu-central-1"])

    def lease(self, queue: Queue, *, hours: float = 0) -> tuple[Claim, ...]:
        leased = self.claims.lease(queue, now=NOW + hours * HOUR, limit=500, lease_for=600)
        return tuple(claim for claim in leased if claim.tenant == self.tenant)

    def claim_of(self, place: str, claims: Sequence[Claim]) -> Claim:
        with self.store.open(self.tenant) as rows:
            return next(claim for claim in claims if rows.unit(claim).place == place)

    def preserved(self, collection: Collection) -> Mapping[str, str]:
        return {
            one.digest: self.objects.put(self.tenant, one.digest, canonical(one.body)) for one in collection.evidence
        }

    def keep(self, claim: Claim, collection: Collection, *, hours: float = 0) -> None:
        addresses = self.preserved(collection)
        with self.store.open(self.tenant) as rows:
            rows.keep(rows.unit(claim), collection, addresses, now=NOW + hours * HOUR)


@pytest.fixture
def world(app_database: Database, claims_database: Database) -> World:
    tenant, objects = uuid4(), MemoryObjects()
    Identities(app_database).add_tenant(tenant, slug=str(tenant), name="T", now=NOW)
    return World(
        PostgresStore(app_database, objects, evaluator="auditor test"),
        PostgresClaims(claims_database),
        objects,
        tenant,
        app_database,
    )


def evidence(rows: TenantStore, source: UUID, place: str | None, kind: str = BUCKET) -> tuple[Evidence, ...]:
    """What stands, with its content."""
    standing = rows.standing(source, place, [kind])
    contents = rows.contents(row.digest for row in standing)
    return tuple(row.of(contents[row.digest]) for row in standing)


def test_a_source_comes_back_as_it_was_connected(world: World) -> None:
    with world.store.open(world.tenant) as rows:
        assert rows.sources() == (world.source,)
        assert rows.source(world.source.id) == world.source
        assert rows.scope(world.source.id) == Scope()
        assert rows.regions(world.source.id) == ("eu-central-1",)


def test_an_account_is_connected_once(world: World) -> None:
    again = a_source(world.tenant, account=world.source.account)
    with pytest.raises(TenancyError, match="connected already"), world.store.open(world.tenant) as rows:
        rows.add_source(again, Scope(), regions=[], every=60, now=NOW)


def test_a_source_of_another_tenant_is_not_there(world: World) -> None:
    other: Source = a_source(uuid4())
    with pytest.raises(TenancyError), world.store.open(world.tenant) as rows:
        rows.add_source(other, Scope(), regions=[], every=60, now=NOW)
    with pytest.raises(TenancyError), world.store.open(world.tenant) as rows:
        rows.source(other.id)
    with pytest.raises(TenancyError), world.store.open(world.tenant) as rows:
        rows.run(uuid4())


def test_planning_the_same_slot_twice_plans_once(world: World) -> None:
    run = world.plan()
    assert world.plan() == run
    assert len(world.lease("collect")) == 2
    with world.store.open(world.tenant) as rows:
        state = rows.run(run)
    assert (state.state, state.baseline, sum(state.units.values())) == ("running", True, 3)


def test_only_the_first_run_of_a_source_is_its_baseline(world: World) -> None:
    world.plan()
    with world.store.open(world.tenant) as rows:
        assert not rows.run(rows.plan(world.source.id, slot=NOW + HOUR, now=NOW, regions=[])).baseline


def test_kept_evidence_comes_back_with_its_content_and_the_unit_is_handed_on(world: World) -> None:
    world.plan()
    claim = world.claim_of("global", world.lease("collect"))
    bucket = seen("b", NOW, content={"Name": "b", "Größe": [1, 2.5, None, {"$unseen": "denied"}]})
    world.keep(claim, brought([bucket], [look(NOW)], NOW))
    [handed] = world.lease("assess")
    assert (handed.id, handed.fence) == (claim.id, claim.fence + 1)
    with world.store.open(world.tenant) as rows:
        unit = rows.unit(handed)
        assert rows.attempts(unit) == 1
        assert evidence(rows, world.source.id, unit.place) == (bucket,)
        assert evidence(rows, world.source.id, "eu-central-1") == ()
        assert evidence(rows, world.source.id, None, "aws.rds.instance") == ()
        assert rows.coverage(world.source.id, place="global") == (look(NOW),)
        assert rows.coverage(world.source.id, place="eu-central-1") == ()


def test_keeping_twice_is_refused_by_the_fence(world: World) -> None:
    world.plan()
    claim = world.claim_of("global", world.lease("collect"))
    collection = brought([seen("b", NOW)], [look(NOW)], NOW)
    world.keep(claim, collection)
    with pytest.raises(StaleFenceError):
        world.keep(claim, collection)


@pytest.mark.parametrize(("state", "left"), [("ok", ["b"]), ("denied", ["b", "gone"])])
def test_only_a_complete_listing_ends_what_it_no_longer_shows(world: World, state: str, left: list[str]) -> None:
    world.plan()
    claim = world.claim_of("global", world.lease("collect"))
    world.keep(claim, brought([seen("b", NOW), seen("gone", NOW)], [look(NOW)], NOW))
    world.plan(hours=24)
    claim = world.claim_of("global", [c for c in world.lease("collect", hours=24) if c.id != claim.id][-2:])
    later = NOW + 24 * HOUR
    world.keep(claim, brought([seen("b", later)], [look(later, state=state)], later), hours=24)  # type: ignore[arg-type]
    with world.store.open(world.tenant) as rows:
        known = evidence(rows, world.source.id, "global")
    assert [one.native_id for one in known] == left
    assert known[0].collected_at == (later if state == "ok" else NOW), "what stands is as fresh as the last good look"


def test_an_answer_older_than_the_known_one_is_not_taken(world: World) -> None:
    world.plan()
    claims = world.lease("collect")
    newer, older = seen("b", NOW + HOUR, content={"n": 2}), seen("b", NOW, content={"n": 1})
    world.keep(world.claim_of("global", claims), brought([newer], [look(NOW + HOUR)], NOW))
    [handed] = world.lease("assess")
    region = next(claim for claim in claims if claim.id != handed.id)
    world.keep(region, brought([older], [], NOW, place="eu-central-1"))
    with world.store.open(world.tenant) as rows:
        assert evidence(rows, world.source.id, None) == (newer,)


def looked(world: World, hours: float, *, held: Sequence[Held] = (), **told: Any) -> None:
    """One more run's look at the global place, so many hours later."""
    world.plan(hours=hours)
    later = NOW + hours * HOUR
    [claim] = [claim for claim in world.lease("collect", hours=hours) if is_global(world, claim)][-1:]
    brings = brought(told.get("evidence", ()), [look(told.get("at", later))], later)
    world.keep(claim, replace(brings, held=tuple(held), excluded=tuple(told.get("excluded", ()))), hours=hours)


def is_global(world: World, claim: Claim) -> bool:
    with world.store.open(world.tenant) as rows:
        return rows.unit(claim).place == "global"


def named(native_id: str) -> Held:
    return Held(BUCKET, native_id, "eu-central-1", seen(native_id, NOW).digest)


def versions(world: World, table: str) -> set[tuple[str, str]]:
    with world.app.under(world.tenant) as connection:
        sql = f"SELECT ctid::text, xmin::text FROM {table}"
        return {(row[0], row[1]) for row in connection.execute(text(sql))}


def test_what_stands_is_known_by_its_digests(world: World) -> None:
    listed = replace(seen("b", NOW), listed_digest="l" * 64)
    looked(world, 0, evidence=[listed])
    with world.store.open(world.tenant) as rows:
        assert rows.known(world.source.id, "global", [BUCKET]) == {(BUCKET, "b"): Known(listed.digest, "l" * 64)}
        assert rows.known(world.source.id, "eu-central-1", [BUCKET]) == {}
        assert rows.known(world.source.id, "global", ["aws.rds.instance"]) == {}


def test_what_is_seen_again_as_it_was_writes_nothing_but_is_fresh(world: World) -> None:
    looked(world, 0, evidence=[seen("read", NOW), seen("held", NOW)])
    before = {table: versions(world, table) for table in ("resource", "evidence", "evidence_span", "exclusion")}
    looked(world, 24, evidence=[seen("read", NOW + 24 * HOUR)], held=[named("held")])
    assert {table: versions(world, table) for table in before} == before
    with world.store.open(world.tenant) as rows:
        assert {one.collected_at for one in evidence(rows, world.source.id, None)} == {NOW + 24 * HOUR}


def test_a_listing_told_otherwise_is_known_though_the_content_is_the_same(world: World) -> None:
    looked(world, 0, evidence=[replace(seen("b", NOW), listed_digest="l" * 64)])
    looked(world, 24, evidence=[replace(seen("b", NOW + 24 * HOUR), listed_digest="m" * 64)])
    with world.store.open(world.tenant) as rows:
        assert rows.known(world.source.id, "global", [BUCKET])[BUCKET, "b"].listed_digest == "m" * 64
        assert len(rows.standing(world.source.id, None, [BUCKET])) == 1


def test_an_object_that_lies_already_needs_no_address(world: World) -> None:
    looked(world, 0, evidence=[seen("b", NOW, content={"n": 1})])
    world.plan(hours=24)
    later = NOW + 24 * HOUR
    [claim] = [one for one in world.lease("collect", hours=24) if is_global(world, one)][-1:]
    twin = brought([seen(name, later, content={"n": 1}) for name in ("b", "twin")], [look(later)], later)
    with world.store.open(world.tenant) as rows:
        rows.keep(rows.unit(claim), twin, {}, now=later)
        assert len(rows.standing(world.source.id, None, [BUCKET])) == 2


def test_an_older_look_neither_overwrites_a_newer_one_nor_calls_anything_gone(world: World) -> None:
    looked(world, 0, evidence=[seen("b", NOW), seen("c", NOW)])
    looked(world, 48, held=[named("b"), named("c")])
    older = NOW + 47 * HOUR
    looked(world, 49, evidence=[seen("b", older, content={"n": 1})], at=older)
    with world.store.open(world.tenant) as rows:
        standing = rows.standing(world.source.id, None, [BUCKET])
    assert [(one.native_id, one.digest) for one in standing] == [("b", named("b").digest), ("c", named("c").digest)]


def test_a_newer_look_is_taken_though_it_read_before_the_last_one_ended(world: World) -> None:
    looked(world, 0, evidence=[seen("b", NOW)])
    looked(world, 24, held=[named("b")])
    changed = seen("b", NOW + 23.9 * HOUR, content={"n": 2})
    looked(world, 24.1, evidence=[changed])
    with world.store.open(world.tenant) as rows:
        assert [one.digest for one in rows.standing(world.source.id, None, [BUCKET])] == [changed.digest]


def test_what_is_listed_as_before_stands_again_though_another_run_called_it_gone(world: World) -> None:
    looked(world, 0, evidence=[seen("b", NOW)])
    looked(world, 24)
    looked(world, 25, held=[named("b")])
    with world.store.open(world.tenant) as rows:
        [one] = rows.standing(world.source.id, None, [BUCKET])
    assert (one.digest, one.operations) == (named("b").digest, ("s3:list_buckets",))


def test_a_unit_to_be_looked_at_again_keeps_what_it_saw_and_its_attempts(world: World) -> None:
    world.plan()
    claim = world.claim_of("global", world.lease("collect"))
    brings = brought([seen("b", NOW)], [look(NOW, state="throttled")], NOW)
    with world.store.open(world.tenant) as rows:
        rows.keep(rows.unit(claim), brings, world.preserved(brings), now=NOW, again_at=NOW + HOUR)
    assert world.lease("assess") == ()
    assert world.lease("collect") == ()
    again = world.claim_of("global", world.lease("collect", hours=1))
    assert again.id == claim.id
    with world.store.open(world.tenant) as rows:
        assert rows.attempts(rows.unit(again)) == 2
        assert len(rows.standing(world.source.id, "global", [BUCKET])) == 1


def out(native_id: str, reason: str) -> Exclusion:
    return Exclusion(BUCKET, native_id, "eu-central-1", reason)


def test_exclusions_open_with_their_rule_and_close_when_the_resource_is_in_again(world: World) -> None:
    key = (BUCKET, "b")
    looked(world, 0, evidence=[seen("b", NOW)], excluded=[out("b", "excluded by tag: env=dev")])
    with world.store.open(world.tenant) as rows:
        assert rows.exclusions(world.source.id, "global") == {key: "excluded by tag: env=dev (scope version 1)"}
        assert rows.exclusions(world.source.id, "eu-central-1") == {}
    before = versions(world, "exclusion")
    looked(world, 24, held=[named("b")], excluded=[out("b", "excluded by tag: env=dev")])
    assert versions(world, "exclusion") == before
    looked(world, 25, held=[named("b")], excluded=[out("b", "excluded by id: *")])
    with world.store.open(world.tenant) as rows:
        assert rows.exclusions(world.source.id, None) == {key: "excluded by id: * (scope version 1)"}
    looked(world, 26, held=[named("b")])
    with world.store.open(world.tenant) as rows:
        assert rows.exclusions(world.source.id, None) == {}
    assert len(versions(world, "exclusion")) == 2


def test_an_exclusion_ends_with_its_resource(world: World) -> None:
    looked(world, 0, evidence=[seen("b", NOW)], excluded=[out("b", "excluded by id: b")])
    looked(world, 24)
    with world.store.open(world.tenant) as rows:
        assert rows.exclusions(world.source.id, None) == {}


def test_what_derived_types_were_built_from_is_remembered(world: World) -> None:
    through(world, give_up=False)
    [join] = world.lease("assess")
    with world.store.open(world.tenant) as rows:
        unit = rows.unit(join)
        rows.keep_joined(unit, {"aws.account": "1", "aws.region": "1"})
        rows.keep_joined(unit, {"aws.account": "2"})
        assert rows.joined(world.source.id) == {"aws.account": "2", "aws.region": "1"}
    other = PostgresStore(world.app, world.objects, evaluator="auditor later")
    with other.open(world.tenant) as rows:
        assert rows.joined(world.source.id) == {}


def test_a_derived_document_is_kept_whatever_the_clock_of_its_join_says(world: World) -> None:
    through(world, give_up=False)
    [join] = world.lease("assess")
    changed = seen("1", NOW - HOUR, kind="aws.account", content={"document": 2})
    with world.store.open(world.tenant) as rows:
        unit = rows.unit(join)
        for one in (seen("1", NOW, kind="aws.account", content={"document": 1}), changed):
            derived = brought([one], [look(NOW, kind="aws.account")], NOW, place=JOIN)
            rows.keep_derived(unit, derived, world.preserved(derived), now=NOW)
        assert [one.digest for one in rows.standing(world.source.id, None, ["aws.account"])] == [changed.digest]


def through(world: World, *, give_up: bool) -> UUID:
    """A run through both places, the region given up or not, up to where join is due."""
    run = world.plan()
    for claim in world.lease("collect"):
        with world.store.open(world.tenant) as rows:
            unit = rows.unit(claim)
            if give_up and unit.place != "global":
                rows.give_up(unit, "Timeout ec2:DescribeVpcs", now=NOW, resource_types=["aws.ec2.vpc"])
        if not give_up or unit.place == "global":
            world.keep(claim, brought([], [look(NOW, place=unit.place)], NOW, place=unit.place))
    for claim in world.lease("assess"):
        with world.store.open(world.tenant) as rows:
            assert not rows.finish(rows.unit(claim), {"listed": 2, "judged": 2, "pass": 2}, now=NOW)
    return run


def test_join_is_due_when_every_other_place_is_done_and_ends_the_run(world: World) -> None:
    run = through(world, give_up=False)
    [join] = world.lease("assess")
    with world.store.open(world.tenant) as rows:
        unit = rows.unit(join)
        assert unit.place == JOIN
        derived = brought([seen("1", NOW, kind="aws.account")], [look(NOW, kind="aws.account")], NOW, place=JOIN)
        rows.keep_derived(unit, derived, world.preserved(derived), now=NOW)
        assert evidence(rows, world.source.id, None, "aws.account") == derived.evidence
        assert rows.finish(unit, {"listed": 1, "judged": 0, "excluded": 1}, now=NOW + HOUR)
    with world.store.open(world.tenant) as rows:
        state = rows.run(run)
    assert (state.state, state.finished_at, state.units) == ("done", NOW + HOUR, {"done": 3})
    assert state.counts == {"listed": 5, "judged": 4, "pass": 4, "excluded": 1}


def test_a_place_given_up_does_not_hold_the_run_and_leaves_its_gap(world: World) -> None:
    run = through(world, give_up=True)
    [join] = world.lease("assess")
    with world.store.open(world.tenant) as rows:
        assert rows.finish(rows.unit(join), {}, now=NOW)
        assert rows.run(run).state == "partial"
        [gap] = rows.coverage(world.source.id, place="eu-central-1")
    assert (gap.state, gap.resource_type, gap.detail) == ("error", "aws.ec2.vpc", "Timeout ec2:DescribeVpcs")


def test_counts_that_lost_a_verdict_fail_loudly(world: World) -> None:
    world.plan()
    claim = world.lease("collect")[0]
    with pytest.raises(RuntimeError, match="listed"), world.store.open(world.tenant) as rows:
        rows.finish(rows.unit(claim), {"listed": 3, "judged": 2}, now=NOW)


def test_a_finished_unit_cannot_be_finished_again(world: World) -> None:
    world.plan()
    claim = world.lease("collect")[0]
    with world.store.open(world.tenant) as rows:
        unit = rows.unit(claim)
        rows.finish(unit, {}, now=NOW)
    for step in ("unit", "finish"):
        with pytest.raises(StaleFenceError), world.store.open(world.tenant) as rows:
            rows.unit(claim) if step == "unit" else rows.finish(unit, {}, now=NOW)


def test_a_unit_given_back_is_due_again_under_a_new_fence(world: World) -> None:
    world.plan()
    first = world.claim_of("global", world.lease("collect"))
    with world.store.open(world.tenant) as rows:
        rows.retry(rows.unit(first), due_at=NOW + timedelta(minutes=1))
    assert world.lease("collect") == ()
    [second] = world.lease("collect", hours=1 / 60)
    assert (second.id, second.fence) == (first.id, first.fence + 1)
    with pytest.raises(StaleFenceError), world.store.open(world.tenant) as rows:
        rows.unit(first)
    with world.store.open(world.tenant) as rows:
        assert rows.attempts(rows.unit(second)) == 2


def test_turns_become_findings_that_know_their_place_and_whether_they_are_open(world: World) -> None:
    world.plan()
    claim = world.claim_of("global", world.lease("collect"))
    with world.store.open(world.tenant) as rows:
        unit = rows.unit(claim)
        rows.apply(unit, [turn("b", "fail", NOW), turn("c", "pass", NOW)], [], now=NOW)
        rows.touch(
            world.source.id,
            [
                Refresh(CHECK, "c", "still encrypted", NOW + HOUR, "e" * 64, "k" * 64),
                Refresh(CHECK, "nobody", "", None, "", ""),
            ],
        )
    with world.store.open(world.tenant) as rows:
        known = rows.current(world.source.id, place="global", resource_types=[BUCKET])
        assert rows.current(world.source.id, place="eu-central-1", resource_types=[BUCKET]) == {}
        assert rows.current(world.source.id, place=None, resource_types=[]) == {}
    assert set(known) == {(CHECK, "b"), (CHECK, "c")}
    b, c = known[CHECK, "b"], known[CHECK, "c"]
    assert (b.state, b.open, b.span_seq, b.since, b.evaluator) == ("fail", True, 1, NOW, "auditor test")
    assert (c.state, c.open, c.span_seq, c.since) == ("pass", False, 1, NOW)
    assert (c.reason, c.turns_at) == ("still encrypted", NOW + HOUR)
    assert (c.document_digest, c.judged_digest) == ("e" * 64, "k" * 64)


def test_an_error_leaves_nothing_behind(world: World) -> None:
    def plan_and_fail() -> None:
        with world.store.open(world.tenant) as rows:
            rows.plan(world.source.id, slot=NOW, now=NOW, regions=[])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        plan_and_fail()
    assert world.lease("collect") == ()


def test_nothing_due_is_nothing_leased(world: World) -> None:
    assert world.lease("assess") == ()
    world.plan()
    assert world.claims.due("collect", now=NOW)
