"""Runs and their units: planned once per slot, held under a fence, counted down by the database itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from auditor.domain.control import Library
from auditor.domain.coverage import Coverage
from auditor.domain.errors import StaleFenceError, TenancyError
from auditor.domain.ports import Claim, RunState
from auditor.domain.source import GLOBAL, JOIN, Unit, unit_id
from auditor.store import schema
from auditor.store.coverage import CoverageRows
from auditor.store.ids import run_id
from auditor.store.manifests import ManifestRows
from auditor.store.pacing import PacingRows
from auditor.store.reads.overlay import groups

_PLAN = """
INSERT INTO run (tenant_id, run_id, source_id, slot, scope_version, state, baseline, started_at, units_left, refresh)
SELECT :tenant, :run, s.source_id, :slot, (SELECT max(version) FROM scope c WHERE c.source_id = s.source_id), 'running',
       NOT EXISTS (SELECT FROM run r WHERE r.source_id = s.source_id AND r.state <> 'cancelled' AND NOT r.refresh), :now, :units, :refresh
FROM source s WHERE s.source_id = :source AND s.disconnected_at IS NULL
ON CONFLICT DO NOTHING RETURNING run_id
"""
# The grid is kept: the next due time is a multiple of the interval after the first, however late anybody came. A refresh is
# no look at everything, so it takes nothing off the grid.
_NEXT_SLOT = """
UPDATE schedule SET lease_until = NULL, due_at = due_at + every_seconds * interval '1 second'
    * (CASE WHEN due_at > :now THEN 0 ELSE floor(extract(epoch FROM :now - due_at) / every_seconds) + 1 END)
WHERE source_id = :source AND NOT (SELECT refresh FROM run WHERE run_id = :run)
"""
_UNIT = """
SELECT u.run_id, u.source_id, u.place, u.part, u.services, u.asked, r.slot, w.fence FROM work w
JOIN unit u ON u.tenant_id = w.tenant_id AND u.unit_id = w.id
JOIN run r ON r.tenant_id = u.tenant_id AND r.run_id = u.run_id
WHERE w.queue = :queue AND w.id = :id AND w.fence = :fence AND w.lease_until IS NOT NULL
FOR UPDATE OF w, u
"""
# A try is counted when it begins: a lease that runs out while its message waits in a queue is none.
_BEGUN = """
UPDATE unit SET state = 'leased', fence = :fence, attempts = attempts + CASE WHEN fence = :fence THEN 0 ELSE 1 END
WHERE unit_id = :id
"""
_CLOSE_UNIT = """
UPDATE unit SET state = :state, counts = CAST(:counts AS jsonb), finished_at = :now, reason = :reason
WHERE unit_id = :id AND state IN ('due', 'leased')
"""
_COUNTED = """
    counts = coalesce((SELECT jsonb_object_agg(name, total) FROM (
        SELECT name, sum(n::bigint) AS total FROM unit u, jsonb_each_text(u.counts) AS c (name, n)
        WHERE u.run_id = :run GROUP BY name) AS summed), '{}')
"""
_CLOSE_RUN = f"""
UPDATE run SET finished_at = :now,
    state = CASE WHEN EXISTS (SELECT FROM unit u WHERE u.run_id = :run AND u.state = 'given_up') THEN 'partial' ELSE 'done' END,
{_COUNTED} WHERE run_id = :run
"""  # noqa: S608  (our own words)
# Locked in the order in which units take them: work first, the run last.
_WORK_OF = """
SELECT w.id FROM work w JOIN unit u ON u.tenant_id = w.tenant_id AND u.unit_id = w.id
WHERE u.run_id = :run AND w.queue IN ('collect', 'assess') ORDER BY w.id FOR UPDATE OF w
"""
_CANCEL_RUN = f"""
UPDATE run SET state = 'cancelled', finished_at = :now, cancelled_at = :now, cancelled_by = :by, cancel_reason = :reason,
{_COUNTED} WHERE run_id = :run AND state = 'running' RETURNING source_id
"""  # noqa: S608  (our own words)
_CANCEL_UNITS = """
UPDATE unit SET state = 'cancelled', finished_at = :now, reason = :reason WHERE run_id = :run AND state IN ('due', 'leased')
"""
# Seen and not judged: as if it had not been seen, or verdicts of an earlier run would stand as looked at now.
_UNJUDGED = """
SELECT DISTINCT c.place, c.resource_type FROM coverage_span c
JOIN unit u ON u.tenant_id = c.tenant_id AND u.run_id = c.run_id AND u.place = c.place
WHERE c.source_id = :source AND c.run_id = :run AND c.valid_to = :forever AND c.state IN ('ok', 'unsupported')
    AND u.state = 'cancelled' AND (u.services = '{}' OR split_part(c.resource_type, '.', 2) = ANY (u.services))
"""
_CANCEL_WORK = """
DELETE FROM work WHERE queue IN ('collect', 'assess') AND id IN (SELECT unit_id FROM unit WHERE run_id = :run)
"""
_RUNS = """
SELECT * FROM run WHERE CAST(:source AS uuid) IS NULL OR source_id = :source ORDER BY started_at DESC, run_id LIMIT :limit
"""
NOTHING_CUT: Mapping[str, Sequence[tuple[str, ...]]] = MappingProxyType({})
EVERYTHING: Mapping[str, Sequence[str]] = MappingProxyType({})
NOTHING_ASKED = Library((), ())
"""Groups need no definition here: a run that just ended is fresh by every rhythm."""


class RunRows(PacingRows, CoverageRows, ManifestRows):
    """Passes over sources and their leased pieces."""

    def plan(
        self,
        source: UUID,
        *,
        slot: datetime,
        now: datetime,
        regions: Sequence[str],
        parts: Mapping[str, Sequence[tuple[str, ...]]] = NOTHING_CUT,
        due_at: datetime | None = None,
        only: Mapping[str, Sequence[str]] = EVERYTHING,
    ) -> UUID:
        """A run with one unit per place, ``global`` and ``join`` included; planning the same slot twice plans once.

        Args:
            source: What is looked at.
            slot: The moment of the schedule's grid that the run is for.
            now: When it is planned.
            regions: The places besides ``global``.
            parts: Per place that is cut, the services of each part; each part is a unit.
            due_at: When the first unit may begin, if that is later than now.
            only: What a refresh looks at: resources by type, all of a type that names none. Its slot is a moment of its own.

        Raises:
            TenancyError: There is no such source here, or it is disconnected.
        """
        slot = slot.astimezone(UTC)
        run = run_id(self._tenant, source, slot)
        pieces = [piece for place in (GLOBAL, *regions) for piece in _pieces(place, parts.get(place, ()))]
        pieces.append((JOIN, "", ()))
        self._lock("plan", str(source))
        planned = self._one(_PLAN, run=run, source=source, slot=slot, now=now, units=len(pieces), refresh=bool(only))
        if planned is None:
            if only or self._one("SELECT 1 FROM run WHERE run_id = :run", run=run) is None:
                raise TenancyError(f"no source {source}, or it has a run of this moment already")
            return run
        units = [
            {
                "unit_id": unit_id(self._tenant, source, place, slot, part),
                "run_id": run,
                "source_id": source,
                "place": place,
                "part": part,
                "services": list(services),
                "calls": {},
                "asked": {} if place == JOIN else {name: list(ids) for name, ids in only.items()},
            }
            for place, part, services in pieces
        ]
        self._insert(schema.unit, units)
        begins = max(now, due_at or now)
        due = [{"queue": "collect", "id": unit["unit_id"], "due_at": begins} for unit in units if unit["place"] != JOIN]
        self._insert(schema.work, due)
        self._run(_NEXT_SLOT, source=source, run=run, now=now)
        return run

    def cancel(self, run: UUID, *, by: str, reason: str, now: datetime) -> bool:
        """End a run that is under way; false if it was over already.

        What its units tracked stays, what they did not is neither judged nor closed, and nothing is joined. What was
        seen and not judged is unknown until the next run. Whoever still looks at one of its places loses the lease and
        is refused when writing.

        Raises:
            TenancyError: There is no such run here.
        """
        if self._one("SELECT 1 FROM run WHERE run_id = :run", run=run) is None:
            raise TenancyError(f"no run {run}")
        self._run(_WORK_OF, run=run)
        self._run(_WORK_OF, run=run)  # the last place may have waked ``join`` while we waited for it
        cancelled = self._one(_CANCEL_RUN, run=run, by=by, reason=reason, now=now)
        if cancelled is None:
            return False
        self._run(_CANCEL_WORK, run=run)
        self._run(_CANCEL_UNITS, run=run, now=now, reason=f"cancelled by {by}: {reason}")
        self._run(_NEXT_SLOT, source=cancelled.source_id, run=run, now=now)
        self.act(by, "run.cancel", str(run), {"reason": reason, "source": str(cancelled.source_id)}, now=now)
        self.note_manifest(run, at=now)
        reason = "the run was cancelled before this was judged"
        unjudged = self._run(_UNJUDGED, source=cancelled.source_id, run=run).all()
        looks = [Coverage(row.place, row.resource_type, "error", now, detail=reason) for row in unjudged]
        self._cover(cancelled.source_id, run, looks)
        return True

    def runs(self, source: UUID | None = None, *, limit: int = 20) -> tuple[RunState, ...]:
        """The latest runs, of one source or of all, the newest first."""
        return self._states(self._run(_RUNS, source=source, limit=limit).all())

    def places(self, run: UUID) -> tuple[str, ...]:
        """The places that a run looks at, ``global`` first: what it was planned over, whatever the source has by now."""
        rows = self._run("SELECT DISTINCT place FROM unit WHERE run_id = :run AND place <> :join", run=run, join=JOIN)
        return tuple(sorted((row.place for row in rows), key=lambda place: (place != GLOBAL, place)))

    def run(self, id: UUID) -> RunState:  # noqa: A002  (the port's word)
        """How a run stands.

        Raises:
            TenancyError: There is none of that id here.
        """
        row = self._one("SELECT * FROM run WHERE run_id = :id", id=id)
        if row is None:
            raise TenancyError(f"no run {id}")
        return self._states([row])[0]

    def _states(self, rows: Sequence[Row[Any]]) -> tuple[RunState, ...]:
        units: dict[UUID, Counter[str]] = {row.run_id: Counter() for row in rows}
        counts: dict[UUID, Counter[str]] = {row.run_id: Counter() for row in rows}
        for unit in self._run("SELECT run_id, state, counts FROM unit WHERE run_id = ANY (:ids)", ids=list(units)):
            units[unit.run_id][unit.state] += 1
            counts[unit.run_id].update(unit.counts)
        return tuple(
            RunState(
                id=row.run_id,
                source=row.source_id,
                slot=row.slot,
                state=row.state,
                baseline=row.baseline,
                started_at=row.started_at,
                finished_at=row.finished_at,
                units=dict(units[row.run_id]),
                counts=dict(counts[row.run_id]),
                cancelled_by=row.cancelled_by or "",
                cancel_reason=row.cancel_reason or "",
                refresh=row.refresh,
            )
            for row in rows
        )

    def unit(self, claim: Claim) -> Unit:
        """The claimed unit, its row locked. An expired lease that nobody took over is still ours: the fence says so.

        Raises:
            StaleFenceError: The lease was taken over or given back, or the unit is done.
            TenancyError: The claim is another tenant's.
        """
        if claim.tenant != self._tenant:
            raise TenancyError("the claim names another tenant than the one whose store is open")
        row = self._one(_UNIT, queue=claim.queue, id=claim.id, fence=claim.fence)
        if row is None:
            raise StaleFenceError(f"unit {claim.id} is no longer held under fence {claim.fence}")
        if claim.queue == "assess":
            # Two runs over one source may overlap: what one tracks, the other must see before it compares.
            self._lock("track", str(row.source_id), row.place)
        self._run(_BEGUN, id=claim.id, fence=row.fence)
        return Unit(
            self._tenant,
            claim.id,
            row.run_id,
            row.source_id,
            row.place,
            row.fence,
            row.slot,
            row.part,
            tuple(row.services),
            {name: tuple(ids) for name, ids in row.asked.items()},
        )

    def attempts(self, unit: Unit) -> int:
        """How often the unit was begun in the step it is in."""
        return int(self._run("SELECT attempts FROM unit WHERE unit_id = :id", id=unit.id).scalar_one())

    def retry(self, unit: Unit, *, due_at: datetime, tried: bool = True) -> None:
        """Give the lease back, to be tried again at ``due_at``; not ``tried`` means that it only waits and lost no attempt.

        Raises:
            StaleFenceError: The unit is no longer ours.
        """
        self._hold(unit)
        self._run(
            "UPDATE work SET lease_until = NULL, due_at = :due WHERE id = :id AND queue IN ('collect', 'assess')",
            id=unit.id,
            due=due_at,
        )
        self._run(
            "UPDATE unit SET state = 'due', attempts = attempts - :waited WHERE unit_id = :id",
            id=unit.id,
            waited=0 if tried else 1,
        )

    def give_up(self, unit: Unit, reason: str, *, now: datetime, resource_types: Sequence[str]) -> None:
        """Close a unit that failed too often: coverage ``error`` for its types, so that the gap is seen.

        ``join`` has no listings of its own: its types are covered wherever they were.

        Raises:
            StaleFenceError: The unit is no longer ours.
        """
        self._hold(unit)
        wanted = {(unit.place, name) for name in resource_types}
        if unit.place == JOIN:
            known = self.coverage(unit.source, place=None)
            wanted = {(look.place, look.resource_type) for look in known if look.resource_type in resource_types}
        looks = [Coverage(place, name, "error", now, detail=reason) for place, name in sorted(wanted)]
        self._cover(unit.source, unit.run, looks)
        self._close_unit(unit, "given_up", {}, now=now, reason=reason)

    def finish(self, unit: Unit, counts: Mapping[str, int], *, now: datetime) -> bool:
        """Close the unit with its counts; the last place wakes ``join``; true when the whole run is over.

        Raises:
            RuntimeError: The counts name what was listed, and it is not what was judged, held or excluded: a verdict was
                lost.
            StaleFenceError: The unit is no longer ours.
        """
        settled = sum(counts.get(name, 0) for name in ("judged", "held", "excluded"))
        if "listed" in counts and counts["listed"] != settled:
            raise RuntimeError(f"unit {unit.id}: what was listed is not judged, held or excluded: {dict(counts)}")
        self._hold(unit)
        return self._close_unit(unit, "done", counts, now=now)

    def nothing_new(self, unit: Unit, *, now: datetime) -> None:
        """End a refresh that showed what was known: there is nothing to judge, and nothing to join.

        Part of the transaction that keeps the look, which holds the unit.
        """
        self._close_unit(unit, "done", {}, now=now)
        join = replace(unit, id=unit_id(self._tenant, unit.source, JOIN, unit.slot.astimezone(UTC)), place=JOIN)
        self._close_unit(join, "done", {}, now=now)

    def _close_unit(
        self, unit: Unit, state: str, counts: Mapping[str, int], *, now: datetime, reason: str | None = None
    ) -> bool:
        plain = json.dumps(dict(counts))
        self._run(_CLOSE_UNIT, id=unit.id, state=state, counts=plain, now=now, reason=reason)
        self._run("DELETE FROM work WHERE id = :id AND queue IN ('collect', 'assess')", id=unit.id)
        left = self._run(
            "UPDATE run SET units_left = units_left - 1 WHERE run_id = :run RETURNING units_left", run=unit.run
        ).scalar_one()
        if left == 1 and unit.place != JOIN:
            join = unit_id(self._tenant, unit.source, JOIN, unit.slot.astimezone(UTC))
            self._insert(schema.work, [{"queue": "assess", "id": join, "due_at": now}])
        if left > 0:
            return False
        day = now.astimezone(UTC).date()
        self._run(_CLOSE_RUN, run=unit.run, now=now)
        self._run("DELETE FROM daily_rollup WHERE day = :day AND source_id = :source", day=day, source=unit.source)
        self._insert(schema.daily_rollup, self._standing(unit, now))
        self._run(_NEXT_SLOT, source=unit.source, run=unit.run, now=now)
        self.note_manifest(unit.run, at=now)
        return True

    def _standing(self, unit: Unit, now: datetime) -> list[dict[str, Any]]:
        """How the source's findings may be shown as the run ends, coverage laid over, by check and state."""
        counted: Counter[tuple[str, str, str]] = Counter()
        for group in groups(self._connection, NOTHING_ASKED, now):
            if group.source == unit.source:
                counted[group.check, group.control, group.shown] += group.n
        day = now.astimezone(UTC).date()
        return [
            {
                "day": day.isoformat(),
                "source_id": unit.source,
                "check_id": check,
                "control_id": control,
                "state": state,
                "n": n,
            }
            for (check, control, state), n in counted.items()
        ]


def _pieces(place: str, parts: Sequence[tuple[str, ...]]) -> list[tuple[str, str, tuple[str, ...]]]:
    """A place as it is leased: place, part and services; whole unless there are two parts at least."""
    if len(parts) < 2:
        return [(place, "", ())]
    return [(place, f"{number}/{len(parts)}", services) for number, services in enumerate(parts, start=1)]
