"""What a tenant's evidence needs once a day, as one row of due work: locks pushed out, holds laid on."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from auditor.domain.errors import StaleFenceError
from auditor.domain.ports import Claim
from auditor.domain.source import public_id
from auditor.store import schema
from auditor.store.scoped import Scoped

_AGAIN = """
UPDATE work SET due_at = :due, lease_until = NULL, attempts = 0
WHERE queue = 'upkeep' AND id = :id AND fence = :fence AND lease_until IS NOT NULL RETURNING id
"""


def upkeep_id(tenant: UUID) -> UUID:
    """A tenant has one row of it."""
    return public_id(tenant, "upkeep")


class UpkeepRows(Scoped):
    """The row that comes due each day."""

    def begin_upkeep(self, *, now: datetime) -> None:
        """See to it that there is a row; one that is there stays as it is."""
        row = {"queue": "upkeep", "id": upkeep_id(self._tenant), "due_at": now}
        self._insert(schema.work, [row], "ON CONFLICT DO NOTHING")

    def upkeep_done(self, claim: Claim, *, due_at: datetime) -> None:
        """Come back at ``due_at``.

        Raises:
            StaleFenceError: Somebody else has it by now.
        """
        if self._one(_AGAIN, id=claim.id, fence=claim.fence, due=due_at) is None:
            raise StaleFenceError(f"upkeep is no longer held under fence {claim.fence}")
