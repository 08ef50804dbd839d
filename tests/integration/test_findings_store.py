from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, text

from auditor.domain.delivery import Attempt, Delivered, Disable, RetryAt
from auditor.domain.errors import StaleFenceError
from auditor.domain.events import Event
from auditor.domain.finding import FOREVER, Turn
from auditor.domain.scope import Scope
from auditor.domain.source import Unit
from auditor.store.claims import PostgresClaims
from auditor.store.database import Database
from auditor.store.deliveries import PostgresDeliveries
from auditor.store.identity import Identities
from auditor.store.memory import MemoryObjects
from auditor.store.tenant_store import PostgresStore, PostgresTenantStore
from tests.fixtures.database import NOW
from tests.fixtures.world import BUCKET, CHECK, a_source, brought, look, turn

HOUR = timedelta(hours=1)


class Account:
    """One connected source, whose global place is held as a worker holds it."""

    def __init__(self, app: Database, claims: Database) -> None:
        self.app, self.tenant = app, uuid4()
        self.store, self.claims = PostgresStore(app, MemoryObjects(), evaluator="auditor test"), PostgresClaims(claims)
        Identities(app).add_tenant(self.tenant, slug=str(self.tenant), name="T", now=NOW)
        self.source = a_source(self.tenant)
        with self.store.open(self.tenant) as rows:
            rows.add_source(self.source, Scope(), regions=[], every=86_400, now=NOW)

    def held(self, at: datetime) -> Unit:
        with self.store.open(self.tenant) as rows:
            rows.plan(self.source.id, slot=at, now=at, regions=[])
        claim = next(
            c for c in self.claims.lease("collect", now=at, limit=500, lease_for=600) if c.tenant == self.tenant
        )
        with self.store.open(self.tenant) as rows:
            return rows.unit(claim)

    def rows(self, sql: str, **values: Any) -> list[Any]:
        with self.app.under(self.tenant) as connection:
            return [tuple(row) for row in connection.execute(text(sql), values)]


@pytest.fixture
def account(app_database: Database, claims_database: Database) -> Account:
    return Account(app_database, claims_database)


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """What is sent to the server while this is open, one entry per round trip."""
    sent: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
        sent.extend([statement] * (len(parameters) if executemany else 1))

    event.listen(database._engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(database._engine, "before_cursor_execute", note)


def opened(id_: UUID) -> Event:
    return Event(id_, "finding.opened", NOW, {"check": CHECK})


def test_spans_follow_each_other_without_a_gap_and_are_found_as_of_any_moment(account: Account) -> None:
    unit = account.held(NOW)
    for n, (state, previous) in enumerate([("pass", None), ("fail", "pass"), ("absent", "fail")], start=1):
        at = NOW + n * HOUR
        with account.store.open(account.tenant) as rows:
            change = turn("b", state, at, seq=n, previous=previous, was_open=previous == "fail")  # type: ignore[arg-type]
            rows.apply(unit, [change], [], now=at)
    spans = account.rows(
        "SELECT seq, state, prev_state, valid_from, valid_to, closed_recorded_at FROM finding_span ORDER BY seq"
    )
    assert spans == [
        (1, "pass", None, NOW + HOUR, NOW + 2 * HOUR, NOW + 2 * HOUR),
        (2, "fail", "pass", NOW + 2 * HOUR, NOW + 3 * HOUR, NOW + 3 * HOUR),
        (3, "absent", "fail", NOW + 3 * HOUR, FOREVER, None),
    ]
    as_of = "SELECT state FROM finding_span WHERE valid_from <= :at AND valid_to > :at"
    assert account.rows(as_of, at=NOW + 2.5 * HOUR) == [("fail",)]
    assert account.rows(as_of, at=NOW) == []
    links = account.rows("SELECT opened_event, closed_event FROM finding_span ORDER BY seq")
    assert [closed for _, closed in links] == [links[1][0], links[2][0], None]


def test_what_is_gone_keeps_what_was_judged_last(account: Account) -> None:
    unit = account.held(NOW)
    with account.store.open(account.tenant) as rows:
        rows.apply(unit, [turn("b", "fail", NOW)], [], now=NOW)
        assert rows.current(account.source.id, place=None, resource_types=[BUCKET])[CHECK, "b"].open
        gone = turn("b", "absent", NOW + HOUR, seq=2, previous="fail", was_open=True)
        rows.apply(unit, [gone], [], now=NOW + HOUR)
        known = rows.current(account.source.id, place="global", resource_types=[BUCKET])[CHECK, "b"]
    assert (known.state, known.open, known.span_seq, known.judged_digest) == ("absent", False, 2, "j" * 64)
    assert account.rows("SELECT because, observed, judged_digest FROM finding_span WHERE seq = 2") == [
        (None, None, None)
    ]


def test_what_is_excluded_has_a_finding_whether_or_not_it_was_judged(account: Account) -> None:
    unit = account.held(NOW)
    never = replace(turn("never", "excluded", NOW), control="encrypt-data", tier="core")
    with account.store.open(account.tenant) as rows:
        rows.apply(unit, [turn("b", "fail", NOW), never], [], now=NOW)
        out = turn("b", "excluded", NOW + HOUR, seq=2, previous="fail", was_open=True)
        rows.apply(unit, [out], [], now=NOW + HOUR)
        known = rows.current(account.source.id, place="global", resource_types=[BUCKET])
    judged, unjudged = known[CHECK, "b"], known[CHECK, "never"]
    assert (judged.state, judged.open, judged.judged_digest, judged.evidence_digest) == (
        "excluded",
        False,
        "j" * 64,
        "e" * 64,
    )
    assert (unjudged.state, unjudged.open, unjudged.judged_digest, unjudged.evidence_digest) == (
        "excluded",
        False,
        "",
        "",
    )
    assert account.rows("SELECT control_id, tier FROM finding") == [("encrypt-data", "core")] * 2


def apply_and_fail(rows: PostgresTenantStore, unit: Unit, change: Turn) -> None:
    rows.apply(unit, [change], [opened(change.event_id)], now=NOW)
    raise ZeroDivisionError


def test_events_and_deliveries_stand_or_fall_with_their_spans(account: Account) -> None:
    unit = account.held(NOW)
    with account.store.open(account.tenant) as rows:
        rows.add_webhook(uuid4(), "https://example.com/hook", b"sealed", by="sam", now=NOW)
    change = turn("b", "fail", NOW)
    with pytest.raises(ZeroDivisionError), account.store.open(account.tenant) as rows:
        apply_and_fail(rows, unit, change)
    for table in ("finding", "finding_span", "outbox", "delivery"):
        assert account.rows(f"SELECT count(*) FROM {table}") == [(0,)]
    with account.store.open(account.tenant) as rows:
        rows.apply(unit, [change], [opened(change.event_id)], now=NOW)
    for table in ("finding", "finding_span", "outbox", "delivery"):
        assert account.rows(f"SELECT count(*) FROM {table}") == [(1,)]
    assert account.rows("SELECT count(*) FROM work WHERE queue = 'notify'") == [(1,)]


def test_a_turn_that_follows_another_span_than_the_open_one_undoes_all(account: Account) -> None:
    unit = account.held(NOW)
    with account.store.open(account.tenant) as rows:
        rows.apply(unit, [turn("b", "fail", NOW)], [], now=NOW)
    stray = turn("b", "pass", NOW + HOUR, seq=4, previous="fail")
    with pytest.raises(RuntimeError, match="open span"), account.store.open(account.tenant) as rows:
        rows.apply(unit, [turn("c", "fail", NOW), stray], [], now=NOW)
    assert account.rows("SELECT count(*) FROM finding") == [(1,)]


def test_a_worker_without_its_lease_writes_nothing(account: Account) -> None:
    unit = account.held(NOW)
    with account.store.open(account.tenant) as rows:
        rows.retry(unit, due_at=NOW)
    with pytest.raises(StaleFenceError), account.store.open(account.tenant) as rows:
        rows.apply(unit, [turn("b", "fail", NOW)], [], now=NOW)


def test_five_thousand_turns_with_their_events_take_as_many_statements_as_one(account: Account) -> None:
    unit = account.held(NOW)
    with account.store.open(account.tenant) as rows:
        rows.add_webhook(uuid4(), "https://example.com/hook", b"sealed", by="sam", now=NOW)
    counts = []
    for resources in (["one"], [f"b{n}" for n in range(5_000)]):
        turns = [turn(each, "fail", NOW) for each in resources]
        with account.store.open(account.tenant) as rows, statements(account.app) as sent:
            rows.apply(unit, turns, [opened(change.event_id) for change in turns], now=NOW)
        counts.append(len(sent))
    assert counts[1] == counts[0]
    assert account.rows("SELECT count(*) FROM delivery") == [(5_001,)]


def test_coverage_extends_while_it_says_the_same_and_closes_when_it_does_not(account: Account) -> None:
    unit = account.held(NOW)
    looks = [
        look(NOW),
        look(NOW + 24 * HOUR),
        look(NOW + 30 * HOUR, state="denied", detail="AccessDenied"),
        look(NOW + 90 * HOUR, state="denied", detail="AccessDenied"),
    ]
    with account.store.open(account.tenant) as rows:
        for each in looks:
            rows.keep_derived(unit, brought([], [each], each.at), {}, now=each.at)
        rows.keep_derived(unit, brought([], [looks[0]], NOW), {}, now=NOW)
        assert rows.coverage(account.source.id, place="global") == (looks[-1],)
    assert account.rows("SELECT state, valid_from, last_at, valid_to FROM coverage_span ORDER BY valid_from") == [
        ("ok", NOW, NOW + 24 * HOUR, NOW + 30 * HOUR),
        ("denied", NOW + 30 * HOUR, NOW + 30 * HOUR, NOW + 78 * HOUR),
        ("denied", NOW + 90 * HOUR, NOW + 90 * HOUR, FOREVER),
    ]


def test_the_end_of_a_run_leaves_its_roll_up(account: Account) -> None:
    unit = account.held(NOW)
    with account.store.open(account.tenant) as rows:
        rows.keep(unit, brought([], [look(NOW)], NOW), {}, now=NOW)
    for _ in range(2):
        claim = next(
            c for c in account.claims.lease("assess", now=NOW, limit=99, lease_for=60) if c.tenant == account.tenant
        )
        with account.store.open(account.tenant) as rows:
            leased = rows.unit(claim)
            if leased.place == "global":
                rows.apply(
                    leased, [turn("b", "fail", NOW), turn("c", "pass", NOW), turn("d", "fail", NOW)], [], now=NOW
                )
            over = rows.finish(leased, {"listed": 3, "judged": 2, "excluded": 1}, now=NOW)
    assert over
    assert account.rows("SELECT day, state, n FROM daily_rollup ORDER BY state") == [
        (NOW.date(), "fail", 2),
        (NOW.date(), "pass", 1),
    ]
    assert account.rows("SELECT state, counts FROM run") == [("done", {"listed": 6, "judged": 4, "excluded": 2})]


def deliverable(account: Account) -> tuple[PostgresDeliveries, Any]:
    unit, change = account.held(NOW), turn("b", "fail", NOW)
    with account.store.open(account.tenant) as rows:
        rows.add_webhook(uuid4(), "https://example.com/hook", b"new", by="sam", now=NOW)
        rows.apply(unit, [change], [opened(change.event_id)], now=NOW)
    deliveries = PostgresDeliveries(account.app, lambda _tenant, sealed: f"whsec_{sealed.decode()}", lambda: NOW)
    return deliveries, leased_delivery(account, NOW)


def leased_delivery(account: Account, at: datetime) -> Any:
    return next(
        c for c in account.claims.lease("notify", now=at, limit=9_999, lease_for=60) if c.tenant == account.tenant
    )


def test_a_delivery_is_tried_again_and_then_over(account: Account) -> None:
    deliveries, claim = deliverable(account)
    delivery = deliveries.load(account.tenant, claim.id, claim.fence)
    assert delivery is not None
    assert (delivery.secrets, delivery.attempts, delivery.type) == (("whsec_new",), 0, "finding.opened")
    later = NOW + timedelta(seconds=5)
    deliveries.record(
        delivery, Attempt(1, NOW, 12, status=503, head=b"busy\x00\xff"), RetryAt(later, "answered 503"), NOW
    )
    with pytest.raises(StaleFenceError):
        deliveries.load(account.tenant, claim.id, claim.fence)
    again = leased_delivery(account, later)
    second = deliveries.load(account.tenant, again.id, again.fence)
    assert second is not None
    assert (second.event_id, second.attempts, second.body) == (delivery.event_id, 1, delivery.body)
    deliveries.record(second, Attempt(2, later, 9, status=204), Delivered(), later)
    assert deliveries.load(account.tenant, again.id, again.fence) is None
    assert account.rows("SELECT state, attempts, delivered_at FROM delivery") == [("delivered", 2, later)]
    assert account.rows("SELECT n, status, response_head FROM delivery_attempt ORDER BY n") == [
        (1, 503, "busy\ufffd\ufffd"),
        (2, 204, ""),
    ]
    assert account.rows("SELECT count(*) FROM work WHERE queue = 'notify'") == [(0,)]


def test_a_webhook_that_is_gone_is_switched_off_and_what_was_due_to_it_ends(account: Account) -> None:
    deliveries, claim = deliverable(account)
    delivery = deliveries.load(account.tenant, claim.id, claim.fence)
    assert delivery is not None
    deliveries.record(delivery, Attempt(1, NOW, 3, status=410), Disable("answered 410: gone for good"), NOW)
    with account.store.open(account.tenant) as rows:
        [hook] = rows.webhooks()
        assert (hook.disabled_at, hook.disabled_reason) == (NOW, "answered 410: gone for good")
        rows.redeliver(claim.id, now=NOW)
    again = leased_delivery(account, NOW)
    assert deliveries.load(account.tenant, again.id, again.fence) is None
    assert account.rows("SELECT state, last_error FROM delivery") == [("failed", "the webhook is switched off")]


def test_while_a_secret_is_replaced_both_sign(account: Account) -> None:
    deliveries, claim = deliverable(account)
    with account.store.open(account.tenant) as rows:
        [hook] = rows.webhooks()
        rows.rotate_webhook(hook.id, b"newer", previous_until=NOW + HOUR)
    delivery = deliveries.load(account.tenant, claim.id, claim.fence)
    assert delivery is not None
    assert delivery.secrets == ("whsec_newer", "whsec_new")
