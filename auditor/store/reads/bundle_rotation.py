"""What shows that one key followed another on a tenant's log."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sqlalchemy import Connection, text

from auditor.domain.ledger import rotation_event
from auditor.proof.merkle import Nodes, inclusion_proof
from auditor.proof.note import InclusionProof, VerifierKey, parse_note
from auditor.proof.rotation import subject_of

# The head over the entry that was signed first: from it on both keys sign, until the older one is retired.
_NAMED = """
SELECT e.idx, e.entry, c.size, c.note FROM ledger_entry e JOIN ledger_checkpoint c ON c.tenant_id = e.tenant_id AND c.size > e.idx
WHERE e.event_id = :event ORDER BY c.size LIMIT 1
"""


def rotation(
    connection: Connection, tenant: UUID, nodes: Callable[[int], Nodes], before: VerifierKey, after: VerifierKey
) -> InclusionProof | None:
    """That the log names one key as the next, under a head that both signed; none if it does not, for it is younger than that."""
    event = rotation_event(tenant, subject_of(after.key))
    row = connection.execute(text(_NAMED), {"event": event}).one_or_none()
    if row is None or not {before.hash, after.hash} <= {one.key_hash for one in parse_note(row.note).signatures}:
        return None
    path = inclusion_proof(row.idx, row.size, nodes(row.size))
    return InclusionProof(row.idx, tuple(path), row.note, bytes(row.entry))
