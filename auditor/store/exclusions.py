"""Exclusions: which resources the scope leaves out, by which rule, from when to when."""

from __future__ import annotations

from collections.abc import Collection as Members
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from auditor.domain.evidence import Exclusion
from auditor.domain.source import Unit
from auditor.store import schema
from auditor.store.coverage import CoverageRows
from auditor.store.ids import resource_id

_OPEN = """
SELECT resource_id, reason, scope_version, valid_from FROM exclusion
WHERE source_id = :source AND valid_to = :forever AND (CAST(:place AS text) IS NULL OR place = :place)
"""
_NAMES = "SELECT resource_id, type, native_id FROM resource WHERE resource_id = ANY (:ids)"
_VERSION = "SELECT max(version) FROM scope WHERE source_id = :source"
_CLOSE = "UPDATE exclusion SET valid_to = :to WHERE tenant_id = :tenant_id AND resource_id = :resource AND valid_from = :from"


class ExclusionRows(CoverageRows):
    """What is seen and not judged."""

    def exclusions(self, source: UUID, place: str | None) -> dict[tuple[str, str], str]:
        """Resources that the scope leaves out, by type and native id, each with the rule's words and its version."""
        rows = {row.resource_id: row for row in self._run(_OPEN, source=source, place=place)}
        return {
            (name.type, name.native_id): f"{row.reason} (scope version {row.scope_version})"
            for name in (self._run(_NAMES, ids=list(rows)) if rows else ())
            if (row := rows[name.resource_id])
        }

    def _keep_exclusions(
        self, unit: Unit, place: str, told: Sequence[Exclusion], seen: Members[UUID], *, now: datetime
    ) -> None:
        """Open what is out by a rule it was not out by before, and end what is in again, among the resources seen."""
        rules = {resource_id(self._tenant, unit.source, one.resource_type, one.native_id): one.reason for one in told}
        before = {row.resource_id: row for row in self._run(_OPEN, source=unit.source, place=place)}
        over = [row for id_, row in before.items() if id_ in seen and rules.get(id_) != row.reason]
        begin = [id_ for id_, reason in rules.items() if id_ not in before or before[id_].reason != reason]
        # An interval has a length, even where a rule changed within one look at the clock.
        ends = {row.resource_id: max(now, row.valid_from + timedelta(microseconds=1)) for row in over}
        self._many(
            _CLOSE, [{"resource": row.resource_id, "from": row.valid_from, "to": ends[row.resource_id]} for row in over]
        )
        if not begin:
            return
        version = self._run(_VERSION, source=unit.source).scalar_one()
        rows = [
            {
                "source_id": unit.source,
                "resource_id": id_,
                "place": place,
                "reason": rules[id_],
                "scope_version": version,
                "valid_from": ends.get(id_, now),
            }
            for id_ in begin
        ]
        self._insert(schema.exclusion, rows)
