"""What may be asked of an account, tested before a run counts on it: through a worker's duty, and on the page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from auditor.domain.errors import StaleFenceError
from auditor.domain.ports import Claim
from auditor.domain.preflight import Tried
from auditor.domain.scope import Scope
from auditor.simulators.aws import AwsEmulator
from tests.fixtures.database import NOW, Provisioned
from tests.fixtures.pages import a_dashboard, token_in
from tests.fixtures.spine import Spine, spine
from tests.fixtures.world import a_source

if TYPE_CHECKING:
    from auditor.store.database import Database


@pytest.fixture
def world(provisioned: Provisioned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spine]:
    with AwsEmulator() as emulator, spine(provisioned, emulator, tmp_path / "home", datetime.now(UTC)) as made:
        for name, value in emulator.environment().items():
            if name != "AWS_ENDPOINT_URL":
                monkeypatch.setenv(name, value)
        with made.here.open_tenant(made.tenant) as books:
            books.change_scope(
                made.source.id, Scope(services=("s3", "kms")), by="tests", reason="two services", now=made.clock()
            )
        yield made


def asked(world: Spine) -> Claim:
    with world.here.open_tenant(world.tenant) as books:
        books.ask_preflight(uuid4(), world.source.id, by="ana", now=world.clock())
    [claim] = [one for one in world.lease("preflight") if one.tenant == world.tenant]
    return claim


def answers(world: Spine) -> dict[tuple[str, str], Tried]:
    with world.here.open_tenant(world.tenant) as books:
        kept = books.latest_preflight(world.source.id)
    assert kept is not None
    assert kept.finished_at is not None
    assert kept.requested_by == "ana"
    return {(one.action, one.region): one for one in kept.tried}


def test_a_worker_asks_each_action_in_each_region_and_keeps_the_answers(world: Spine) -> None:
    world.emulator.client("s3").create_bucket(Bucket="one")
    world.emulator.deny("kms:ListKeys", region="eu-central-1")
    claim = asked(world)
    world.work.preflight(claim)
    found = answers(world)
    assert found["kms:ListKeys", "us-east-1"].answer == "allowed"
    assert found["kms:ListKeys", "eu-central-1"].answer == "denied"
    assert found["kms:GetKeyRotationStatus", "eu-central-1"].answer == "not_tried"
    assert found["s3:GetEncryptionConfiguration", "us-east-1"].answer == "allowed"
    assert {region for _, region in found} == {"us-east-1", "eu-central-1"}
    with pytest.raises(StaleFenceError):  # it was answered: the same message again does nothing
        world.work.preflight(claim)


def test_an_account_that_cannot_be_reached_is_an_answer_too(world: Spine) -> None:
    world.emulator.deny("sts:GetCallerIdentity")
    world.work.preflight(asked(world))
    with world.here.open_tenant(world.tenant) as books:
        kept = books.latest_preflight(world.source.id)
    assert kept is not None
    assert (kept.tried, "does not accept these credentials" in str(kept.error)) == ((), True)


def test_the_page_asks_and_shows_what_was_denied_by_whom(app_database: Database) -> None:
    made = a_dashboard(app_database)
    source = a_source(made.tenants["acme"].id)
    owner, auditor = made.client("owner@acme.example"), made.client("auditor@acme.example")
    from auditor.store.memory import MemoryObjects
    from auditor.store.tenant_store import PostgresStore

    store = PostgresStore(app_database, MemoryObjects())
    with store.open(source.tenant) as books:
        books.add_source(source, Scope(), regions=["eu-central-1"], every=3600, now=NOW)
    path = f"/sources/{source.id}/permissions"
    assert "Never tested" in owner.get(path).text
    assert owner.post(path, data={"form_token": token_in(owner.get(path).text)}).status_code == 303
    assert "A test is under way" in owner.get(path).text
    assert "Test now" not in auditor.get(path).text
    assert auditor.post(path, data={"form_token": token_in(owner.get(path).text)}).status_code in {400, 403}
    tried = (
        Tried("kms:ListKeys", "eu-central-1", "denied", "service control policy", "AccessDenied"),
        Tried("s3:ListAllMyBuckets", "us-east-1", "allowed"),
    )
    with store.open(source.tenant) as books:
        books.keep_preflight(uuid4(), source.id, tried, by="operator", now=NOW.replace(year=NOW.year + 1))
    shown = auditor.get(path).text
    assert "1 allowed, 1 action to look at" in shown
    assert "service control policy" in shown
    assert made.client("owner@beta.example").get(path).status_code == 404
