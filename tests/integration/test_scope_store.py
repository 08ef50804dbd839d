"""A change of scope in the database: versions, turns, events and what comes back, all or none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from auditor.domain.control import Library
from auditor.domain.errors import ConfigurationError, TenancyError
from auditor.domain.events import Event
from auditor.domain.finding import FOREVER, Turn
from auditor.domain.scope import Rule, Scope
from auditor.domain.source import Source
from auditor.store.database import Database
from auditor.store.identity import Identities
from auditor.store.memory import MemoryObjects
from auditor.store.reads.findings import FindingFilter, all_findings
from auditor.store.reads.history import drift
from auditor.store.reads.overlay import groups
from auditor.store.reads.posture import counts, coverage
from auditor.store.tenant_store import PostgresStore, PostgresTenantStore
from tests.fixtures.database import NOW
from tests.fixtures.rows import DAY, Rows

SCRATCH = "arn:aws:s3:::scratch-1"
INTAKE = "arn:aws:s3:::intake"
WITHOUT_SCRATCH = Scope(without=Rule(resources=("*scratch*",)))
NOTHING = Library((), ())


class Estate:
    """A source with two buckets and a volume in eu-west-1; one bucket and the volume fail."""

    def __init__(self, app: Database) -> None:
        self.app, self.tenant = app, uuid4()
        self.store = PostgresStore(app, MemoryObjects(), evaluator="auditor test")
        Identities(app).add_tenant(self.tenant, slug=str(self.tenant), name="T", now=NOW)
        self.source = Source(self.tenant, uuid4(), "aws", "123456789012", "production")
        with self.store.open(self.tenant) as books:
            books.add_source(
                self.source, Scope(), regions=["eu-central-1", "eu-west-1"], every=86_400, now=NOW - 30 * DAY
            )
        self.rows = Rows(app, self.tenant, NOW)
        id_ = self.source.id
        self.scratch = self.rows.finding(id_, "s3.bucket.encrypted", SCRATCH, "fail")
        self.intake = self.rows.finding(id_, "s3.bucket.encrypted", INTAKE, "pass")
        self.volume = self.rows.finding(
            id_, "ec2.volume.encrypted", "vol-1", "fail", resource_type="aws.ec2.volume", place="eu-west-1"
        )
        self.sql("UPDATE finding SET open = true WHERE state = 'fail'")
        self.rows.look(id_, "aws.s3.bucket")
        self.rows.look(id_, "aws.ec2.volume", place="eu-west-1")
        self.rows.evidence(id_, "aws.s3.bucket", SCRATCH, "a" * 64)
        self.rows.evidence(id_, "aws.ec2.volume", "vol-1", "b" * 64)
        self.sql(
            "UPDATE evidence_span SET place = 'eu-west-1' WHERE resource_id IN (SELECT resource_id FROM resource WHERE native_id = 'vol-1')"
        )

    def sql(self, words: str, **values: Any) -> None:
        with self.app.under(self.tenant) as conn:
            conn.execute(text(words), values)

    def read(self, words: str, **values: Any) -> list[Any]:
        with self.app.under(self.tenant) as conn:
            return [tuple(row) for row in conn.execute(text(words), values)]

    def change(self, scope: Scope, **more: Any) -> Any:
        with self.store.open(self.tenant) as books:
            return books.change_scope(self.source.id, scope, by="ana", reason="no patient data", now=NOW, **more)

    def state(self, finding: UUID) -> str:
        return str(self.read("SELECT state FROM finding WHERE finding_id = :id", id=finding)[0][0])


@pytest.fixture
def estate(app_database: Database) -> Estate:
    return Estate(app_database)


def test_every_version_of_a_scope_is_kept_with_who_and_why(estate: Estate) -> None:
    estate.change(WITHOUT_SCRATCH)
    with estate.store.open(estate.tenant) as books:
        now, before = books.scopes(estate.source.id)
        assert books.scope(estate.source.id) == now.scope
    assert (now.scope.version, now.by, now.reason, now.valid_from) == (2, "ana", "no patient data", NOW)
    assert now.scope.without == WITHOUT_SCRATCH.without
    assert (before.scope.version, before.by, before.reason) == (1, "connect", "as connected")


def test_what_leaves_turns_to_excluded_at_once_and_its_spans_follow_each_other(estate: Estate) -> None:
    change = estate.change(WITHOUT_SCRATCH)
    assert [(turn.resource, turn.state, turn.cause, turn.previous) for turn in change.turns] == [
        (SCRATCH, "excluded", "scope", "fail")
    ]
    reason = "excluded by id: *scratch* (scope version 2)"
    assert estate.read(
        "SELECT state, reason, since, span_seq, open, evidence_digest FROM finding WHERE finding_id = :id",
        id=estate.scratch,
    ) == [("excluded", reason, NOW, 2, False, "")]
    assert estate.read(
        "SELECT seq, state, prev_state, cause, reason, valid_to FROM finding_span WHERE finding_id = :id ORDER BY seq",
        id=estate.scratch,
    ) == [(1, "fail", None, "resource", "", NOW), (2, "excluded", "fail", "scope", reason, FOREVER)]
    links = estate.read(
        "SELECT opened_event, closed_event FROM finding_span WHERE finding_id = :id ORDER BY seq", id=estate.scratch
    )
    assert links[0][1] == links[1][0]
    assert estate.state(estate.intake) == "pass"
    assert estate.read("SELECT reason, scope_version FROM exclusion") == [("excluded by id: *scratch*", 2)]


def test_a_change_is_told_with_who_and_why_and_so_is_the_deviation_that_ends_with_it(estate: Estate) -> None:
    with estate.store.open(estate.tenant) as books:
        books.add_webhook(uuid4(), "https://example.com/hook", b"sealed", by="sam", now=NOW)

    def tell(turn: Turn) -> Event:
        return Event(turn.event_id, "finding.resolved", turn.valid_from, {"resource": turn.resource})

    estate.change(WITHOUT_SCRATCH, tell=tell)
    told = {row[0]: row[1] for row in estate.read("SELECT type, data FROM outbox")}
    assert set(told) == {"scope.changed", "finding.resolved"}
    changed = told["scope.changed"]
    assert (changed["by"], changed["reason"], changed["version"]) == ("ana", "no patient data", 2)
    assert (changed["excluded"], changed["excluded_failing"]) == (1, 1)
    assert changed["after"] == {"without": {"resources": ["*scratch*"]}}
    assert told["finding.resolved"] == {"resource": SCRATCH}
    assert estate.read("SELECT count(*) FROM delivery") == [(2,)]
    assert estate.read("SELECT actor, subject FROM user_action WHERE action = 'scope.change'") == [
        ("ana", str(estate.source.id))
    ]


def test_a_change_without_a_reason_or_without_a_difference_is_refused(estate: Estate) -> None:
    with pytest.raises(ConfigurationError, match="reason"), estate.store.open(estate.tenant) as books:
        books.change_scope(estate.source.id, WITHOUT_SCRATCH, by="ana", reason=" ", now=NOW)
    with pytest.raises(ConfigurationError, match="in force"):
        estate.change(Scope())
    assert estate.read("SELECT count(*) FROM scope") == [(1,)]


def test_a_preview_says_what_the_change_then_does_and_writes_nothing(estate: Estate) -> None:
    wanted = Scope(without=Rule(regions=("eu-west-1",)))
    with estate.store.open(estate.tenant) as books:
        found = books.preview_scope(estate.source.id, wanted)
    assert estate.read("SELECT count(*) FROM scope") == [(1,)]
    assert (found.findings_leaving, found.resources_leaving, found.failing_leaving) == (1, 1, 1)
    assert found.regions_ending == ("eu-west-1",)
    assert len(estate.change(wanted).turns) == found.findings_leaving


def test_a_region_that_left_is_not_looked_at_and_what_was_seen_there_is_read_anew_later(estate: Estate) -> None:
    estate.change(Scope(without=Rule(regions=("eu-west-1",))))
    with estate.store.open(estate.tenant) as books:
        assert books.regions(estate.source.id) == ("eu-central-1",)
        assert books.all_regions(estate.source.id) == ("eu-central-1", "eu-west-1")
        assert [look.place for look in books.coverage(estate.source.id, place=None)] == ["global"]
    assert estate.read("SELECT place FROM evidence_span WHERE valid_to = :end", end=FOREVER) == [("global",)]
    with estate.app.under(estate.tenant) as conn:
        assert [row.place for row in coverage(conn, NOTHING, NOW + DAY)] == ["global"]


def test_the_reading_of_states_never_calls_what_is_excluded_anything_else(estate: Estate) -> None:
    estate.change(WITHOUT_SCRATCH)
    later = NOW + 30 * DAY  # long after the last look: everything else is stale by now
    with estate.app.under(estate.tenant) as conn:
        laid = groups(conn, NOTHING, later)
        assert counts(laid)["s3.bucket.encrypted"] == {"excluded": 1, "unknown": 1}
        total, rows = all_findings(conn, NOTHING, FindingFilter(state="excluded"), later)
        assert (total, [(row.state, row.reason) for row in rows]) == (
            1,
            [("excluded", "excluded by id: *scratch* (scope version 2)")],
        )


def test_a_verdict_that_a_run_under_way_still_wrote_is_shown_as_excluded(estate: Estate) -> None:
    estate.change(Scope(without=Rule(services=("ec2",))))
    estate.sql("UPDATE finding SET state = 'fail', reason = 'late' WHERE finding_id = :id", id=estate.volume)
    with estate.app.under(estate.tenant) as conn:
        _, rows = all_findings(conn, NOTHING, FindingFilter(check="ec2.volume.encrypted"), NOW)
        assert [(row.state, row.reason) for row in rows] == [
            ("excluded", "service ec2 is out of scope (scope version 2)")
        ]


def test_leaving_the_scope_is_a_turn_of_its_own_kind_in_the_drift(estate: Estate) -> None:
    estate.change(WITHOUT_SCRATCH)
    with estate.app.under(estate.tenant) as conn:
        found = drift(conn, NOW, NOW + DAY)
    assert [(row.kind, row.cause, row.previous, row.state) for row in found.rows] == [
        ("scope", "scope", "fail", "excluded")
    ]
    assert (found.counts["scope"], found.counts["resolved"]) == (1, 0)


def test_what_comes_back_waits_for_the_next_run_and_is_marked_no_longer(estate: Estate) -> None:
    estate.change(WITHOUT_SCRATCH)
    with estate.store.open(estate.tenant) as books:
        found = books.preview_scope(estate.source.id, Scope())
        books.change_scope(estate.source.id, Scope(), by="ana", reason="again", now=NOW + DAY)
    assert (found.findings_returning, found.findings_leaving) == (1, 0)
    assert estate.state(estate.scratch) == "excluded"
    assert estate.read("SELECT count(*) FROM exclusion WHERE valid_to = :end", end=FOREVER) == [(0,)]


def test_what_was_not_among_the_ids_is_marked_no_longer_when_it_comes_back(estate: Estate) -> None:
    estate.change(Scope(resources=(INTAKE,)))
    marked = "SELECT count(*) FROM exclusion WHERE valid_to = :forever"
    assert estate.read(marked, forever=FOREVER) == [(2,)]
    estate.change(Scope(resources=(INTAKE, SCRATCH)))
    assert estate.read(marked, forever=FOREVER) == [(1,)]


@pytest.mark.parametrize("place", ["global", "join", "eu-west-1"])
def test_a_change_waits_for_what_is_being_tracked(estate: Estate, place: str) -> None:
    with ThreadPoolExecutor(1) as thread:
        with estate.store.open(estate.tenant) as books:
            books._lock("track", str(estate.source.id), place)  # as a unit holds it that assesses there
            changing = thread.submit(estate.change, WITHOUT_SCRATCH)
            with pytest.raises(TimeoutError):
                changing.result(0.5)
        assert len(changing.result(20).turns) == 1


def test_two_changes_in_one_instant_leave_spans_that_last(estate: Estate) -> None:
    estate.change(WITHOUT_SCRATCH)
    estate.sql("UPDATE finding_span SET state = 'pass' WHERE finding_id = :id AND seq = 2", id=estate.scratch)
    estate.sql("UPDATE finding SET state = 'pass' WHERE finding_id = :id", id=estate.scratch)
    estate.change(Scope(without=Rule(services=("s3",))))
    assert estate.read("SELECT count(*) FROM finding_span WHERE valid_to <= valid_from") == [(0,)]
    assert estate.state(estate.scratch) == "excluded"


def test_regions_are_set_once_and_the_change_is_recorded(estate: Estate) -> None:
    with estate.store.open(estate.tenant) as books:
        assert books.set_regions(estate.source.id, ["us-gov-west-1"], pinned=True, by="ana", now=NOW)
        assert not books.set_regions(estate.source.id, ["us-gov-west-1"], pinned=True, by="ana", now=NOW)
        assert books.regions(estate.source.id) == ("us-gov-west-1",)
        assert books.pinned(estate.source.id)
    assert len(estate.read("SELECT 1 FROM user_action WHERE action = 'source.regions'")) == 1


def test_regions_are_set_beside_a_unit_that_writes_rows_of_the_source(estate: Estate) -> None:
    with estate.app.under(estate.tenant) as unit, estate.app.under(estate.tenant) as other:
        # What a foreign key takes of the source; a unit that has it may be waiting for a lock that we hold.
        unit.execute(text("SELECT 1 FROM source WHERE source_id = :id FOR KEY SHARE"), {"id": estate.source.id})
        other.execute(text("SET LOCAL lock_timeout = '1s'"))
        books = PostgresTenantStore(other, estate.tenant, MemoryObjects(), "auditor test")
        assert books.set_regions(estate.source.id, ["us-east-1"], pinned=True, by="ana", now=NOW)


def test_a_disconnected_source_is_due_no_more_and_its_findings_are_excluded_with_who_and_why(estate: Estate) -> None:
    with estate.store.open(estate.tenant) as books:
        books.disconnect(estate.source.id, by="ana", reason="account closed", now=NOW)
        assert books.sources() == ()
        assert books.source(estate.source.id).name == "production"
    assert estate.read("SELECT count(*) FROM schedule") == [(0,)]
    with estate.app.under(estate.tenant) as conn:
        _, rows = all_findings(conn, NOTHING, FindingFilter(), NOW + DAY)
        told = [(row.state, row.reason) for row in rows]
    assert told == [("excluded", "source disconnected by ana: account closed")] * 3
    with pytest.raises(TenancyError, match="already"), estate.store.open(estate.tenant) as books:
        books.disconnect(estate.source.id, by="ana", reason="again", now=NOW)


def test_a_source_that_is_connected_again_is_the_one_it_was(estate: Estate) -> None:
    with estate.store.open(estate.tenant) as books:
        books.disconnect(estate.source.id, by="ana", reason="account closed", now=NOW)
        books.add_source(estate.source, Scope(), regions=["eu-central-1"], every=3600, now=NOW + DAY)
        assert books.sources() == (estate.source,)
    assert estate.read("SELECT due_at, every_seconds FROM schedule") == [(NOW + DAY, 3600)]
    assert estate.read("SELECT count(*) FROM finding") == [(3,)]
