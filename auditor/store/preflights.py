"""Pre-flights: asked for by a person as a row, answered by a worker, kept with who asked and when."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from auditor.domain.errors import StaleFenceError
from auditor.domain.ports import Claim
from auditor.domain.preflight import Tried
from auditor.store import schema
from auditor.store.scoped import Scoped

_CLAIMED = """
SELECT p.source_id FROM work w JOIN preflight p ON p.tenant_id = w.tenant_id AND p.preflight_id = w.id
WHERE w.queue = 'preflight' AND w.id = :id AND w.fence = :fence AND w.lease_until IS NOT NULL FOR UPDATE OF w
"""
_LATEST = """
SELECT * FROM preflight WHERE source_id = :source ORDER BY requested_at DESC, preflight_id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Preflight:
    """One test of what may be asked: waiting while ``finished_at`` is none, failed where there is an ``error``."""

    id: UUID
    requested_at: datetime
    requested_by: str
    finished_at: datetime | None
    tried: tuple[Tried, ...]
    error: str | None


class PreflightRows(Scoped):
    """Pre-flights of sources."""

    def ask_preflight(self, id: UUID, source: UUID, *, by: str, now: datetime) -> None:  # noqa: A002
        """Ask for one; a worker takes it from the queue."""
        self._insert(
            schema.preflight, [{"preflight_id": id, "source_id": source, "requested_at": now, "requested_by": by}]
        )
        self._insert(schema.work, [{"queue": "preflight", "id": id, "due_at": now}])

    def preflight_source(self, claim: Claim) -> UUID:
        """The source of a claimed pre-flight, its row locked.

        Raises:
            StaleFenceError: Somebody else has it, or it was answered.
        """
        row = self._one(_CLAIMED, id=claim.id, fence=claim.fence)
        if row is None:
            raise StaleFenceError(f"pre-flight {claim.id} is no longer held under fence {claim.fence}")
        source: UUID = row.source_id
        return source

    def answer_preflight(self, claim: Claim, tried: Sequence[Tried], *, error: str | None, now: datetime) -> None:
        """Keep the answer and close the request.

        Raises:
            StaleFenceError: Somebody else has answered meanwhile.
        """
        self.preflight_source(claim)
        self._keep_answer(claim.id, tried, error, now)
        self._run("DELETE FROM work WHERE queue = 'preflight' AND id = :id", id=claim.id)

    def keep_preflight(self, id: UUID, source: UUID, tried: Sequence[Tried], *, by: str, now: datetime) -> None:  # noqa: A002
        """Keep one that was answered as it was asked, in a terminal."""
        self._insert(
            schema.preflight, [{"preflight_id": id, "source_id": source, "requested_at": now, "requested_by": by}]
        )
        self._keep_answer(id, tried, None, now)

    def latest_preflight(self, source: UUID) -> Preflight | None:
        """The last one that was asked for."""
        row = self._one(_LATEST, source=source)
        if row is None:
            return None
        tried = tuple(Tried(*one) for one in row.result or ())
        return Preflight(row.preflight_id, row.requested_at, row.requested_by, row.finished_at, tried, row.error)

    def _keep_answer(self, id_: UUID, tried: Sequence[Tried], error: str | None, now: datetime) -> None:
        answered = json.dumps([[one.action, one.region, one.answer, one.by, one.detail] for one in tried])
        self._run(
            "UPDATE preflight SET result = CAST(:result AS jsonb), error = :error, finished_at = :now WHERE preflight_id = :id",
            id=id_,
            result=answered,
            error=error,
            now=now,
        )
