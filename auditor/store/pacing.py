"""How gently sources are asked: the limits their operators set, what looking has cost, and how much of a day is spent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from auditor.domain.errors import TenancyError
from auditor.domain.source import Manners, Unit
from auditor.store.scoped import Scoped

_SET = "UPDATE source SET manners = CAST(:manners AS jsonb) WHERE source_id = :source RETURNING source_id"
# The empty name is what a unit that began is expected to take: it goes when the unit tells what it took.
_NOTE = """
UPDATE unit SET calls = (
    SELECT coalesce(jsonb_object_agg(name, total), '{}') FROM (
        SELECT name, sum(n::bigint) AS total FROM (
            SELECT name, n FROM jsonb_each_text(unit.calls) AS told (name, n) WHERE name <> ''
            UNION ALL SELECT name, n FROM jsonb_each_text(CAST(:calls AS jsonb)) AS now (name, n)
        ) AS both_told GROUP BY name
    ) AS summed)
WHERE unit_id = :id
"""
_RESERVE = """
UPDATE unit SET calls = calls || jsonb_build_object('', CAST(:expected AS bigint)), started_at = coalesce(started_at, :now)
WHERE unit_id = :id
"""
# By way of the runs, which are indexed by source: a year has hundreds of thousands of units.
_SPENT = """
SELECT coalesce(sum(n::bigint), 0) FROM run r JOIN unit u ON u.tenant_id = r.tenant_id AND u.run_id = r.run_id,
    jsonb_each_text(u.calls) AS c (name, n)
WHERE r.source_id = :source AND (r.finished_at IS NULL OR r.finished_at >= :since) AND u.started_at >= :since AND (name <> '' OR u.state IN ('due', 'leased'))
    AND NOT (name = '' AND u.unit_id = CAST(:besides AS uuid))
"""
_COSTS = """
SELECT place, name, sum(n::bigint) AS total FROM unit u, jsonb_each_text(u.calls) AS c (name, n)
WHERE name <> '' AND u.run_id = (
    SELECT run_id FROM run WHERE source_id = :source AND state IN ('done', 'partial') AND NOT refresh ORDER BY started_at DESC LIMIT 1)
GROUP BY place, name
"""


class PacingRows(Scoped):
    """Manners of sources, and calls by unit."""

    def manners(self, source: UUID) -> Manners:
        """How gently a source is asked.

        Raises:
            TenancyError: There is no such source here.
        """
        row = self._one("SELECT manners FROM source WHERE source_id = :source", source=source)
        if row is None:
            raise TenancyError(f"no source {source}")
        quiet = row.manners.get("quiet")
        return Manners(
            per_second=row.manners.get("per_second"),
            daily_calls=row.manners.get("daily_calls"),
            quiet=None if quiet is None else (quiet[0], quiet[1]),
        )

    def set_manners(self, source: UUID, manners: Manners) -> None:
        """Ask a source as gently as this from the next unit on.

        Raises:
            TenancyError: There is no such source here.
        """
        told = {"per_second": manners.per_second, "daily_calls": manners.daily_calls, "quiet": manners.quiet}
        kept = json.dumps({name: value for name, value in told.items() if value is not None})
        if self._one(_SET, source=source, manners=kept) is None:
            raise TenancyError(f"no source {source}")

    def every(self, source: UUID) -> timedelta:
        """How far the runs of a source lie apart.

        Raises:
            TenancyError: There is no such source here.
        """
        row = self._one("SELECT every_seconds FROM source WHERE source_id = :source", source=source)
        if row is None:
            raise TenancyError(f"no source {source}")
        return timedelta(seconds=row.every_seconds)

    def note_calls(self, unit: Unit, calls: Mapping[str, int]) -> None:
        """Add what a look took, by operation, to what earlier looks of this unit took."""
        self._run(_NOTE, id=unit.id, calls=json.dumps(dict(calls)))

    def reserve(self, unit: Unit, expected: int, *, daily: int, since: datetime, now: datetime) -> bool:
        """Book the calls a unit is expected to take, if the day has room for them; else nothing, and false.

        A unit alone always finds room, or one that is larger than a day's budget would never begin. One asks at a time:
        units that begin together see each other.
        """
        self._lock("budget", str(unit.source))
        spent = self._spent(unit.source, since, besides=unit.id)
        if spent and spent + expected > daily:
            return False
        self._run(_RESERVE, id=unit.id, expected=expected, now=now)
        return True

    def spent(self, source: UUID, since: datetime) -> int:
        """Calls of the units that began since then, with what those under way are expected to take."""
        return self._spent(source, since)

    def costs(self, source: UUID) -> dict[str, dict[str, int]]:
        """What the last run that came to its end took: calls by place and operation."""
        found: dict[str, dict[str, int]] = {}
        for row in self._run(_COSTS, source=source):
            found.setdefault(row.place, {})[row.name] = int(row.total)
        return found

    def _spent(self, source: UUID, since: datetime, *, besides: UUID | None = None) -> int:
        return int(self._run(_SPENT, source=source, since=since, besides=besides).scalar_one())
