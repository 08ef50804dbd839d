"""Runs and their units: planned once per slot, held under a fence, counted down by the database itself."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from auditor.domain.control import Library
from auditor.domain.coverage import Coverage
from auditor.domain.errors import StaleFenceError, TenancyError
from auditor.domain.ports import Claim, RunState
from auditor.domain.source import GLOBAL, JOIN, Unit, unit_id
from auditor.store import schema
from auditor.store.coverage import CoverageRows
from auditor.store.ids import run_id
from auditor.store.reads.overlay import groups

_PLAN = """
INSERT INTO run (tenant_id, run_id, source_id, slot, scope_version, state, baseline, started_at, units_left)
SELECT :tenant, :run, s.source_id, :slot, (SELECT max(version) FROM scope c WHERE c.source_id = s.source_id), 'running',
       NOT EXISTS (SELECT FROM run r WHERE r.source_id = s.source_id), :now, :units
FROM source s WHERE s.source_id = :source
ON CONFLICT DO NOTHING RETURNING run_id
"""
# The grid is kept: the next due time is a multiple of the interval after the first, however late anybody came.
_NEXT_SLOT = """
UPDATE schedule SET lease_until = NULL, due_at = due_at + every_seconds * interval '1 second'
    * (CASE WHEN due_at > :now THEN 0 ELSE floor(extract(epoch FROM :now - due_at) / every_seconds) + 1 END)
WHERE source_id = :source
"""
_UNIT = """
SELECT u.run_id, u.source_id, u.place, r.slot, w.fence, w.attempts FROM work w
JOIN unit u ON u.tenant_id = w.tenant_id AND u.unit_id = w.id
JOIN run r ON r.tenant_id = u.tenant_id AND r.run_id = u.run_id
WHERE w.queue = :queue AND w.id = :id AND w.fence = :fence AND w.lease_until IS NOT NULL
FOR UPDATE OF w, u
"""
_CLOSE_UNIT = """
UPDATE unit SET state = :state, counts = CAST(:counts AS jsonb), finished_at = :now, reason = :reason
WHERE unit_id = :id AND state IN ('due', 'leased')
"""
_CLOSE_RUN = """
UPDATE run SET finished_at = :now,
    state = CASE WHEN EXISTS (SELECT FROM unit u WHERE u.run_id = :run AND u.state = 'given_up') THEN 'partial' ELSE 'done' END,
    counts = coalesce((SELECT jsonb_object_agg(name, total) FROM (
        SELECT name, sum(n::bigint) AS total FROM unit u, jsonb_each_text(u.counts) AS c (name, n)
        WHERE u.run_id = :run GROUP BY name) AS summed), '{}')
WHERE run_id = :run
"""
NOTHING_ASKED = Library((), ())
"""Groups need no definition here: a run that just ended is fresh by every rhythm."""


class RunRows(CoverageRows):
    """Passes over sources and their leased pieces."""

    def plan(self, source: UUID, *, slot: datetime, now: datetime, regions: Sequence[str]) -> UUID:
        """A run with one unit per place, ``global`` and ``join`` included; planning the same slot twice plans once.

        Raises:
            TenancyError: There is no such source here.
        """
        slot = slot.astimezone(UTC)
        run, places = run_id(self._tenant, source, slot), (GLOBAL, *regions, JOIN)
        self._lock("plan", str(source))
        planned = self._one(_PLAN, run=run, source=source, slot=slot, now=now, units=len(places))
        if planned is None:
            if self._one("SELECT 1 FROM run WHERE run_id = :run", run=run) is None:
                raise TenancyError(f"no source {source}")
            return run
        ids = {place: unit_id(self._tenant, source, place, slot) for place in places}
        self._insert(
            schema.unit,
            [{"unit_id": id_, "run_id": run, "source_id": source, "place": place} for place, id_ in ids.items()],
        )
        due = [{"queue": "collect", "id": id_, "due_at": now} for place, id_ in ids.items() if place != JOIN]
        self._insert(schema.work, due)
        self._run(_NEXT_SLOT, source=source, now=now)
        return run

    def run(self, id: UUID) -> RunState:  # noqa: A002  (the port's word)
        """How a run stands.

        Raises:
            TenancyError: There is none of that id here.
        """
        row = self._one("SELECT * FROM run WHERE run_id = :id", id=id)
        if row is None:
            raise TenancyError(f"no run {id}")
        units: dict[str, int] = {}
        counts: dict[str, int] = {}
        for unit in self._run("SELECT state, counts FROM unit WHERE run_id = :id", id=id):
            units[unit.state] = units.get(unit.state, 0) + 1
            for name, n in unit.counts.items():
                counts[name] = counts.get(name, 0) + n
        return RunState(
            id=row.run_id,
            source=row.source_id,
            slot=row.slot,
            state=row.state,
            baseline=row.baseline,
            started_at=row.started_at,
            finished_at=row.finished_at,
            units=units,
            counts=counts,
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
        self._run(
            "UPDATE unit SET state = 'leased', fence = :fence, attempts = :attempts WHERE unit_id = :id",
            id=claim.id,
            fence=row.fence,
            attempts=row.attempts,
        )
        return Unit(self._tenant, claim.id, row.run_id, row.source_id, row.place, row.fence, row.slot)

    def attempts(self, unit: Unit) -> int:
        """How often the unit was leased in the step it is in."""
        return int(self._run("SELECT attempts FROM unit WHERE unit_id = :id", id=unit.id).scalar_one())

    def retry(self, unit: Unit, *, due_at: datetime) -> None:
        """Give the lease back, to be tried again at ``due_at``.

        Raises:
            StaleFenceError: The unit is no longer ours.
        """
        self._hold(unit)
        self._run(
            "UPDATE work SET lease_until = NULL, due_at = :due WHERE id = :id AND queue IN ('collect', 'assess')",
            id=unit.id,
            due=due_at,
        )
        self._run("UPDATE unit SET state = 'due' WHERE unit_id = :id", id=unit.id)

    def give_up(self, unit: Unit, reason: str, *, now: datetime, resource_types: Sequence[str]) -> None:
        """Close a unit that failed too often: coverage ``error`` for its types, so that the gap is seen.

        Raises:
            StaleFenceError: The unit is no longer ours.
        """
        self._hold(unit)
        self._cover(unit, [Coverage(unit.place, name, "error", now, detail=reason) for name in resource_types])
        self._close_unit(unit, "given_up", {}, now=now, reason=reason)

    def finish(self, unit: Unit, counts: Mapping[str, int], *, now: datetime) -> bool:
        """Close the unit with its counts; the last place wakes ``join``; true when the whole run is over.

        Raises:
            RuntimeError: The counts name what was listed, and it is not what was judged or excluded: a verdict was lost.
            StaleFenceError: The unit is no longer ours.
        """
        if "listed" in counts and counts["listed"] != counts.get("judged", 0) + counts.get("excluded", 0):
            raise RuntimeError(f"unit {unit.id}: what was listed is not what was judged or excluded: {dict(counts)}")
        self._hold(unit)
        return self._close_unit(unit, "done", counts, now=now)

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
            join = unit_id(self._tenant, unit.source, JOIN, unit.slot)
            self._insert(schema.work, [{"queue": "assess", "id": join, "due_at": now}])
        if left > 0:
            return False
        day = now.astimezone(UTC).date()
        self._run(_CLOSE_RUN, run=unit.run, now=now)
        self._run("DELETE FROM daily_rollup WHERE day = :day AND source_id = :source", day=day, source=unit.source)
        self._insert(schema.daily_rollup, self._standing(unit, now))
        self._run(_NEXT_SLOT, source=unit.source, now=now)
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
