"""Who belongs to a tenant, in which role, since when; and what people did, one line each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from auditor.store import schema
from auditor.store.noting import LedgerRows

_AGAIN = "ON CONFLICT (tenant_id, identity_id, from_at) DO UPDATE SET role = excluded.role, to_at = NULL"


class MemberRows(LedgerRows):
    """Memberships and the record of acts."""

    def add_member(self, identity: UUID, role: str, *, now: datetime) -> None:
        """Give an identity a role from now on; the role it had ends."""
        self._run(
            "UPDATE membership SET to_at = :now WHERE identity_id = :id AND to_at IS NULL AND from_at < :now",
            id=identity,
            now=now,
        )
        row = {"identity_id": identity, "role": role, "from_at": now}
        self._insert(schema.membership, [row], _AGAIN)

    def end_membership(self, identity: UUID, *, now: datetime) -> None:
        """Take every role from an identity; its sessions here end with it."""
        self._run(
            "UPDATE membership SET to_at = :now WHERE identity_id = :id AND to_at IS NULL AND from_at < :now",
            id=identity,
            now=now,
        )

    def record_action(
        self, actor: str, action: str, subject: str, data: Mapping[str, Any] | None = None, *, now: datetime
    ) -> None:
        """Write down what somebody did, for the ledger too; nothing takes it away again."""
        self.act(actor, action, subject, data, now=now)
