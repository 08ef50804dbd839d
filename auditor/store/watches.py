"""Watches of sources: who holds one, how far each stream of it has come, and what they marked for another look.

A mark is a hint and no evidence: type and id, and when to look. Marks of one resource fall together. Who watches a source, and
when its marks are due, are rows of ``work`` (``watch`` and ``refresh``, under the source's id) that are leased like all work.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from auditor.domain.errors import StaleFenceError, TenancyError
from auditor.domain.ports import Claim
from auditor.domain.watching import SETTLED_BY, Mark, Stream, StreamState
from auditor.store import schema
from auditor.store.scoped import Scoped

_HELD = """
SELECT 1 FROM work WHERE queue = :queue AND id = :id AND fence = :fence AND lease_until IS NOT NULL FOR UPDATE
"""
# Whoever watches has come further than any listing, unless what it had come to is too old to go on from.
_LISTED = """
ON CONFLICT (tenant_id, source_id, stream) DO UPDATE SET version = excluded.version
WHERE watched.version = '' OR NOT EXISTS (
    SELECT FROM work w WHERE w.queue = 'watch' AND w.id = watched.source_id AND w.lease_until > excluded.since)
"""
_COME = """
UPDATE watched SET version = :version
WHERE tenant_id = :tenant_id AND source_id = :source AND stream = :stream
"""
_STATE = """
UPDATE watched SET state = :state, detail = :detail, since = :now
WHERE tenant_id = :tenant_id AND source_id = :source AND stream = :stream
"""
_AGAIN = f"""
ON CONFLICT (tenant_id, source_id, resource_type, native_id)
DO UPDATE SET due_at = least(excluded.due_at, dirty.first_at + interval '{SETTLED_BY.total_seconds():.0f} seconds')
"""
_NEXT = """
INSERT INTO work (tenant_id, queue, id, due_at)
SELECT :tenant, 'refresh', :source, min(due_at) FROM dirty WHERE source_id = :source
ON CONFLICT (queue, id) DO UPDATE SET due_at = excluded.due_at
"""
# The row stays where nothing is marked, or its fence would begin anew and a late planner would be taken for the next one.
_BACK = """
UPDATE work SET lease_until = NULL,
    due_at = coalesce(:at, (SELECT min(due_at) FROM dirty WHERE source_id = :source), :forever)
WHERE queue = 'refresh' AND id = :source
"""
_TAKE = """
DELETE FROM dirty WHERE source_id = :source AND resource_type IN (
    SELECT resource_type FROM dirty WHERE source_id = :source AND due_at <= :now)
RETURNING resource_type, native_id
"""


class WatchRows(Scoped):
    """What is watched, and what that marked."""

    def listed_at(self, source: UUID, versions: Mapping[str, str], *, now: datetime) -> None:
        """Listings that were kept, with the version each was of: a watch of them goes on from there."""
        if not versions:
            return
        rows = [
            {"source_id": source, "stream": stream, "version": version, "since": now}
            for stream, version in sorted(versions.items())
        ]
        self._insert(schema.watched, rows, _LISTED)
        self._insert(schema.work, [{"queue": "watch", "id": source, "due_at": now}], "ON CONFLICT DO NOTHING")

    def streams(self, claim: Claim) -> tuple[Stream, ...]:
        """What may be watched of the claimed source, and from which version on; none where it must be listed first.

        Raises:
            StaleFenceError: Somebody else watches it by now.
        """
        self._held(claim)
        rows = self._run("SELECT * FROM watched WHERE source_id = :id ORDER BY stream", id=claim.id)
        return tuple(Stream(row.stream, row.version) for row in rows)

    def heard(
        self,
        claim: Claim,
        marks: Mapping[Mark, datetime],
        versions: Mapping[str, str],
        states: Mapping[str, StreamState],
        *,
        now: datetime,
    ) -> None:
        """Keep what a watch told since the last time: marks with when they are due, and how far each stream has come by them.

        Both at once: a version without its marks would lose what happened before it.

        Raises:
            StaleFenceError: Somebody else watches the source by now, and hears the same.
        """
        self._lock("dirty", str(claim.id))
        self._held(claim)
        which = {"source": claim.id}
        self._many(_COME, [{**which, "stream": name, "version": to} for name, to in sorted(versions.items())])
        self._many(
            _STATE,
            [
                {**which, "stream": name, "state": one.word, "detail": one.detail, "now": now}
                for name, one in sorted(states.items())
            ],
        )
        self._mark(claim.id, marks, now=now)

    def mark(self, source: UUID, marks: Mapping[Mark, datetime], *, now: datetime) -> None:
        """Have resources looked at again, each from an instant on; what is marked already falls together."""
        self._lock("dirty", str(source))
        self._mark(source, marks, now=now)

    def _mark(self, source: UUID, marks: Mapping[Mark, datetime], *, now: datetime) -> None:
        rows = [
            {
                "source_id": source,
                "resource_type": mark.resource_type,
                "native_id": mark.native_id,
                "first_at": now,
                "due_at": due,
            }
            for mark, due in marks.items()
        ]
        if rows:
            self._insert(schema.dirty, rows, _AGAIN)
            self._run(_NEXT, source=source)

    def release_watch(self, claim: Claim) -> None:
        """Let another watch the claimed source from now on. Raises ``StaleFenceError`` if another does already."""
        self._held(claim)
        self._run("UPDATE work SET lease_until = NULL WHERE queue = 'watch' AND id = :id", id=claim.id)

    def dirty(self, claim: Claim, *, now: datetime) -> tuple[Mark, ...]:
        """Take the marks that are due, with all others of their types: who looks at these sees those too.

        Raises:
            StaleFenceError: Somebody else plans this refresh.
        """
        self._lock("dirty", str(claim.id))
        self._held(claim)
        rows = self._run(_TAKE, source=claim.id, now=now)
        return tuple(sorted(Mark(row.resource_type, row.native_id) for row in rows))

    def next_refresh(self, claim: Claim, *, at: datetime | None = None) -> None:
        """Give the claimed refresh back: due ``at``, or with the next mark.

        Raises:
            StaleFenceError: Somebody else plans this refresh.
        """
        self._held(claim)
        self._run(_BACK, source=claim.id, at=at)

    def under_way(self, source: UUID) -> bool:
        """Whether a run of this source is not over yet."""
        return self._one("SELECT 1 FROM run WHERE source_id = :id AND state = 'running' LIMIT 1", id=source) is not None

    def watch_no_more(self, source: UUID) -> None:
        """Forget who watches a source and what was marked."""
        self._lock("dirty", str(source))
        self._run("DELETE FROM work WHERE queue IN ('watch', 'refresh') AND id = :id", id=source)
        self._run("DELETE FROM dirty WHERE source_id = :id", id=source)
        self._run("DELETE FROM watched WHERE source_id = :id", id=source)

    def _held(self, claim: Claim) -> None:
        if claim.tenant != self._tenant:
            raise TenancyError("the claim names another tenant than the one whose store is open")
        if self._one(_HELD, queue=claim.queue, id=claim.id, fence=claim.fence) is None:
            raise StaleFenceError(f"{claim.queue} {claim.id} is no longer held under fence {claim.fence}")
