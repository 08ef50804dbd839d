"""Who wrote to a resource, as the resource itself tells: beside its evidence, once for each write that a run came to see."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from auditor.domain.evidence import Written
from auditor.domain.source import Unit
from auditor.store import schema
from auditor.store.coverage import CoverageRows
from auditor.store.ids import resource_id

_LAST = """
SELECT DISTINCT ON (resource_id) resource_id, manager, operation, written_at FROM attribution
WHERE resource_id = ANY (:ids) ORDER BY resource_id, seen_at DESC, written_at DESC
"""


class AttributionRows(CoverageRows):
    """Writers of resources."""

    def _keep_writers(self, unit: Unit, written: Sequence[Written]) -> None:
        """Add the writes that are not the last one known of their resource; the resources must be kept."""
        if not written:
            return
        told = {resource_id(self._tenant, unit.source, one.resource_type, one.native_id): one for one in written}
        known: dict[UUID, tuple[str, str, object]] = {
            row.resource_id: (row.manager, row.operation, row.written_at) for row in self._run(_LAST, ids=list(told))
        }
        rows = [
            {
                "resource_id": id_,
                "manager": one.manager,
                "operation": one.operation,
                "written_at": one.at,
                "seen_at": one.seen_at,
                "run_id": unit.run,
            }
            for id_, one in told.items()
            if known.get(id_) != (one.manager, one.operation, one.at)
        ]
        self._insert(schema.attribution, rows, "ON CONFLICT DO NOTHING")
