"""What real runs leave in the ledger, told again from the tables: each commitment opens, as whoever writes a bundle opens it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from auditor.domain.scope import Rule, Scope
from auditor.pipeline.checkpoint import integrate
from auditor.proof.entry import Entry, commitment, parse
from auditor.proof.spans import PlaceDigest, Standing, event_type, run_digest, span_digest
from auditor.simulators.aws import AwsEmulator
from auditor.store.database import Database
from auditor.store.facts import finding_facts, plain, span_facts
from auditor.store.ledger import PostgresCopy, PostgresLedger
from tests.fixtures.database import Provisioned
from tests.fixtures.spine import Spine, spine

AT = datetime(2026, 11, 1, 6, tzinfo=UTC)
SPANS = """
SELECT s.*, f.source_id, f.check_id, r.native_id, f.resource_type FROM finding_span s
JOIN finding f USING (tenant_id, finding_id) JOIN resource r USING (tenant_id, resource_id)
"""


@pytest.fixture(scope="module")
def tenant(provisioned: Provisioned, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spine]:
    """Days on which there is nothing, then buckets, one goes, one is left out by a new scope; the last run is cancelled."""
    with (
        AwsEmulator() as emulator,
        pytest.MonkeyPatch.context() as patch,
        spine(provisioned, emulator, tmp_path_factory.mktemp("home"), AT, services=("s3",)) as looking,
    ):
        for name, value in emulator.environment().items():
            if name != "AWS_ENDPOINT_URL":
                patch.setenv(name, value)
        looking.run()
        looking.next_day()
        s3 = emulator.client("s3")
        for name in ("charts", "scans", "drafts"):
            s3.create_bucket(Bucket=name)
        looking.run()
        looking.next_day()
        s3.put_bucket_versioning(Bucket="charts", VersioningConfiguration={"Status": "Enabled"})
        s3.delete_bucket(Bucket="drafts")
        looking.run()
        looking.next_day()
        with looking.here.open_tenant(looking.tenant) as books:
            rule = Scope(without=Rule(resources=("arn:aws:s3:::scans",)))
            books.change_scope(
                looking.source.id, rule, by="ana@example.org", reason="moved", now=looking.clock(), tell=lambda _: None
            )
        looking.run()
        looking.next_day()
        run = looking.plan()
        with looking.here.open_tenant(looking.tenant) as books:
            assert books.cancel(run, by="ana@example.org", reason="a mistake", now=looking.clock())
        yield looking


@pytest.fixture(scope="module")
def entries(tenant: Spine, ledger_database: Database) -> list[Entry]:
    ledger = PostgresLedger(ledger_database)
    while integrate(ledger, tenant.tenant, origin="auditor.example/x", now=tenant.clock()):
        pass
    with PostgresCopy.reading(tenant.here.app, tenant.tenant) as copy:
        return [parse(one.entry) for one in copy.entries()]


def salts(tenant: Spine) -> dict[str, bytes]:
    return {row.subject: bytes(row.salt) for row in tenant.rows("SELECT subject, salt FROM ledger_salt")}


def of(entries: list[Entry], *types: str) -> dict[str, Entry]:
    found = [one for one in entries if one.type in types]
    assert len({one.subject for one in found}) == len(found)
    return {one.subject: one for one in found}


def test_every_span_opens_with_its_entry_and_no_entry_is_without_its_span(tenant: Spine, entries: list[Entry]) -> None:
    told, salt = of(entries, "finding.open", "finding.change", "finding.close"), salts(tenant)
    rows = tenant.rows(SPANS)
    assert {row.state for row in rows} >= {"pass", "fail", "absent", "excluded"}
    assert any(span_facts(row._mapping)["about_place"] for row in rows)
    for row in rows:
        facts = finding_facts(row.finding_id, row.source_id, row.check_id, row.native_id, row.resource_type)
        entry = told.pop(str(row.opened_event))
        assert entry.commit == commitment(salt[entry.subject], span_digest(facts, span_facts(row._mapping)))
        assert (entry.type, entry.at) == (event_type(row.prev_state, row.state), row.recorded_at)
    assert told == {}


def test_every_evidence_opens_with_the_salt_beside_its_key(tenant: Spine, entries: list[Entry]) -> None:
    told = of(entries, "evidence.put")
    sql = "SELECT e.evidence_id, e.digest, k.salt FROM evidence e JOIN object_key k USING (tenant_id, digest)"
    for row in tenant.rows(sql):
        assert told.pop(str(row.evidence_id)).commit == commitment(bytes(row.salt), row.digest)
    assert told == {}


def test_every_run_opens_with_its_manifest_also_one_that_was_cancelled(tenant: Spine, entries: list[Entry]) -> None:
    told, salt = of(entries, "run.manifest"), salts(tenant)
    states = []
    for row in tenant.rows("SELECT m.facts, r.* FROM run_manifest m JOIN run r USING (tenant_id, run_id)"):
        assert told.pop(str(row.run_id)).commit == commitment(salt[str(row.run_id)], run_digest(row.facts))
        for name in ("slot", "state", "scope_version", "started_at", "finished_at", "counts"):
            assert row.facts[name] == plain(getattr(row, name))
        states.append(row.state)
    assert (told, sorted(states)) == ({}, ["cancelled", *["done"] * 4])


def test_a_manifest_tells_of_exactly_the_turns_that_stand_before_it(tenant: Spine, entries: list[Entry]) -> None:
    rows = {str(row.opened_event): row for row in tenant.rows(SPANS)}
    place = {row.finding_id: row.place for row in tenant.rows("SELECT finding_id, place FROM finding")}
    manifests = {str(row.run_id): row.facts for row in tenant.rows("SELECT run_id, facts FROM run_manifest")}
    standing: dict[UUID, Any] = {}
    held = 0
    for entry in entries:
        if entry.subject in rows:
            standing[rows[entry.subject].finding_id] = rows[entry.subject]
        if entry.type == "run.manifest":
            again: dict[str, PlaceDigest] = {}
            for row in sorted(standing.values(), key=lambda one: (one.native_id, one.check_id)):
                digest = again.setdefault(place[row.finding_id], PlaceDigest())
                digest.add(Standing(row.native_id, row.check_id, row.seq, row.state))
            found = [
                {"place": name, "findings": one.findings, "digest": one.hexdigest()}
                for name, one in sorted(again.items())
                if one.findings
            ]
            assert found == manifests[entry.subject]["places"]
            held += 1
    assert held == 5


def test_a_definition_is_noted_once(tenant: Spine, entries: list[Entry]) -> None:
    judged = {f"{row.check_id}@{row.published_digest}" for row in tenant.rows(SPANS) if row.published_digest}
    assert of(entries, "control.version").keys() == judged


def test_decisions_of_people_are_noted_without_their_words(entries: list[Entry]) -> None:
    assert {one.type for one in entries if one.actor.startswith("p-")} == {"config.change", "user.action"}
    assert all("ana" not in f"{one.actor}{one.subject}" for one in entries)


def test_what_stood_unchanged_keeps_its_place_digest(tenant: Spine) -> None:
    assert not tenant.rows("SELECT 1 FROM place_digest WHERE digest IS NULL")
