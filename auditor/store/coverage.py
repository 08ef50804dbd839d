"""How far the looking reached, as intervals: a repeated look moves an end, a different one opens a new interval."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from auditor.domain.coverage import Coverage
from auditor.store import schema
from auditor.store.scoped import Scoped

HOLDS_FOR = timedelta(hours=48)
"""How far two looks may lie apart and still be one interval: the daily cadence, and room for one late run."""

_OPEN = """
SELECT * FROM coverage_span
WHERE source_id = :source AND valid_to = :forever AND (CAST(:places AS text[]) IS NULL OR place = ANY (:places))
ORDER BY place, resource_type
"""
_EXTEND = """
UPDATE coverage_span SET last_at = :at, listed = :listed, denied_details = CAST(:denied AS jsonb), run_id = :run,
    rota = :rota
WHERE tenant_id = :tenant_id AND source_id = :source AND place = :place AND resource_type = :type AND valid_from = :from
"""
_CLOSE = """
UPDATE coverage_span SET valid_to = :to
WHERE tenant_id = :tenant_id AND source_id = :source AND place = :place AND resource_type = :type AND valid_from = :from
"""


@dataclass(frozen=True, slots=True)
class Interval:
    """The open interval of a place and type, as far as the next look must know it."""

    state: str
    detail: str
    action: str
    within: tuple[str, ...]
    valid_from: datetime
    last_at: datetime

    def extended_by(self, look: Coverage) -> bool:
        """Whether the look says the same, soon enough after the last one."""
        told = (look.state, look.detail, look.action, look.within)
        same = told == (self.state, self.detail, self.action, self.within)
        return same and look.at - self.last_at <= HOLDS_FOR

    def ends_at(self, look: Coverage) -> datetime:
        """Where it ends when another begins: at that look, or when nobody had looked for too long."""
        return min(look.at, self.last_at + HOLDS_FOR)


class CoverageRows(Scoped):
    """Coverage of a source by place and resource type."""

    def coverage(self, source: UUID, *, place: str | None) -> tuple[Coverage, ...]:
        """The latest look at each type and place."""
        rows = self._run(_OPEN, source=source, places=None if place is None else [place])
        return tuple(_coverage(row) for row in rows)

    def _cover(self, source: UUID, run: UUID, coverage: Sequence[Coverage]) -> None:
        looks = {(look.place, look.resource_type): look for look in coverage}
        self._lock("coverage", str(source))
        places = sorted({place for place, _ in looks})
        open_now = {
            (row.place, row.resource_type): Interval(
                row.state, row.detail, row.action, tuple(row.within), row.valid_from, row.last_at
            )
            for row in self._run(_OPEN, source=source, places=places)
        }
        extended, closed, opened = [], [], []
        for key, look in looks.items():
            interval = open_now.get(key)
            which = {"source": source, "place": look.place, "type": look.resource_type}
            if interval is not None and look.at <= interval.last_at:
                continue
            if interval is not None and interval.extended_by(look):
                extended.append({**which, "from": interval.valid_from, **_extension(look, run)})
                continue
            if interval is not None:
                closed.append({**which, "from": interval.valid_from, "to": interval.ends_at(look)})
            opened.append(_row(look, source, run))
        self._many(_EXTEND, extended)
        self._many(_CLOSE, closed)
        self._insert(schema.coverage_span, opened)


def _coverage(row: Row[Any]) -> Coverage:
    return Coverage(
        place=row.place,
        resource_type=row.resource_type,
        state=row.state,
        at=row.last_at,
        listed=row.listed,
        detail=row.detail,
        action=row.action,
        denied_details=tuple((action, calls) for action, calls in row.denied_details),
        rota=row.rota,
        within=tuple(row.within),
    )


def _extension(look: Coverage, run: UUID) -> dict[str, Any]:
    denied = json.dumps([list(pair) for pair in look.denied_details])
    return {"at": look.at, "listed": look.listed, "denied": denied, "run": run, "rota": look.rota}


def _row(look: Coverage, source: UUID, run: UUID) -> dict[str, Any]:
    return {
        "source_id": source,
        "place": look.place,
        "resource_type": look.resource_type,
        "state": look.state,
        "detail": look.detail,
        "action": look.action,
        "listed": look.listed,
        "denied_details": [list(pair) for pair in look.denied_details],
        "valid_from": look.at,
        "last_at": look.at,
        "run_id": run,
        "rota": look.rota,
        "within": list(look.within),
    }
