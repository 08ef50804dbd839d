"""Deliveries: an event on its way to one webhook, every attempt kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from auditor.domain.errors import StaleFenceError, TenancyError
from auditor.domain.events import Event
from auditor.domain.ports import Claim
from auditor.store.scoped import Scoped

_LOAD = """
SELECT d.attempts, d.webhook_id, h.url, h.secret_sealed, h.previous_sealed, h.previous_until, h.disabled_at,
       o.event_id, o.type, o.at, o.data
FROM work w
JOIN delivery d ON d.tenant_id = w.tenant_id AND d.delivery_id = w.id
JOIN webhook h ON h.tenant_id = d.tenant_id AND h.webhook_id = d.webhook_id
JOIN outbox o ON o.tenant_id = d.tenant_id AND o.event_id = d.event_id
WHERE w.queue = 'notify' AND w.id = :id AND w.fence = :fence AND w.lease_until IS NOT NULL AND d.state = 'due'
"""
_HELD = (
    "SELECT 1 FROM work WHERE queue = 'notify' AND id = :id AND fence = :fence AND lease_until IS NOT NULL FOR UPDATE"
)
_RECORD = """
INSERT INTO delivery_attempt (tenant_id, delivery_id, n, at, status, error, took_ms, response_head)
SELECT :tenant, :id, coalesce(max(n), 0) + 1, :at, :status, :error, :took_ms, :head FROM delivery_attempt WHERE delivery_id = :id
"""
_MOVE = """
UPDATE delivery SET state = :state, attempts = attempts + 1, next_attempt_at = :next, last_status = :status, last_error = :error,
    delivered_at = CASE WHEN :state = 'delivered' THEN CAST(:at AS timestamptz) END
WHERE delivery_id = :id
"""
_AGAIN = """
INSERT INTO work (tenant_id, queue, id, due_at) VALUES (:tenant, 'notify', :id, :now)
ON CONFLICT (queue, id) DO UPDATE SET due_at = :now, lease_until = NULL
"""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A delivery ready to be sent. ``attempts`` counts those made; ``disabled`` says that its webhook was turned off."""

    id: UUID
    fence: int
    webhook: UUID
    url: str
    secret_sealed: bytes
    previous_sealed: bytes | None
    previous_until: datetime | None
    disabled: bool
    event: Event
    attempts: int


class DeliveryRows(Scoped):
    """What is on its way."""

    def delivery(self, claim: Claim) -> Outgoing:
        """The claimed delivery with all it takes to send it, outside of this transaction.

        Raises:
            StaleFenceError: The lease was taken over, or the delivery is over.
        """
        row = self._one(_LOAD, id=claim.id, fence=claim.fence)
        if row is None:
            raise StaleFenceError(f"delivery {claim.id} is no longer held under fence {claim.fence}")
        return Outgoing(
            id=claim.id,
            fence=claim.fence,
            webhook=row.webhook_id,
            url=row.url,
            secret_sealed=bytes(row.secret_sealed),
            previous_sealed=None if row.previous_sealed is None else bytes(row.previous_sealed),
            previous_until=row.previous_until,
            disabled=row.disabled_at is not None,
            event=Event(row.event_id, row.type, row.at, row.data),
            attempts=row.attempts,
        )

    def record_attempt(
        self,
        outgoing: Outgoing,
        *,
        at: datetime,
        delivered: bool,
        status: int | None,
        error: str | None,
        took_ms: int,
        response_head: str = "",
        next_attempt_at: datetime | None = None,
    ) -> None:
        """Keep what came of an attempt: delivered, due again at ``next_attempt_at``, or failed if there is no next.

        Raises:
            StaleFenceError: Somebody else has sent it meanwhile; the receiver sees the same id twice.
        """
        if self._one(_HELD, id=outgoing.id, fence=outgoing.fence) is None:
            raise StaleFenceError(f"delivery {outgoing.id} is no longer held under fence {outgoing.fence}")
        again = None if delivered else next_attempt_at
        state = "delivered" if delivered else "failed" if again is None else "due"
        told = {"status": status, "error": error, "at": at}
        self._run(_RECORD, id=outgoing.id, took_ms=took_ms, head=response_head[:1024], **told)
        self._run(_MOVE, id=outgoing.id, state=state, next=again, **told)
        if again is None:
            self._run("DELETE FROM work WHERE queue = 'notify' AND id = :id", id=outgoing.id)
        else:
            self._run(
                "UPDATE work SET due_at = :due, lease_until = NULL WHERE queue = 'notify' AND id = :id",
                id=outgoing.id,
                due=again,
            )

    def redeliver(self, id: UUID, *, now: datetime) -> None:  # noqa: A002  (as in ports)
        """Make a delivery due again, under the same event id, whatever came of it.

        Raises:
            TenancyError: There is none of that id here.
        """
        found = self._one(
            "UPDATE delivery SET state = 'due', next_attempt_at = :now WHERE delivery_id = :id RETURNING 1",
            id=id,
            now=now,
        )
        if found is None:
            raise TenancyError(f"no delivery {id}")
        self._run(_AGAIN, id=id, now=now)
