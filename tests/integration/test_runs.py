"""Runs that are cut, paced and cancelled, over an emulated account and PostgreSQL; the clock is moved by hand."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, text

from auditor.bootstrap import plan
from auditor.cli import main
from auditor.domain.errors import CollectionError, EvidenceError, StaleFenceError, TenancyError
from auditor.domain.ports import Claim
from auditor.domain.retention import SIX_YEARS
from auditor.domain.scope import Rule, Scope
from auditor.domain.source import Manners, Source
from auditor.pipeline.retention import shred
from auditor.simulators.aws import AwsEmulator
from auditor.simulators.faults import Fault
from auditor.worker.tasks import perform
from tests.fixtures.database import Provisioned
from tests.fixtures.spine import DAY, REGIONS, THREADS, Spine, spine

AT = datetime(2026, 10, 1, 6, tzinfo=UTC)
SERVICES = ("s3", "sqs", "sns")
BLOCKED = "s3.bucket.public_access_blocked"
HERE = "eu-central-1"
CHARTS = "arn:aws:s3:::charts"
LEASE_OVER = timedelta(seconds=61)
WAITING = "SELECT w.due_at, u.attempts FROM work w JOIN unit u ON u.unit_id = w.id WHERE w.queue = 'collect'"


@pytest.fixture(scope="module")
def started() -> Iterator[AwsEmulator]:
    with AwsEmulator() as emulator:
        yield emulator


@pytest.fixture
def world(started: AwsEmulator, provisioned: Provisioned, tmp_path: Path) -> Iterator[Spine]:
    started.reset()
    os.environ.update({k: v for k, v in started.environment().items() if k != "AWS_ENDPOINT_URL"})
    with spine(provisioned, started, tmp_path, AT, SERVICES) as made:
        with made.here.open_tenant(made.tenant) as books:
            books.set_regions(made.source.id, REGIONS, pinned=True, by="test", now=AT)
        started.client("s3").create_bucket(Bucket="charts")
        for region in REGIONS:
            started.client("sqs", region).create_queue(QueueName=f"orders-{region}")
            started.client("sns", region).create_topic(Name=f"alerts-{region}")
        yield made
        with made.here.app.under(made.tenant) as connection:
            connection.execute(text("DELETE FROM work"))  # leases cross tenants: the next test would be given ours
    for name in started.environment():
        os.environ.pop(name, None)
    started.reset()


def manners(world: Spine, **limits: Any) -> None:
    with world.here.open_tenant(world.tenant) as books:
        books.set_manners(world.source.id, Manners(**limits))


def planned(world: Spine) -> UUID:
    """As the schedule plans it."""
    with world.here.open_tenant(world.tenant) as books:
        return plan(books, world.source.id, slot=world.clock(), now=world.clock())


def cancel(world: Spine, run: UUID, why: str = "the account moves") -> bool:
    with world.here.open_tenant(world.tenant) as books:
        return books.cancel(run, by="ana", reason=why, now=world.clock())


def claim_of(world: Spine, place: str) -> Claim:
    wanted = {row.unit_id for row in world.rows("SELECT unit_id FROM unit WHERE place = :place", place=place)}
    (claim,) = [claim for claim in world.lease("collect") if claim.id in wanted]
    return claim


def units(world: Spine, run: UUID) -> dict[tuple[str, str], str]:
    rows = world.rows("SELECT place, part, state FROM unit WHERE run_id = :run", run=run)
    return {(row.place, row.part): row.state for row in rows}


def work(world: Spine, place: str) -> Any:
    sql = "SELECT w.* FROM work w JOIN unit u ON u.unit_id = w.id WHERE u.place = :place AND w.queue <> 'notify'"
    (row,) = world.rows(sql, place=place)
    return row


def looks(world: Spine, place: str) -> dict[str, str]:
    sql = "SELECT resource_type, state FROM coverage_span WHERE place = :place AND valid_to > '9000-01-01'"
    return {row.resource_type: row.state for row in world.rows(sql, place=place)}


def everything(world: Spine) -> dict[tuple[str, str], str]:
    sql = "SELECT f.check_id, r.native_id, f.state FROM finding f JOIN resource r USING (tenant_id, resource_id)"
    return {(row.check_id, row.native_id): row.state for row in world.rows(sql)}


def test_a_cancelled_run_keeps_what_was_settled_and_closes_nothing(world: Spine) -> None:
    world.run()
    before = everything(world)
    assert before[BLOCKED, CHARTS] == "fail"
    joined = world.rows("SELECT * FROM join_state ORDER BY resource_type")
    world.next_day()
    world.emulator.client("s3").delete_bucket(Bucket="charts")
    new = world.emulator.client("sqs", HERE).create_queue(QueueName="returns")["QueueUrl"]
    run = world.plan()
    claims = world.lease("collect")
    (regional,) = [
        c for c in claims if world.rows("SELECT 1 FROM unit WHERE unit_id = :i AND place = :p", i=c.id, p=HERE)
    ]
    world.work.collect(regional)
    for claim in world.lease("assess"):
        world.work.assess(claim)
    assert cancel(world, run)
    for claim in claims:
        with pytest.raises(StaleFenceError):
            world.work.collect(claim)
    world.drive()
    state = world.state(run)
    assert (state.state, state.cancelled_by, state.cancel_reason) == ("cancelled", "ana", "the account moves")
    assert state.units == {"done": 1, "cancelled": 3}, "two places, and the join"
    after = everything(world)
    assert before.items() <= after.items(), "what was not looked at stands as it was"
    assert {native_id for _, native_id in after.keys() - before.keys()} == {queue_arn(new)}, "what was settled stays"
    assert world.rows("SELECT * FROM join_state ORDER BY resource_type") == joined
    assert world.rows("SELECT 1 FROM work WHERE queue <> 'notify'") == []
    (act,) = world.rows("SELECT actor, subject, data FROM user_action WHERE action = 'run.cancel'")
    assert (act.actor, act.subject, act.data["reason"]) == ("ana", str(run), "the account moves")
    assert not cancel(world, run), "it is over"
    world.next_day()
    world.run()
    assert everything(world)[BLOCKED, CHARTS] == "absent"


def queue_arn(url: str) -> str:
    return f"arn:aws:sqs:{HERE}:123456789012:{url.rpartition('/')[2]}"


def test_a_run_that_is_over_is_not_cancelled(world: Spine) -> None:
    run = world.run()
    assert not cancel(world, run.id)
    assert world.state(run.id).state == "done"
    assert world.rows("SELECT 1 FROM user_action WHERE action = 'run.cancel'") == []


def test_after_a_cancelled_first_run_the_next_one_is_the_baseline(world: Spine) -> None:
    cancel(world, world.plan())
    world.clock.forward(timedelta(hours=1))
    run = world.run()
    assert run.baseline
    assert [kind for kind, _, _ in world.outbox()] == ["source.baseline"]


def test_who_still_looks_when_the_run_is_cancelled_stops_at_the_next_call(world: Spine) -> None:
    for number in range(25):
        world.emulator.client("s3").create_bucket(Bucket=f"more-{number}")
    run = world.plan()
    claim = claim_of(world, "global")
    world.emulator.latency(0.3)
    world.emulator.reset_counts()
    with ThreadPoolExecutor(1) as thread:
        looking = thread.submit(
            perform, world.work, claim, lambda duties, one: duties.collect(one), lease_for={"collect": 0.9}
        )
        while sum(world.emulator.counts().values()) < 5:
            time.sleep(0.05)
        world.emulator.latency(1)  # from now on a call takes longer than it takes to hear of the end
        cancel(world, run)
        known = sum(world.emulator.counts().values())
        looking.result()
    asked = sum(world.emulator.counts().values())
    assert asked - known <= 4 * THREADS, (
        "each of those who look puts a question or two more, of ten for each of 26 buckets"
    )
    time.sleep(1.5)  # whoever waited for an answer has it by now
    world.emulator.latency(0)
    assert sum(world.emulator.counts().values()) == asked, "nobody goes on in the background"
    assert world.rows("SELECT 1 FROM evidence_span") == []


@pytest.mark.parametrize("after", [0.0, 0.3, 0.6, 0.9])
def test_a_run_cancelled_at_any_moment_leaves_no_work_and_no_half_settled_unit(world: Spine, after: float) -> None:
    run = world.plan()

    def working() -> None:
        while claims := [*world.lease("collect"), *world.lease("assess")]:
            for claim in claims:
                with suppress(StaleFenceError):
                    (world.work.collect if claim.queue == "collect" else world.work.assess)(claim)

    with ThreadPoolExecutor(3) as pool:
        crews = [pool.submit(working) for _ in range(3)]
        time.sleep(after)
        ended = cancel(world, run)
        for crew in crews:
            crew.result(30)
    state = world.state(run)
    assert state.state == "cancelled" if ended else state.state in {"done", "running"}
    if ended:
        assert set(state.units) <= {"done", "cancelled"}
        assert world.rows("SELECT 1 FROM work WHERE queue <> 'notify'") == []
        judged = "SELECT coalesce(sum((counts->>'judged')::int + (counts->>'about_place')::int), 0) FROM unit WHERE state = 'done'"
        assert world.rows("SELECT count(*) FROM finding")[0][0] == world.rows(judged)[0][0]


def test_a_throttled_listing_is_looked_at_again_later_and_nothing_else_is(world: Spine) -> None:
    world.emulator.fault(Fault("sqs:ListQueues", "throttle", region=HERE))
    run = world.plan()
    world.drive()
    assert looks(world, HERE)["aws.sqs.queue"] == "throttled"
    assert looks(world, HERE)["aws.sns.topic"] == "ok"
    waiting = work(world, HERE)
    assert waiting.queue == "collect"
    assert waiting.due_at - world.clock() > timedelta(seconds=5)
    assert world.state(run).state == "running"
    world.emulator.clear_faults()
    world.emulator.reset_counts()
    world.clock.forward(timedelta(seconds=11))
    world.drive()
    assert world.state(run).state == "done"
    assert looks(world, HERE)["aws.sqs.queue"] == "ok"
    assert {name.partition(":")[0] for name in world.emulator.counts()} <= {"sqs", "sts"}
    assert ("sqs.queue.encrypted", f"arn:aws:sqs:{HERE}:123456789012:orders-{HERE}") in everything(world)


def test_what_stays_throttled_is_said_to_be_in_the_end_and_the_run_ends(world: Spine) -> None:
    world.run()
    before = everything(world)
    world.next_day()
    world.emulator.fault(Fault("sqs:ListQueues", "throttle", region=HERE))
    run = world.plan()
    for _ in range(5):
        world.drive()
        world.clock.forward(timedelta(minutes=16))
    assert world.state(run).state == "done"
    assert looks(world, HERE)["aws.sqs.queue"] == "throttled"
    queue = ("sqs.queue.encrypted", f"arn:aws:sqs:{HERE}:123456789012:orders-{HERE}")
    assert everything(world)[queue] == before[queue], "what was known is kept, coverage lies over it"


def test_a_unit_that_only_waited_in_the_queue_was_not_tried(world: Spine) -> None:
    run = world.plan()
    for _ in range(7):
        assert len(world.lease("collect")) == 3, "leased, sent, and nobody came to it"
        world.clock.forward(LEASE_OVER)
    world.drive()
    assert world.state(run).state == "done"


def refused(_source: Source, _manners: Manners) -> Any:
    raise CollectionError("the role may not be assumed")


def test_what_was_seen_before_a_unit_is_given_up_is_not_shown_as_looked_at_since_nobody_judged_it(world: Spine) -> None:
    world.emulator.fault(Fault("sqs:ListQueues", "throttle", region=HERE))
    run = world.plan()
    world.drive()
    assert looks(world, HERE)["aws.sns.topic"] == "ok"
    world.work._workshop = replace(world.work._workshop, connect=refused)
    for _ in range(5):
        world.clock.forward(timedelta(minutes=16))
        world.drive()
    assert world.state(run).state == "partial"
    assert set(looks(world, HERE).values()) == {"error"}


def judged_here(world: Spine) -> set[str]:
    """What is shown of the looks at types that the place itself judges."""
    seen = looks(world, HERE)
    return {seen["aws.sqs.queue"], seen["aws.sns.topic"]}


def test_what_was_seen_before_a_run_was_cancelled_is_not_shown_as_looked_at_since_nobody_judged_it(
    world: Spine,
) -> None:
    world.run()
    world.next_day()
    run = world.plan()
    world.work.collect(claim_of(world, HERE))
    assert judged_here(world) == {"ok"}
    cancel(world, run)
    assert judged_here(world) == {"error"}
    assert set(looks(world, "us-east-1").values()) == {"ok"}, (
        "nobody looked there: what was judged is as old as its look"
    )
    world.next_day()
    world.run()
    assert judged_here(world) == {"ok"}


def test_what_cannot_be_judged_is_given_up_in_the_end_and_shown_as_unknown(world: Spine) -> None:
    world.run()
    world.next_day()
    world.emulator.client("sqs", HERE).create_queue(QueueName="returns")
    run = world.plan()
    for claim in world.lease("collect"):
        world.work.collect(claim)
    for path in world.here.settings.objects_dir.rglob("t/*/*/*/*"):
        path.write_bytes(b"broken")
    for _ in range(14):
        for claim in world.lease("assess"):
            with suppress(EvidenceError):
                world.work.assess(claim)
        world.clock.forward(LEASE_OVER)
    assert world.state(run).state == "partial"
    assert judged_here(world) == {"error"}
    assert looks(world, "us-east-1")["aws.sqs.queue"] == "ok"


@pytest.mark.parametrize("looked", [False, True])
def test_a_region_that_leaves_the_scope_under_way_is_not_judged_any_more(world: Spine, looked: bool) -> None:
    world.run()
    world.next_day()
    run = world.plan()
    claim = claim_of(world, HERE)
    if looked:
        world.work.collect(claim)
    out = Scope(without=Rule(regions=(HERE,)))
    world.here.change_scope(world.tenant, world.source.id, out, by="ana", reason="no data")
    told = world.outbox()
    world.clock.forward(LEASE_OVER)
    world.drive()
    assert world.state(run).state == "done"
    states = world.rows("SELECT DISTINCT state FROM finding WHERE place = :p", p=HERE)
    assert {row.state for row in states} <= {"excluded", "absent"}
    assert looks(world, HERE) == {}
    assert world.rows("SELECT 1 FROM evidence_span WHERE place = :p AND valid_to > '9000-01-01'", p=HERE) == []
    assert [one for one in world.outbox() if one not in told] == []


def test_what_is_looked_at_while_the_scope_changes_is_looked_at_again_under_the_new_one(world: Spine) -> None:
    world.run()
    world.next_day()
    world.emulator.client("s3").create_bucket(Bucket="charts-new")
    run, shop = world.plan(), world.work._workshop

    def meanwhile(source: Source, manners: Manners) -> Any:
        out = Scope(without=Rule(resources=("*:charts*",)))
        world.here.change_scope(world.tenant, source.id, out, by="ana", reason="no data")
        return shop.connect(source, manners)

    claim = claim_of(world, "global")
    world.work._workshop = replace(shop, connect=meanwhile)
    world.work.collect(claim)
    world.work._workshop = shop
    told = world.outbox()
    world.clock.forward(LEASE_OVER)
    world.drive()
    assert world.state(run).state == "done"
    assert world.findings(BLOCKED) == {CHARTS: "excluded", f"{CHARTS}-new": "excluded"}
    assert len(world.spans(BLOCKED, CHARTS)) == 2, "it left once and for all"
    assert [one for one in world.outbox() if one not in told] == []


def test_a_source_that_is_disconnected_under_way_is_asked_nothing_more(world: Spine) -> None:
    run = world.plan()
    with world.here.open_tenant(world.tenant) as books:
        books.disconnect(world.source.id, by="ana", reason="account closed", now=world.clock())
    world.emulator.reset_counts()
    world.drive()
    assert world.emulator.counts() == {}
    assert world.state(run).state == "cancelled"
    with pytest.raises(TenancyError):
        world.plan()


def test_a_list_of_runs_asks_no_more_questions_than_one_run(world: Spine) -> None:
    for _ in range(3):
        world.plan()
        world.clock.forward(LEASE_OVER)
    asked: dict[int, int] = {}
    for limit in (1, 3):
        with world.here.open_tenant(world.tenant) as books:
            questions: list[str] = []
            event.listen(books._connection, "before_cursor_execute", lambda *told, kept=questions: kept.append(told[2]))
            assert len(books.runs(limit=limit)) == limit
            asked[limit] = len(questions)
    assert asked[1] == asked[3] > 0


def erase(world: Spine, digest: str) -> None:
    here = world.here
    told: dict[str, Any] = {"period": SIX_YEARS, "now": world.clock(), "by": "ana", "why": "a name"}
    shred(here.store, here.blobs, world.tenant, digest, **told)


def digest_at(world: Spine, place: str, kind: str = "%") -> str:
    sql = """SELECT e.digest FROM evidence_span s JOIN evidence e USING (tenant_id, evidence_id)
        JOIN resource r USING (tenant_id, resource_id)
        WHERE s.place = :place AND r.type LIKE :kind AND s.valid_to > '9000-01-01' ORDER BY e.digest"""
    return str(world.rows(sql, place=place, kind=kind)[0].digest)


def test_a_derived_document_that_was_erased_is_built_anew_though_its_inputs_are_as_they_were(world: Spine) -> None:
    world.run()
    erased = digest_at(world, "join")
    erase(world, erased)
    world.next_day()
    assert world.run().state == "done"
    assert world.here.objects.get(world.tenant, erased)


def test_what_is_erased_while_it_is_looked_at_is_looked_at_again(world: Spine) -> None:
    world.run()
    world.next_day()
    run, connect = world.plan(), world.work._workshop.connect
    digest = digest_at(world, HERE, "aws.sqs.queue")

    def meanwhile(source: Source, manners: Manners) -> Any:
        erase(world, digest)
        return connect(source, manners)

    claim, shop = claim_of(world, HERE), world.work._workshop
    world.work._workshop = replace(shop, connect=meanwhile)
    with pytest.raises(EvidenceError, match="erased"):
        world.work.collect(claim)
    world.work._workshop = shop
    world.clock.forward(LEASE_OVER)
    world.drive()
    assert world.state(run).state == "done"
    assert world.here.objects.get(world.tenant, digest)


def test_units_beyond_the_days_calls_wait_for_the_next_day_and_lose_no_try(world: Spine) -> None:
    manners(world, daily_calls=1)
    run = world.plan()
    for done in (1, 2):
        world.drive()
        assert world.state(run).units == {"done": done, "due": 4 - done}
        waiting = world.rows(WAITING)
        assert {row.due_at for row in waiting} == {AT.replace(hour=0) + done * DAY}
        assert {row.attempts for row in waiting} == {0}
        world.clock.forward(DAY)
    world.drive()
    assert world.state(run).state == "done"


def test_units_that_begin_together_see_what_each_of_them_will_take(world: Spine) -> None:
    world.run()
    world.next_day()
    with world.here.open_tenant(world.tenant) as books:
        costs = books.costs(world.source.id)
        assert costs[HERE]["sqs:get_queue_attributes"] == 1
        midnight = world.clock().replace(hour=0, minute=0, second=0, microsecond=0)
        assert books.spent(world.source.id, midnight) == 0
        assert books.spent(world.source.id, midnight - DAY) == sum(sum(calls.values()) for calls in costs.values())
    manners(world, daily_calls=sum(costs["global"].values()) + sum(costs[HERE].values()))
    world.plan()
    with ThreadPoolExecutor(3) as together:
        list(together.map(world.work.collect, world.lease("collect")))
    assert len(world.lease("assess")) < 3, "the day has no room for all of them"


def test_nothing_begins_in_quiet_hours_and_waiting_costs_no_try(world: Spine) -> None:
    manners(world, quiet=(5, 9))
    run = planned(world)
    assert world.lease("collect") == ()
    world.clock.forward(timedelta(minutes=1))
    by_hand = world.plan()
    world.drive()
    waiting = world.rows(WAITING)
    assert {(row.due_at, row.attempts) for row in waiting} == {(AT.replace(hour=9), 0)}
    assert world.emulator.counts().get("sqs:ListQueues", 0) == 0
    world.clock.forward(timedelta(hours=3))
    world.drive()
    assert world.state(run).state == world.state(by_hand).state == "done"


def test_a_source_with_a_pace_is_asked_no_faster(world: Spine) -> None:
    for number in range(7):
        world.emulator.client("sns", HERE).create_topic(Name=f"more-{number}")
    manners(world, per_second=3)
    world.plan()
    claim = claim_of(world, HERE)
    began = time.monotonic()
    world.work.collect(claim)
    assert time.monotonic() - began > (1 + 8 - 3) / 3 - 0.1, "one listing and eight topics, three of them saved up"


def test_a_hot_place_is_cut_by_last_cost_and_shows_what_it_showed_whole(world: Spine) -> None:
    world.run()
    before, covered = everything(world), looks(world, HERE)
    hot = {"sqs:get_queue_attributes": 3_000, "sns:get_topic_attributes": 2_500}
    with world.here.app.under(world.tenant) as connection:
        sql = "UPDATE unit SET calls = CAST(:hot AS jsonb) WHERE place = :place"
        connection.execute(text(sql), {"hot": json.dumps(hot), "place": HERE})
    world.next_day()
    run = planned(world)
    assert {part for place, part in units(world, run) if place == HERE} == {"1/2", "2/2"}
    services = world.rows("SELECT services FROM unit WHERE run_id = :run AND part <> '' ORDER BY part", run=run)
    assert ("sqs" in services[0].services) != ("sqs" in services[1].services)
    world.drive()
    state = world.state(run)
    assert (state.state, set(units(world, run).values())) == ("done", {"done"})
    assert state.counts["listed"] == sum(state.counts.get(name, 0) for name in ("judged", "held", "excluded"))
    assert everything(world) == before
    assert looks(world, HERE) == covered


def test_regions_that_the_account_switches_on_are_looked_at_from_the_next_run_on(world: Spine) -> None:
    world.emulator.supplement({"regions": [*REGIONS, "eu-west-3"]})
    world.run()
    with world.here.open_tenant(world.tenant) as books:
        assert set(books.regions(world.source.id)) == set(REGIONS), "somebody named them"
        books.set_regions(world.source.id, REGIONS, pinned=False, by="test", now=world.clock())
    world.next_day()
    world.run()
    with world.here.open_tenant(world.tenant) as books:
        assert set(books.regions(world.source.id)) == {*REGIONS, "eu-west-3"}
    world.next_day()
    assert ("eu-west-3", "") in units(world, planned(world))


def test_an_operator_sees_paces_and_cancels_runs(
    world: Spine,
    provisioned: Provisioned,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = world.plan()
    monkeypatch.setenv("AUDITOR_HOME", str(tmp_path))
    monkeypatch.setenv("AUDITOR_DATABASE_URL", provisioned.app_url)
    monkeypatch.setenv("AUDITOR_CLAIM_DATABASE_URL", provisioned.claims_url)

    def auditor(*words: str) -> tuple[int, str]:
        code = main([*words, "--tenant", f"t{world.tenant.hex}"])
        said = capsys.readouterr()
        return code, said.out + said.err

    pace = ("source", "pace", "--source", "tests")
    assert auditor(*pace) == (0, "tests: no limits of its own\n")
    _, said = auditor(*pace, "--per-second", "5", "--quiet", "22-06")
    assert said == "tests: 5 requests a second per region and service, nothing begins from 22:00 to 06:00 UTC\n"
    assert "5 requests" not in auditor(*pace, "--per-second", "none")[1]
    code, said = auditor("runs", "cancel", str(run)[:12], "--why", "the account moves")
    assert (code, f"run {run} is cancelled: 4 cancelled" in said) == (0, True)
    _, line = auditor("runs", "list")
    assert line.startswith(str(run))
    assert "partial: cancelled by operator" in line
    assert line.endswith(", the account moves\n")
    code, said = auditor("runs", "cancel", str(run), "--why", "once more")
    assert (code, "is over: cancelled" in said) == (2, True)
    assert auditor("runs", "cancel", str(run), "--why", " ")[0] == 2
    with world.here.open_tenant(world.tenant) as books:
        assert books.manners(world.source.id) == Manners(quiet=(22, 6))


@pytest.mark.parametrize("hours", ["22", "8-8", "0-24", "25-3", "a-b", "-1-3"])
def test_hours_that_make_no_sense_are_refused(hours: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["source", "pace", "--source", "x", f"--quiet={hours}"])
    assert "--quiet" in capsys.readouterr().err
