"""Which volatile facts each check judged last, so that only what moved since is judged again."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from auditor.domain.source import Unit
from auditor.store import schema
from auditor.store.scoped import Scoped

_JUDGED = "SELECT check_id, digest FROM volatile_judged WHERE source_id = :source AND place = :place"
_LATEST = "ON CONFLICT (tenant_id, source_id, place, check_id) DO UPDATE SET digest = excluded.digest"


class VolatileRows(Scoped):
    """The memory of judging what moves."""

    def volatile_judged(self, source: UUID, place: str) -> dict[str, str]:
        """The digests of the volatile facts that each check judged last in a place, by check."""
        return {row.check_id: row.digest for row in self._run(_JUDGED, source=source, place=place)}

    def keep_volatile_judged(self, unit: Unit, judged: Mapping[str, str]) -> None:
        """Remember which volatile facts checks judged.

        Raises:
            StaleFenceError: The unit is no longer ours.
        """
        self._hold(unit)
        rows = [
            {"source_id": unit.source, "place": unit.place, "check_id": check, "digest": digest}
            for check, digest in judged.items()
        ]
        self._insert(schema.volatile_judged, rows, _LATEST)
