"""Webhooks: where events go. Secrets come in sealed and go out sealed; this room holds no key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from auditor.domain.errors import TenancyError
from auditor.store.outbox import OutboxRows

_ADD = """
INSERT INTO webhook (tenant_id, webhook_id, url, secret_sealed, created_at, created_by)
VALUES (:tenant, :id, :url, :sealed, :now, :by)
"""
_ROTATE = """
UPDATE webhook SET previous_sealed = secret_sealed, previous_until = :until, secret_sealed = :sealed WHERE webhook_id = :id
"""


_AGAIN = """
INSERT INTO work (tenant_id, queue, id, due_at) VALUES (:tenant, 'notify', :id, :now)
ON CONFLICT (queue, id) DO UPDATE SET due_at = :now, lease_until = NULL
"""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook as it is kept. ``previous_sealed`` signs along until ``previous_until``."""

    id: UUID
    url: str
    secret_sealed: bytes
    previous_sealed: bytes | None
    previous_until: datetime | None
    created_at: datetime
    created_by: str
    disabled_at: datetime | None
    disabled_reason: str | None


class WebhookRows(OutboxRows):
    """Addresses that a tenant wants to be told at."""

    def add_webhook(self, id: UUID, url: str, secret_sealed: bytes, *, by: str, now: datetime) -> None:  # noqa: A002  (as in ports)
        """Keep a webhook, on from now; what happened before is not sent to it."""
        self._run(_ADD, id=id, url=url, sealed=secret_sealed, now=now, by=by)

    def webhooks(self) -> tuple[Webhook, ...]:
        """Every webhook, the oldest first, disabled ones included."""
        return tuple(_webhook(row) for row in self._run("SELECT * FROM webhook ORDER BY created_at, webhook_id"))

    def webhook(self, id: UUID) -> Webhook:  # noqa: A002  (as in ports)
        """One webhook.

        Raises:
            TenancyError: There is none of that id here.
        """
        row = self._one("SELECT * FROM webhook WHERE webhook_id = :id", id=id)
        if row is None:
            raise TenancyError(f"no webhook {id}")
        return _webhook(row)

    def disable_webhook(self, id: UUID, reason: str, *, now: datetime) -> None:  # noqa: A002  (as in ports)
        """Send nothing more to it; what is due fails as it comes up. Disabling twice keeps the first reason."""
        self._run(
            "UPDATE webhook SET disabled_at = :now, disabled_reason = :reason WHERE webhook_id = :id AND disabled_at IS NULL",
            id=id,
            now=now,
            reason=reason,
        )

    def rotate_webhook(self, id: UUID, secret_sealed: bytes, *, previous_until: datetime) -> None:  # noqa: A002  (as in ports)
        """A new secret, the old one signing along until ``previous_until``."""
        self._run(_ROTATE, id=id, sealed=secret_sealed, until=previous_until)

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


def _webhook(row: Row[Any]) -> Webhook:
    return Webhook(
        id=row.webhook_id,
        url=row.url,
        secret_sealed=bytes(row.secret_sealed),
        previous_sealed=None if row.previous_sealed is None else bytes(row.previous_sealed),
        previous_until=row.previous_until,
        created_at=row.created_at,
        created_by=row.created_by,
        disabled_at=row.disabled_at,
        disabled_reason=row.disabled_reason,
    )
