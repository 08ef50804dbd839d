"""What derived types were last built from, so that equal inputs are not joined again."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from auditor.domain.source import Unit
from auditor.store import schema
from auditor.store.scoped import Scoped

_JOINED = "SELECT resource_type, inputs_digest FROM join_state WHERE source_id = :source AND evaluator = :evaluator"
_LATEST = """
ON CONFLICT (tenant_id, source_id, resource_type)
DO UPDATE SET inputs_digest = excluded.inputs_digest, evaluator = excluded.evaluator
"""


class JoinRows(Scoped):
    """The memory of ``join``."""

    def joined(self, source: UUID) -> dict[str, str]:
        """The digests of what each derived type was last built from by today's evaluator, by type."""
        rows = self._run(_JOINED, source=source, evaluator=self._evaluator)
        return {row.resource_type: row.inputs_digest for row in rows}

    def keep_joined(self, unit: Unit, built: Mapping[str, str]) -> None:
        """Remember what derived types were built from.

        Raises:
            StaleFenceError: The unit is no longer ours.
        """
        self._hold(unit)
        rows = [
            {"source_id": unit.source, "resource_type": name, "inputs_digest": taken, "evaluator": self._evaluator}
            for name, taken in built.items()
        ]
        self._insert(schema.join_state, rows, _LATEST)
