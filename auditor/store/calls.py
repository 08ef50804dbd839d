"""Which calls evidence rests on, and who answered: told by the rows of spans and sources, kept where evidence is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from auditor.domain.evidence import CallRecord, Evidence
from auditor.store.ids import evidence_id
from auditor.store.scoped import Scoped

# The first one, and for good: the evidence that it gave stays what it is.
_ANSWERED_BY = """
UPDATE source SET answered_by = :host
WHERE tenant_id = :tenant AND source_id = :source AND coalesce(answered_by, '') = ''
"""


class CallRows(Scoped):
    """How evidence was got."""

    def _rest_on(
        self, records: Sequence[CallRecord], answers: Mapping[UUID, Evidence], opened: Sequence[dict[str, Any]]
    ) -> dict[UUID, Evidence]:
        """Tell the spans that open which calls they rest on; gives the records that must be kept for that."""
        spans = {(one.resource_type, one.native_id): row for row in opened if (one := answers.get(row["resource_id"]))}
        kept: dict[UUID, Evidence] = {}
        for record in records:
            id_ = evidence_id(self._tenant, record.written.digest)
            for key in spans.keys() & record.numbers.keys():
                spans[key].update(calls_id=id_, calls=list(record.numbers[key]))
                kept[id_] = record.written
        return kept

    def _note_answerer(self, source: UUID, host: str) -> None:
        """Remember that a host answered that is not the provider's own."""
        if host:
            self._run(_ANSWERED_BY, source=source, host=host)
