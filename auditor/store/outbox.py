"""The outbox: events and a due delivery per webhook, written where the change is written, sent afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from auditor.domain.events import Event
from auditor.store import schema
from auditor.store.ids import delivery_id
from auditor.store.scoped import Scoped


class OutboxRows(Scoped):
    """What is to be told."""

    def announce(
        self, events: Sequence[Event], *, now: datetime, run: UUID | None = None, webhook: UUID | None = None
    ) -> None:
        """Keep events, due to every webhook that is on, or to the one that is named; announcing twice is announcing once."""
        rows = [
            {"event_id": event.id, "type": event.type, "at": event.at, "data": dict(event.data), "run_id": run}
            for event in events
        ]
        self._insert(schema.outbox, conflict="ON CONFLICT DO NOTHING", rows=rows)
        hooks = self._run(
            "SELECT webhook_id FROM webhook WHERE disabled_at IS NULL AND (CAST(:one AS uuid) IS NULL OR webhook_id = :one)",
            one=webhook,
        ).scalars()
        deliveries = [
            {
                "delivery_id": delivery_id(self._tenant, hook, event.id),
                "webhook_id": hook,
                "event_id": event.id,
                "next_attempt_at": now,
            }
            for hook in hooks
            for event in events
        ]
        due = [{"queue": "notify", "id": one["delivery_id"], "due_at": now} for one in deliveries]
        self._insert(schema.delivery, conflict="ON CONFLICT DO NOTHING", rows=deliveries)
        self._insert(schema.work, conflict="ON CONFLICT DO NOTHING", rows=due)
