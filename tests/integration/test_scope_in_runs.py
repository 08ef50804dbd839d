"""A scope through whole runs: what is out is kept out by every run, and what comes back is judged and told as come back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditor.domain.scope import Rule, Scope
from auditor.simulators.aws import AwsEmulator
from auditor.store.reads.inventory import inventory
from tests.fixtures.spine import Spine, spine

if TYPE_CHECKING:
    from auditor.domain.scope_change import ScopeChange
    from tests.fixtures.database import Provisioned

AT = datetime(2026, 11, 2, 9, tzinfo=UTC)
BLOCKED = "s3.bucket.public_access_blocked"


@pytest.fixture(scope="module")
def started() -> Iterator[AwsEmulator]:
    with AwsEmulator() as emulator:
        yield emulator


@pytest.fixture
def world(
    started: AwsEmulator, provisioned: Provisioned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Spine]:
    started.reset()
    for name, value in started.environment().items():
        if name != "AWS_ENDPOINT_URL":
            monkeypatch.setenv(name, value)
    with spine(provisioned, started, tmp_path, AT, services=("s3", "eks")) as made:
        yield made


def bucket(world: Spine, name: str) -> str:
    world.emulator.client("s3").create_bucket(Bucket=name)
    return f"arn:aws:s3:::{name}"


def change(world: Spine, scope: Scope, why: str = "no patient data") -> ScopeChange:
    return world.here.change_scope(world.tenant, world.source.id, scope, by="ana", reason=why)


def test_what_is_out_stays_out_through_runs_and_what_comes_back_turns_for_that_reason(world: Spine) -> None:
    scratch, kept = bucket(world, "scratch-1"), bucket(world, "intake")
    world.run()
    assert world.findings(BLOCKED) == {scratch: "fail", kept: "fail"}
    changed = change(world, Scope(without=Rule(resources=("*scratch*",))))
    assert world.findings(BLOCKED) == {scratch: "excluded", kept: "fail"}
    told = [row for row in world.outbox() if scratch in str(row)]
    assert len(told) == sum(turn.resolves for turn in changed.turns) > 0, "a deviation that is out of scope has ended"

    world.next_day()
    counts = world.run().counts
    assert world.findings(BLOCKED) == {scratch: "excluded", kept: "fail"}
    assert len(world.spans(BLOCKED, scratch)) == 2, "nothing turned, so nothing was written"
    assert counts["listed"] == counts["judged"] + counts.get("held", 0) + counts["excluded"]
    assert counts["excluded"] > 0

    change(world, Scope(), why="it holds data now")
    world.next_day()
    world.run()
    assert world.findings(BLOCKED) == {scratch: "fail", kept: "fail"}
    assert [(span.state, span.cause) for span in world.spans(BLOCKED, scratch)] == [
        ("fail", "resource"),
        ("excluded", "scope"),
        ("fail", "scope"),
    ]


def test_a_service_that_is_out_is_not_judged_and_nothing_of_it_is_called_gone(world: Spine) -> None:
    charts = bucket(world, "charts")
    world.run()
    change(world, Scope(without=Rule(services=("s3",))))
    world.next_day()
    world.run()
    assert world.findings(BLOCKED)[charts] == "excluded"
    change(world, Scope(), why="again")
    world.next_day()
    world.run()
    assert world.findings(BLOCKED)[charts] == "fail"


def test_every_run_lists_the_inventory_though_no_check_judges_it(world: Spine) -> None:
    organizations = world.emulator.client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    made = organizations.create_account(AccountName="Backup", Email="backup@example.com")["CreateAccountStatus"]
    world.emulator.client("eks", "eu-central-1").create_cluster(
        name="lab", roleArn="arn:aws:iam::123456789012:role/eks", resourcesVpcConfig={"subnetIds": []}
    )
    world.run()
    with world.here.app.reading(world.tenant) as conn:
        found = inventory(conn, world.clock())
    assert {one.id: one.standing for one in found.accounts} == {
        world.source.account: "connected",
        made["AccountId"]: "missing",
    }
    assert [one.region for one in found.clusters] == ["eu-central-1"]
    assert found.established
