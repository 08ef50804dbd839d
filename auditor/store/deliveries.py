"""Deliveries: an event on its way to one webhook, every attempt kept. Each call is one short transaction of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from auditor.domain.delivery import Attempt, Delivered, Delivery, Disable, Outcome, RetryAt
from auditor.domain.errors import StaleFenceError
from auditor.domain.events import Event
from auditor.domain.ports import Clock
from auditor.proof.canonical import canonical
from auditor.store.database import Database

_LOAD = text("""
SELECT d.state, d.attempts, d.webhook_id, h.url, h.secret_sealed, h.previous_sealed, h.previous_until, h.disabled_at,
       o.event_id, o.type, o.at, o.data, w.fence, w.lease_until,
       (SELECT note FROM ledger_checkpoint c WHERE c.tenant_id = d.tenant_id ORDER BY size DESC LIMIT 1) AS checkpoint
FROM delivery d
JOIN webhook h ON h.tenant_id = d.tenant_id AND h.webhook_id = d.webhook_id
JOIN outbox o ON o.tenant_id = d.tenant_id AND o.event_id = d.event_id
LEFT JOIN work w ON w.queue = 'notify' AND w.id = d.delivery_id
WHERE d.delivery_id = :id
""")
_HELD = text("""
SELECT 1 FROM work WHERE queue = 'notify' AND id = :id AND fence = :fence AND lease_until IS NOT NULL FOR UPDATE
""")
_ATTEMPT = text("""
INSERT INTO delivery_attempt (tenant_id, delivery_id, n, at, status, error, took_ms, response_head)
SELECT :tenant, :id, coalesce(max(n), 0) + 1, :at, :status, :error, :took_ms, :head FROM delivery_attempt WHERE delivery_id = :id
""")
_MOVE = text("""
UPDATE delivery SET state = :state, attempts = attempts + :made, next_attempt_at = :next, last_status = :status, last_error = :error,
    delivered_at = :delivered_at
WHERE delivery_id = :id
""")
_END = text("DELETE FROM work WHERE queue = 'notify' AND id = :id")
_LATER = text("UPDATE work SET due_at = :next, lease_until = NULL WHERE queue = 'notify' AND id = :id")
_DISABLE = text("""
UPDATE webhook SET disabled_at = :now, disabled_reason = :reason WHERE webhook_id = :id AND disabled_at IS NULL
""")


class PostgresDeliveries:
    """``pipeline.notify.Deliveries`` over the application role.

    Args:
        database: The application role's connections.
        opened: A tenant's sealed secret as text; this room holds no key.
        clock: Says whether a replaced secret still signs along.
    """

    def __init__(self, database: Database, opened: Callable[[UUID, bytes], str], clock: Clock) -> None:
        self._database = database
        self._opened = opened
        self._clock = clock

    def load(self, tenant: UUID, id: UUID, fence: int) -> Delivery | None:  # noqa: A002  (as in the port)
        """The leased delivery with its secrets opened; none if nothing is left to do (delivered, or the webhook is off).

        Raises:
            StaleFenceError: Another worker holds the lease.
        """
        with self._database.under(tenant) as connection:
            row = connection.execute(_LOAD, {"id": id}).one_or_none()
            if row is None or row.state != "due":
                return None
            if row.fence != fence or row.lease_until is None:
                raise _stale(id, fence)
            if row.disabled_at is not None:
                _move(connection, id, "failed", made=0, error="the webhook is switched off")
                connection.execute(_END, {"id": id})
                return None
        return self._delivery(tenant, id, fence, row)

    def record(self, delivery: Delivery, attempt: Attempt, outcome: Outcome, now: datetime) -> None:
        """Keep the attempt and move the delivery on; ``Disable`` also switches its webhook off.

        Raises:
            StaleFenceError: Another worker holds the lease: it will tell what happened.
        """
        with self._database.under(delivery.tenant) as connection:
            if connection.execute(_HELD, {"id": delivery.id, "fence": delivery.fence}).one_or_none() is None:
                raise _stale(delivery.id, delivery.fence)
            # What a receiver answers is anybody's text: PostgreSQL holds no NUL, and bytes need not be UTF-8.
            head = attempt.head[:1024].decode("utf-8", "replace").replace("\x00", "\ufffd")
            told = {"status": attempt.status, "error": attempt.error, "at": attempt.at, "took_ms": attempt.took_ms}
            connection.execute(_ATTEMPT, {"tenant": delivery.tenant, "id": delivery.id, "head": head, **told})
            if isinstance(outcome, RetryAt):
                _move(connection, delivery.id, "due", status=attempt.status, error=outcome.reason, next=outcome.at)
                connection.execute(_LATER, {"id": delivery.id, "next": outcome.at})
                return
            connection.execute(_END, {"id": delivery.id})
            if isinstance(outcome, Delivered):
                _move(connection, delivery.id, "delivered", status=attempt.status, delivered_at=now)
                return
            _move(connection, delivery.id, "failed", status=attempt.status, error=outcome.reason)
            if isinstance(outcome, Disable):
                connection.execute(_DISABLE, {"id": delivery.webhook_id, "reason": outcome.reason, "now": now})

    def _delivery(self, tenant: UUID, id: UUID, fence: int, row: Row[Any]) -> Delivery:  # noqa: A002  (as in the port)
        sealed = [bytes(row.secret_sealed)]
        if row.previous_sealed is not None and row.previous_until > self._clock():
            sealed.append(bytes(row.previous_sealed))
        event = Event(row.event_id, row.type, row.at, row.data)
        return Delivery(
            tenant=tenant,
            id=id,
            fence=fence,
            webhook_id=row.webhook_id,
            event_id=row.event_id,
            type=row.type,
            url=row.url,
            secrets=tuple(self._opened(tenant, one) for one in sealed),
            body=canonical(event.envelope()),
            attempts=row.attempts,
            checkpoint=row.checkpoint or "",
        )


def _stale(id_: UUID, fence: int) -> StaleFenceError:
    return StaleFenceError(f"delivery {id_} is no longer held under fence {fence}")


def _move(connection: Connection, id_: UUID, state: str, *, made: int = 1, **told: Any) -> None:
    known = {"status": None, "error": None, "next": None, "delivered_at": None, **told}
    connection.execute(_MOVE, {"id": id_, "state": state, "made": made, **known})
