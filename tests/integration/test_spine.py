"""Look, keep, judge, remember, tell: the real parts together, a day at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditor.domain.errors import StaleFenceError
from auditor.domain.ports import Claim
from auditor.simulators.aws import AwsEmulator
from auditor.simulators.receiver import Receiver
from tests.fixtures.database import Provisioned
from tests.fixtures.spine import REGIONS, Spine, lines, spine

AT = datetime(2026, 10, 1, 6, tzinfo=UTC)
ROOT = "arn:aws:iam::123456789012:root"
ENCRYPTION = "s3.bucket.encrypted_kms"
BLOCKED = "s3.bucket.public_access_blocked"


@pytest.fixture(scope="module")
def started() -> Iterator[AwsEmulator]:
    with AwsEmulator() as emulator:
        yield emulator


@pytest.fixture
def world(started: AwsEmulator, provisioned: Provisioned, tmp_path: Path) -> Iterator[Spine]:
    started.reset()
    started.clear_faults()
    os.environ.update({k: v for k, v in started.environment().items() if k != "AWS_ENDPOINT_URL"})
    with spine(provisioned, started, tmp_path, AT) as made:
        yield made
    for name in started.environment():
        os.environ.pop(name, None)
    started.clear_faults()


def bucket(world: Spine, name: str, *, blocked: bool = True) -> str:
    world.emulator.client("s3").create_bucket(Bucket=name)
    if blocked:
        block(world, name, on=True)
    return f"arn:aws:s3:::{name}"


def block(world: Spine, name: str, *, on: bool) -> None:
    flags = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    world.emulator.client("s3").put_public_access_block(
        Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(flags, on)
    )


def test_a_run_reconciles_and_its_numbers_are_those_of_a_scan(world: Spine) -> None:
    bucket(world, "charts")
    bucket(world, "invoices", blocked=False)
    run = world.run()
    assert run.state == "done"
    assert run.counts["listed"] == run.counts["judged"] + run.counts["excluded"]
    sql = "SELECT f.check_id, r.native_id, f.state FROM finding f JOIN resource r USING (tenant_id, resource_id)"
    kept = {(row.check_id, row.native_id): row.state for row in world.rows(sql)}
    regions = [word for region in REGIONS for word in ("--region", region)]
    scanned = subprocess.run(
        [sys.executable, "-m", "auditor.cli", "scan", "aws", *regions, "--format", "ndjson", "--allow-partial"],
        env={**os.environ, **world.emulator.environment()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert kept == {(line["check"], line["resource"]): line["verdict"] for line in lines(scanned.stdout)}


def test_a_permission_lost_for_a_day_turns_to_unknown_and_back_with_cause_coverage(world: Spine) -> None:
    charts = bucket(world, "charts")
    world.run()
    before = world.findings(ENCRYPTION)[charts]
    world.next_day()
    world.emulator.deny("s3:GetEncryptionConfiguration")
    world.run()
    assert world.findings(ENCRYPTION)[charts] == "unknown"
    world.next_day()
    world.emulator.clear_faults()
    world.run()
    spans = world.spans(ENCRYPTION, charts)
    assert [span.state for span in spans] == [before, "unknown", before]
    assert [span.cause for span in spans[1:]] == ["coverage", "coverage"]
    assert "s3:GetEncryptionConfiguration" in spans[1].reason


def test_a_listing_denied_later_writes_no_span_for_what_was_known_and_closes_nothing(world: Spine) -> None:
    charts = bucket(world, "charts")
    world.run()
    world.next_day()
    world.emulator.deny("s3:ListAllMyBuckets")
    world.run()
    assert len(world.spans(BLOCKED, charts)) == 1
    assert world.findings(BLOCKED)[ROOT] == "unknown"
    coverage = world.rows(
        "SELECT state, detail FROM coverage_span WHERE resource_type = 'aws.s3.bucket' ORDER BY valid_from"
    )
    assert [row.state for row in coverage] == ["ok", "denied"]
    assert "s3:ListAllMyBuckets" in coverage[1].detail
    days = world.rows("SELECT state FROM daily_rollup WHERE check_id = :c ORDER BY day", c=BLOCKED)
    assert [day.state for day in days] == ["pass", "unknown"], "a day without sight is no day of passing"
    world.next_day()
    world.emulator.clear_faults()
    world.run()
    assert world.findings(BLOCKED) == {charts: "pass", ROOT: "absent"}


def test_a_deleted_resource_is_absent_only_after_a_complete_listing(world: Spine) -> None:
    charts, kept = bucket(world, "charts"), bucket(world, "kept")
    world.run()
    world.next_day()
    world.emulator.client("s3").delete_bucket(Bucket="charts")
    world.run()
    assert world.findings(BLOCKED) == {charts: "absent", kept: "pass"}


def test_a_second_look_at_an_unchanged_account_writes_no_span_and_no_event(world: Spine) -> None:
    bucket(world, "charts", blocked=False)
    world.run()
    spans, events = world.rows("SELECT count(*) FROM finding_span")[0][0], world.outbox()
    objects = world.rows("SELECT count(*) FROM evidence")[0][0]
    world.clock.forward(timedelta(hours=1))
    world.run()
    assert world.rows("SELECT count(*) FROM finding_span")[0][0] == spans
    assert world.outbox() == events
    assert world.rows("SELECT count(*) FROM evidence")[0][0] - objects <= 3, (
        "only what carries a last-used time changes"
    )


def test_a_key_grows_too_old_on_the_right_day_though_nothing_changed(world: Spine) -> None:
    iam = world.emulator.client("iam")
    iam.create_user(UserName="importer")
    iam.create_access_key(UserName="importer")
    world.run()
    user = "arn:aws:iam::123456789012:user/importer"
    check = "iam.user.access_keys_rotated"
    assert world.findings(check)[user] == "pass"
    (turns_at,) = {
        row.turns_at for row in world.rows("SELECT turns_at FROM finding WHERE check_id = :c", c=check) if row.turns_at
    }
    world.clock.forward(timedelta(days=90))
    world.emulator.set_clock(world.clock())
    world.run()
    assert world.findings(check)[user] == "pass", "day ninety is still inside"
    world.next_day()
    world.run()
    span = world.spans(check, user)[-1]
    assert (span.state, span.cause) == ("fail", "time")
    assert span.valid_from == turns_at
    assert timedelta(days=90) < span.valid_from - AT <= timedelta(days=91, minutes=1)


def test_an_opened_bucket_reaches_the_receiver_once_signed_and_so_does_its_closing(world: Spine) -> None:
    with Receiver(clock=world.clock) as receiver:
        receiver.trust(world.here.add_webhook(world.tenant, receiver.url, by="test"))
        charts = bucket(world, "charts")
        world.run()
        assert [message.body["type"] for message in receiver.messages] == ["source.baseline"]
        world.next_day()
        block(world, "charts", on=False)
        receiver.refuse(503)
        world.run()
        world.clock.forward(timedelta(minutes=10))
        world.drive()
        world.run()
        block(world, "charts", on=True)
        world.next_day()
        world.run()
        told = [message for message in receiver.messages if message.body["data"].get("check") == BLOCKED]
        assert [(m.body["type"], m.body["data"]["resource"], m.verified, m.status) for m in told] == [
            ("finding.opened", charts, True, 503),
            ("finding.opened", charts, True, 204),
            ("finding.resolved", charts, True, 204),
        ]
        assert told[0].id == told[1].id != told[2].id, "a retry carries the same id"
        data = told[0].body["data"]
        assert data["cause"] == "resource"
        assert data["link"].startswith("https://auditor.example/findings/")
        assert data["remediation"]
        assert all(message.verified for message in receiver.messages)


def test_a_sender_that_dies_before_recording_repeats_the_same_id(world: Spine, monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver(clock=world.clock) as receiver:
        receiver.trust(world.here.add_webhook(world.tenant, receiver.url, by="test"))
        bucket(world, "charts")
        run = world.plan()
        while world.state(run).state == "running":
            for claim in world.lease("collect"):
                world.work.collect(claim)
            for claim in world.lease("assess"):
                world.work.assess(claim)
        (claim,) = world.lease("notify")
        with monkeypatch.context() as patched:
            patched.setattr(world.work._deliveries, "record", killed)
            with pytest.raises(KeyboardInterrupt):
                world.work.deliver(claim)
        world.clock.forward(timedelta(minutes=2))
        world.drive()
        assert len({message.id for message in receiver.messages}) == 1
        assert len(receiver.messages) == 2


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_worker_that_lost_its_lease_is_refused_and_nothing_is_doubled(world: Spine) -> None:
    bucket(world, "charts")
    run = world.plan()
    late = world.lease("collect")
    world.clock.forward(timedelta(minutes=5))
    world.drive()
    assert world.state(run).state == "done"
    for claim in late:
        with pytest.raises(StaleFenceError):
            world.work.collect(claim)
    twice = Counter((row.check_id, row.resource_id) for row in world.rows("SELECT check_id, resource_id FROM finding"))
    assert set(twice.values()) == {1}


def test_two_runs_over_one_source_at_once_track_one_after_the_other(world: Spine) -> None:
    charts = bucket(world, "charts")
    world.run()
    block(world, "charts", on=False)
    world.clock.forward(timedelta(hours=1))
    runs = [world.plan(), world.plan()]
    with ThreadPoolExecutor(8) as pool:
        while any(world.state(run).state == "running" for run in runs):
            collecting = [pool.submit(world.work.collect, claim) for claim in world.lease("collect")]
            for done in collecting:
                done.result()
            assessing = [pool.submit(world.work.assess, claim) for claim in world.lease("assess")]
            for done in assessing:
                done.result()
    assert [span.state for span in world.spans(BLOCKED, charts)] == ["pass", "fail"]
    opened = [event for event in world.outbox() if event == ("finding.opened", BLOCKED, charts)]
    assert len(opened) == 1


def test_a_place_that_cannot_be_looked_at_is_given_up_and_the_gap_is_seen(world: Spine) -> None:
    charts = bucket(world, "charts")
    world.run()
    world.next_day()
    run = world.plan()
    for _ in range(7):  # begun, and never heard of again
        (claim,) = [claim for claim in world.lease("collect") if is_global(world, claim)]
        with world.here.open_tenant(world.tenant) as books:
            books.unit(claim)
        world.clock.forward(timedelta(minutes=2))
    world.drive()
    state = world.state(run)
    assert state.state == "partial"
    assert state.units["given_up"] >= 1
    looks = world.rows("SELECT state FROM coverage_span WHERE resource_type = 'aws.s3.bucket' ORDER BY valid_from")
    assert [look.state for look in looks] == ["ok", "error"]
    assert world.findings(BLOCKED)[charts] == "pass", "what was known is kept, coverage lies over it"


def is_global(world: Spine, claim: Claim) -> bool:
    return bool(world.rows("SELECT 1 FROM unit WHERE unit_id = :id AND place = 'global'", id=claim.id))
