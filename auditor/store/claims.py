"""Leases over due rows of every tenant, through a role that sees ids and times and nothing else.

Rows are ranked within their tenant first, behind those it has under way, so that whoever has five thousand due starves nobody
who has three, even where room is made for one row at a time. Ranking and locking are two selects, since a window and a lock
may not share one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from auditor.domain.errors import StaleFenceError
from auditor.domain.ports import Claim, Queue
from auditor.store.database import Database

# Rows that another claimer has locked are skipped; with spare candidates a crowd of claimers still comes away with something.
_SPARE = 4

_LEASE = text("""
WITH under_way AS MATERIALIZED (
    SELECT tenant_id, count(*) AS n FROM work WHERE queue = :queue AND lease_until > :now GROUP BY tenant_id
), ranked AS MATERIALIZED (
    SELECT id, due_at, coalesce(u.n, 0) + row_number() OVER (PARTITION BY tenant_id ORDER BY due_at, id) AS place
    FROM work LEFT JOIN under_way u USING (tenant_id)
    WHERE queue = :queue AND due_at <= :now AND (lease_until IS NULL OR lease_until <= :now)
), candidate AS MATERIALIZED (
    SELECT id, due_at, place FROM ranked ORDER BY place, due_at, id LIMIT :candidates
), locked AS MATERIALIZED (
    SELECT w.id FROM work w JOIN candidate c ON c.id = w.id
    WHERE w.queue = :queue AND w.due_at <= :now AND (w.lease_until IS NULL OR w.lease_until <= :now)
    ORDER BY c.place, c.due_at, c.id LIMIT :limit FOR UPDATE OF w SKIP LOCKED
)
UPDATE work w SET lease_until = :until, fence = fence + 1, attempts = attempts + 1
FROM locked WHERE w.queue = :queue AND w.id = locked.id
RETURNING w.tenant_id, w.id, w.fence
""")
_DUE = text("""
SELECT EXISTS (SELECT FROM work WHERE queue = :queue AND due_at <= :now AND (lease_until IS NULL OR lease_until <= :now))
""")
_SCHEDULES = text("""
WITH ranked AS MATERIALIZED (
    SELECT tenant_id, source_id, due_at, row_number() OVER (PARTITION BY tenant_id ORDER BY due_at, source_id) AS place
    FROM schedule WHERE due_at <= :now AND (lease_until IS NULL OR lease_until <= :now)
), candidate AS MATERIALIZED (
    SELECT tenant_id, source_id, due_at, place FROM ranked ORDER BY place, due_at, source_id LIMIT :candidates
), locked AS MATERIALIZED (
    SELECT s.tenant_id, s.source_id FROM schedule s JOIN candidate c USING (tenant_id, source_id)
    WHERE s.due_at <= :now AND (s.lease_until IS NULL OR s.lease_until <= :now)
    ORDER BY c.place, c.due_at LIMIT :limit FOR UPDATE OF s SKIP LOCKED
)
UPDATE schedule s SET lease_until = :until FROM locked
WHERE s.tenant_id = locked.tenant_id AND s.source_id = locked.source_id
RETURNING s.tenant_id, s.source_id, s.due_at, s.every_seconds
""")

# A row that is locked is being worked on under this very fence: nobody can take it, so there is nothing to wait for.
_RENEW = text("""
WITH held AS (
    SELECT id FROM work WHERE queue = :queue AND id = :id AND fence = :fence AND lease_until IS NOT NULL
), free AS MATERIALIZED (
    SELECT w.id FROM work w WHERE w.queue = :queue AND w.id = :id AND w.fence = :fence AND w.lease_until IS NOT NULL
    FOR UPDATE SKIP LOCKED
), renewed AS (
    UPDATE work w SET lease_until = greatest(w.lease_until, :until) FROM free WHERE w.queue = :queue AND w.id = free.id
)
SELECT EXISTS (SELECT FROM held)
""")
_HEARD = text("""
INSERT INTO canary (queue, heard_at) VALUES (:queue, :now) ON CONFLICT (queue) DO UPDATE SET heard_at = excluded.heard_at
""")


@dataclass(frozen=True, slots=True)
class DueSource:
    """A source to be planned: ``slot`` is the latest moment of its grid that has come, ``plan`` moves it on."""

    tenant: UUID
    source: UUID
    slot: datetime


class PostgresClaims:
    """``domain.ports.Claims`` over the claims role."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def lease(self, queue: Queue, *, now: datetime, limit: int, lease_for: float) -> tuple[Claim, ...]:
        """Up to ``limit`` due rows, round-robin over tenants, each under a new fence until ``now + lease_for`` seconds."""
        values = {
            "queue": queue,
            "now": now,
            "limit": limit,
            "candidates": limit * _SPARE,
            "until": _until(now, lease_for),
        }
        with self._database.plain() as connection:
            return tuple(Claim(row.tenant_id, row.id, queue, row.fence) for row in connection.execute(_LEASE, values))

    def due(self, queue: Queue, *, now: datetime) -> bool:
        """Whether anything is left: an empty lease does not mean no work."""
        with self._database.plain() as connection:
            return bool(connection.execute(_DUE, {"queue": queue, "now": now}).scalar_one())

    def renew(self, claim: Claim, *, now: datetime, lease_for: float) -> None:
        """Hold a lease for ``lease_for`` seconds from now.

        Raises:
            StaleFenceError: Somebody else has it, or there is nothing left to hold.
        """
        values = {"queue": claim.queue, "id": claim.id, "fence": claim.fence, "until": _until(now, lease_for)}
        with self._database.plain() as connection:
            if not connection.execute(_RENEW, values).scalar_one():
                raise StaleFenceError(f"{claim.queue} {claim.id} is no longer held under fence {claim.fence}")

    def sources(self, *, now: datetime, limit: int, lease_for: float) -> tuple[DueSource, ...]:
        """Up to ``limit`` sources whose schedule came due, round-robin over tenants; slots missed while down are skipped."""
        values = {"now": now, "limit": limit, "candidates": limit * _SPARE, "until": _until(now, lease_for)}
        with self._database.plain() as connection:
            rows = connection.execute(_SCHEDULES, values).all()
        return tuple(DueSource(row.tenant_id, row.source_id, _slot(row.due_at, row.every_seconds, now)) for row in rows)

    def heard(self, queue: Queue, *, now: datetime) -> None:
        """Note that a worker took a canary out of this queue just now."""
        with self._database.plain() as connection:
            connection.execute(_HEARD, {"queue": queue, "now": now})

    def last_heard(self) -> dict[str, datetime]:
        """When each queue was last heard: a queue that is missing never was."""
        with self._database.plain() as connection:
            return {row.queue: row.heard_at for row in connection.execute(text("SELECT queue, heard_at FROM canary"))}


def _until(now: datetime, lease_for: float) -> datetime:
    return now + timedelta(seconds=lease_for)


def _slot(due_at: datetime, every_seconds: int, now: datetime) -> datetime:
    return due_at + timedelta(seconds=every_seconds) * ((now - due_at) // timedelta(seconds=every_seconds))
