"""What is kept and for how long, as rows: the living objects with what rests on them, legal holds, keys destroyed.

Nothing here deletes a row. A destroyed key leaves its row, so that what was erased, and when, can still be told.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from auditor.domain.errors import TenancyError
from auditor.domain.retention import Act, Hold, Kept
from auditor.store import schema
from auditor.store.keys import MOVE_LOCKS
from auditor.store.scoped import Scoped

# In effect is what an open span of evidence or of a finding rests on; a closed one counts until it closed. A finding rests on
# the volatile facts that stood as it was judged too, and a hold on a resource holds those of its type: its row is among them.
# What was handed over counts from when it was issued last, and is under every hold that stands: a bundle may tell of whatever
# is held.
_KEPT = """
WITH content AS (SELECT evidence_id, digest FROM evidence),
seen AS (
    SELECT evidence_id, bool_or(valid_to = :forever) AS is_open,
        max(CASE WHEN valid_to = :forever THEN last_at ELSE valid_to END) AS last_at
    FROM evidence_span GROUP BY evidence_id
),
spans AS (
    SELECT DISTINCT f.source_id, f.place, f.resource_type || '+volatile' AS beside, s.evidence_digest, s.judged_as_of,
        s.valid_to = :forever AS is_open, CASE WHEN s.valid_to = :forever THEN s.valid_from ELSE s.valid_to END AS last_at
    FROM finding_span s JOIN finding f ON f.finding_id = s.finding_id WHERE s.evidence_digest IS NOT NULL
),
judged AS (
    SELECT digest, bool_or(is_open) AS is_open, max(last_at) AS last_at
    FROM (
        SELECT evidence_digest AS digest, is_open, last_at FROM spans
        UNION ALL
        SELECT content.digest, spans.is_open, spans.last_at FROM spans
        JOIN resource r ON r.source_id = spans.source_id AND r.type = spans.beside
        JOIN evidence_span e ON e.resource_id = r.resource_id AND e.place = spans.place
            AND e.valid_from <= spans.judged_as_of AND e.valid_to > spans.judged_as_of
        JOIN content ON content.evidence_id = e.evidence_id
    ) AS resting GROUP BY digest
),
held AS (
    SELECT h.hold_id, h.source_id, r.resource_id, r.source_id AS of_source, r.type || '+volatile' AS beside
    FROM legal_hold h LEFT JOIN resource r ON r.resource_id = h.resource_id
    WHERE h.released_at IS NULL
),
-- A record of calls is kept as long as the longest of what rests on it, and under the holds of all of that.
called AS (
    SELECT s.calls_id AS evidence_id, bool_or(coalesce(seen.is_open, false) OR coalesce(judged.is_open, false)) AS is_open,
        max(greatest(seen.last_at, judged.last_at)) AS last_at
    FROM evidence_span s JOIN content USING (evidence_id)
    LEFT JOIN seen USING (evidence_id) LEFT JOIN judged USING (digest)
    WHERE s.calls_id IS NOT NULL GROUP BY s.calls_id
),
covered AS (
    SELECT kept.id AS evidence_id, array_agg(DISTINCT h.hold_id) AS holds
    FROM held h
    JOIN resource r ON r.source_id = h.source_id OR r.resource_id = h.resource_id
        OR (r.source_id = h.of_source AND r.type = h.beside)
    JOIN evidence_span s ON s.resource_id = r.resource_id
    CROSS JOIN LATERAL (VALUES (s.evidence_id), (s.calls_id)) AS kept (id)
    GROUP BY kept.id
),
handed AS (
    SELECT p.digest, max(b.finished_at) AS last_at, array_agg(b.bundle_id ORDER BY b.bundle_id) AS bundles
    FROM bundle_part p JOIN bundle b ON b.bundle_id = p.bundle_id GROUP BY p.digest
),
standing AS (SELECT coalesce(array_agg(hold_id), '{}') AS holds FROM legal_hold WHERE released_at IS NULL),
all_of_it AS (
    SELECT coalesce(array_agg(hold_id), '{}') AS holds FROM legal_hold
    WHERE released_at IS NULL AND source_id IS NULL AND resource_id IS NULL
)
SELECT k.digest, k.address, k.created_at,
    greatest(seen.last_at, judged.last_at, called.last_at, handed.last_at) AS last_in_effect,
    coalesce(seen.is_open, false) OR coalesce(judged.is_open, false) OR coalesce(called.is_open, false) AS in_effect,
    coalesce(covered.holds, '{}') || CASE WHEN handed.digest IS NULL THEN all_of_it.holds ELSE standing.holds END AS holds,
    k.locked_until, k.held, coalesce(handed.bundles, '{}') AS bundles
FROM object_key k CROSS JOIN all_of_it CROSS JOIN standing
LEFT JOIN handed ON handed.digest = k.digest
LEFT JOIN content ON content.digest = k.digest
LEFT JOIN seen ON seen.evidence_id = content.evidence_id
LEFT JOIN judged ON judged.digest = k.digest
LEFT JOIN called ON called.evidence_id = content.evidence_id
LEFT JOIN covered ON covered.evidence_id = content.evidence_id
WHERE k.destroyed_at IS NULL AND k.stored_at IS NOT NULL AND (CAST(:digest AS text) IS NULL OR k.digest = :digest)
ORDER BY k.created_at, k.digest
"""
_REMAINS = """
SELECT address FROM object_key WHERE destroyed_at IS NOT NULL AND deleted_at IS NULL
    AND NOT held AND (locked_until IS NULL OR locked_until <= :now)
ORDER BY address
"""
# Rows of the first release name addresses that no key knows. Evidence is append-only, so they go on naming them.
_UNSEALED = """
SELECT e.digest, e.address, EXISTS (
    SELECT 1 FROM object_key k WHERE k.digest = e.digest AND (k.stored_at IS NOT NULL OR k.destroyed_at IS NOT NULL)
) AS keyed FROM evidence e WHERE NOT EXISTS (SELECT 1 FROM object_key k WHERE k.address = e.address)
ORDER BY e.digest
"""
_DESTROY = """
UPDATE object_key SET wrapped = NULL, salt = NULL, destroyed_at = :now
WHERE tenant_id = :tenant AND destroyed_at IS NULL AND address = ANY (:addresses)
RETURNING address
"""
_DESTROY_ALL = """
UPDATE object_key SET wrapped = NULL, salt = NULL, destroyed_at = :now
WHERE tenant_id = :tenant AND destroyed_at IS NULL
RETURNING address
"""
# What stood on an erased content stands no more: the next run reads the resource anew, instead of taking it for known.
_END = """
UPDATE evidence_span s SET valid_to = greatest(CAST(:now AS timestamptz), s.valid_from + interval '1 microsecond')
FROM evidence e JOIN object_key k ON k.tenant_id = e.tenant_id AND k.digest = e.digest
WHERE s.tenant_id = :tenant AND e.tenant_id = s.tenant_id AND e.evidence_id = s.evidence_id AND s.valid_to = :forever
    AND k.address = ANY (:addresses)
RETURNING s.resource_id
"""
# Of equal inputs nothing is built: what was derived and is erased would be neither there nor built again.
_JOIN_ANEW = """
UPDATE join_state SET inputs_digest = ''
WHERE tenant_id = :tenant AND source_id IN (SELECT source_id FROM resource WHERE resource_id = ANY (:resources))
"""
_DESTROY_TENANT = """
UPDATE tenant_key SET wrapped = NULL, destroyed_at = :now WHERE tenant_id = :tenant AND destroyed_at IS NULL
"""
_HOLDS = "SELECT * FROM legal_hold WHERE CAST(:all AS boolean) OR released_at IS NULL ORDER BY placed_at, hold_id"
_RELEASE = """
UPDATE legal_hold SET released_by = :by, released_at = :now
WHERE tenant_id = :tenant AND hold_id = :id AND released_at IS NULL
"""
_ACTS_BEFORE = "SELECT id, at, action FROM user_action WHERE at < :before ORDER BY at, id"


class RetentionRows(Scoped):
    """How long things are kept, and what is done about it."""

    def settle_retention(self) -> None:
        """One at a time: until this transaction ends, nobody else places a hold or erases anything of this tenant."""
        self._lock("retention")

    def kept(self, *, digest: str | None = None) -> tuple[Kept, ...]:
        """Every object that can be read, oldest first, or the one of that digest, with what rests on it."""
        return tuple(_kept(row) for row in self._run(_KEPT, digest=digest))

    def remains(self, *, now: datetime) -> tuple[str, ...]:
        """Addresses of erased objects whose bytes are still there although no lock is known to bind them."""
        return tuple(self._run(_REMAINS, now=now).scalars())

    def unsealed(self) -> tuple[tuple[str, str, bool], ...]:
        """Contents that were put before there were keys: digest, the address then, and whether it was put or erased under a key since."""
        return tuple((row.digest, row.address, row.keyed) for row in self._run(_UNSEALED))

    def destroy(self, addresses: Collection[str], *, now: datetime) -> tuple[str, ...]:
        """Destroy keys and salts, and end the evidence that stood on them; gives the addresses whose key was there."""
        gone = tuple(self._run(_DESTROY, addresses=list(addresses), now=now).scalars())
        ended = self._run(_END, addresses=list(gone), now=now).scalars().all()
        self._run(_JOIN_ANEW, resources=list(ended))
        return gone

    def destroy_tenant(self, *, now: datetime) -> tuple[str, ...]:
        """Destroy the tenant's key and with it every object's; gives the addresses that can be read no more."""
        gone = tuple(self._run(_DESTROY_ALL, now=now).scalars())
        self._run(_END, addresses=list(gone), now=now)
        self._run(_DESTROY_TENANT, now=now)
        return gone

    def mark_deleted(self, addresses: Collection[str], *, now: datetime) -> None:
        """The bytes at these addresses are gone too."""
        self._run(
            "UPDATE object_key SET deleted_at = :now WHERE tenant_id = :tenant AND address = ANY (:addresses)"
            " AND destroyed_at IS NOT NULL AND deleted_at IS NULL",
            addresses=list(addresses),
            now=now,
        )

    def mark_held(self, addresses: Collection[str], *, held: bool) -> None:
        """The place where they lie was told to hold them, or to hold them no longer."""
        self._run(
            "UPDATE object_key SET held = :held WHERE tenant_id = :tenant AND address = ANY (:addresses)",
            addresses=list(addresses),
            held=held,
        )

    def mark_locked(self, until: Mapping[str, datetime]) -> None:
        """These objects are locked for longer; a time before the known one changes nothing."""
        self._run(MOVE_LOCKS, addresses=list(until), times=list(until.values()))

    def place_hold(self, hold: Hold) -> None:
        """Write a legal hold down; it binds from the moment this transaction commits.

        Raises:
            TenancyError: It names a source or resource that is not there.
        """
        for table, column, wanted in (("source", "source_id", hold.source), ("resource", "resource_id", hold.resource)):
            if wanted is not None and self._one(f"SELECT 1 FROM {table} WHERE {column} = :id", id=wanted) is None:  # noqa: S608  (names of our own schema)
                raise TenancyError(f"there is no {table} {wanted} here")
        row = {
            "hold_id": hold.id,
            "source_id": hold.source,
            "resource_id": hold.resource,
            "reason": hold.reason,
            "placed_by": hold.placed_by,
            "placed_at": hold.placed_at,
        }
        self._insert(schema.legal_hold, [row])

    def release_hold(self, hold: UUID, *, by: str, now: datetime) -> None:
        """End a legal hold. Raises ``TenancyError`` if none of that id stands here."""
        if self._run(_RELEASE, id=hold, by=by, now=now).rowcount != 1:
            raise TenancyError(f"no legal hold {hold} stands here", advice="List them: auditor evidence hold list")

    def holds(self, *, all: bool = False) -> tuple[Hold, ...]:  # noqa: A002  (as people say it)
        """The legal holds that stand, oldest first, or all there ever were."""
        return tuple(_hold(row) for row in self._run(_HOLDS, all=all))

    def acts_before(self, before: datetime) -> tuple[Act, ...]:
        """What people did before then, the oldest first."""
        return tuple(Act(row.id, row.at, row.action) for row in self._run(_ACTS_BEFORE, before=before))

    def forget_acts(self, ids: Collection[UUID]) -> None:
        """Remove acts, and the salts under which the ledger has them. Only the owner of the tables may: the application appends."""
        self._run("DELETE FROM user_action WHERE tenant_id = :tenant AND id = ANY (:ids)", ids=list(ids))
        salts = "DELETE FROM ledger_salt WHERE tenant_id = :tenant AND subject = ANY (:ids)"
        self._run(salts, ids=[str(one) for one in ids])


def _kept(row: Row[Any]) -> Kept:
    return Kept(
        digest=row.digest,
        address=row.address,
        created_at=row.created_at,
        last_in_effect=row.last_in_effect,
        in_effect=row.in_effect,
        holds=tuple(sorted(set(row.holds))),
        locked_until=row.locked_until,
        held=row.held,
        bundles=tuple(row.bundles),
    )


def _hold(row: Row[Any]) -> Hold:
    return Hold(
        id=row.hold_id,
        reason=row.reason,
        placed_by=row.placed_by,
        placed_at=row.placed_at,
        source=row.source_id,
        resource=row.resource_id,
        released_by=row.released_by,
        released_at=row.released_at,
    )
