"""Evidence: contents once per tenant, spans of which resource answered with which content, and the way back to values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from auditor.domain.coverage import Coverage
from auditor.domain.evidence import Collection, Evidence
from auditor.domain.source import Unit
from auditor.proof.canonical import canonical
from auditor.store import schema
from auditor.store.coverage import CoverageRows
from auditor.store.ids import evidence_id, resource_id

# One table at a time, by ids: a planner that has seen no statistics yet (a first day) joins these by comparing each with each.
_RESOURCES = (
    "SELECT resource_id, type, native_id, region FROM resource WHERE source_id = :source AND type = ANY (:types)"
)
_SPANS = """
SELECT resource_id, evidence_id, place, operations, valid_from, last_at FROM evidence_span
WHERE resource_id = ANY (:ids) AND valid_to = :forever
"""
_CONTENTS = "SELECT evidence_id, digest, type_version FROM evidence WHERE evidence_id = ANY (:ids)"
_EXTEND = """
UPDATE evidence_span s
SET last_at = r.at, operations = r.operations, caller = r.caller, endpoint = r.endpoint, place = r.place, run_id = r.run
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (resource uuid, began timestamptz, at timestamptz, operations text[],
    caller text, endpoint text, place text, run uuid)
WHERE s.tenant_id = :tenant AND s.resource_id = r.resource AND s.valid_from = r.began
"""
_CLOSE = """
UPDATE evidence_span SET valid_to = :to WHERE tenant_id = :tenant_id AND resource_id = :resource AND valid_from = :from
"""


# The fence stays with the row and grows with the next lease.
_HAND_OVER = """
UPDATE work SET queue = 'assess', due_at = :now, lease_until = NULL, attempts = 0
WHERE queue = 'collect' AND id = :id
"""


class EvidenceRows(CoverageRows):
    """What was seen of each resource, and when."""

    def keep(self, unit: Unit, collection: Collection, addresses: Mapping[str, str], *, now: datetime) -> None:
        """Evidence rows, evidence spans and coverage of a unit, and the unit handed to ``assess``.

        A resource that a complete listing no longer shows ends its evidence span. An answer older than the open span is not
        inserted in between. Keeping twice is refused by the fence.

        Args:
            unit: The unit, held.
            collection: What it brought home.
            addresses: Where the objects lie, by evidence digest.
            now: When it is written.

        Raises:
            StaleFenceError: The unit is no longer ours.
        """
        self._keep(unit, collection, addresses, now=now)
        self._run(
            "UPDATE unit SET started_at = coalesce(started_at, :at) WHERE unit_id = :id",
            id=unit.id,
            at=collection.provenance.started_at,
        )
        self._run(_HAND_OVER, id=unit.id, now=now)
        self._run("UPDATE unit SET state = 'due' WHERE unit_id = :id", id=unit.id)

    def keep_derived(self, unit: Unit, collection: Collection, addresses: Mapping[str, str], *, now: datetime) -> None:
        """Derived documents as evidence, and the coverage of derived types, which only ``join`` can tell.

        Raises:
            StaleFenceError: The unit is no longer ours.
        """
        self._keep(unit, collection, addresses, now=now)

    def evidence(self, source: UUID, *, place: str | None, resource_types: Iterable[str]) -> tuple[Evidence, ...]:
        """Current evidence with its content read back from the objects; ``place=None`` means everywhere.

        Raises:
            EvidenceError: An object is missing or is not what its digest says.
        """
        resources, spans = self._open_spans(source, resource_types)
        here = [span for span in spans if place in {None, span.place}]
        contents = {row.evidence_id: row for row in self._run(_CONTENTS, ids=[span.evidence_id for span in here])}
        found = [
            Evidence(
                resource_type=resources[span.resource_id].type,
                type_version=contents[span.evidence_id].type_version,
                native_id=resources[span.resource_id].native_id,
                region=resources[span.resource_id].region,
                content=json.loads(self._objects.get(self._tenant, contents[span.evidence_id].digest))["content"],
                collected_at=span.last_at,
                operations=tuple(span.operations),
            )
            for span in here
        ]
        return tuple(sorted(found, key=lambda one: (one.resource_type, one.native_id)))

    def _open_spans(self, source: UUID, types: Iterable[str]) -> tuple[dict[UUID, Row[Any]], Sequence[Row[Any]]]:
        """The resources of these types by id, and the open spans of those that have one."""
        resources = {row.resource_id: row for row in self._run(_RESOURCES, source=source, types=sorted(set(types)))}
        return resources, self._run(_SPANS, ids=list(resources)).all()

    def _keep(self, unit: Unit, collection: Collection, addresses: Mapping[str, str], *, now: datetime) -> None:
        self._hold(unit)
        self._lock("evidence", str(unit.source), collection.place)
        answers = {
            resource_id(self._tenant, unit.source, one.resource_type, one.native_id): one for one in collection.evidence
        }
        self._keep_resources(unit, answers)
        contents = self._keep_contents(answers, addresses, now=now)
        self._keep_spans(unit, collection, answers, contents)
        self._cover(unit, collection.coverage)

    def _keep_resources(self, unit: Unit, answers: Mapping[UUID, Evidence]) -> None:
        rows = [
            {
                "resource_id": id_,
                "source_id": unit.source,
                "type": one.resource_type,
                "native_id": one.native_id,
                "region": one.region,
            }
            for id_, one in answers.items()
        ]
        self._insert(schema.resource, conflict="ON CONFLICT DO NOTHING", rows=rows)

    def _keep_contents(
        self, answers: Mapping[UUID, Evidence], addresses: Mapping[str, str], *, now: datetime
    ) -> dict[UUID, UUID]:
        """The content rows, once each; which resource answered with which."""
        contents: dict[UUID, UUID] = {}
        rows: dict[UUID, dict[str, Any]] = {}
        for resource, one in answers.items():
            data = canonical(one.body)
            digest = hashlib.sha256(data).hexdigest()
            id_ = contents[resource] = evidence_id(self._tenant, digest)
            rows[id_] = {
                "evidence_id": id_,
                "digest": digest,
                "address": addresses[digest],
                "resource_type": one.resource_type,
                "type_version": one.type_version,
                "bytes": len(data),
                "created_at": now,
            }
        self._insert(schema.evidence, conflict="ON CONFLICT DO NOTHING", rows=list(rows.values()))
        return contents

    def _keep_spans(
        self, unit: Unit, collection: Collection, answers: Mapping[UUID, Evidence], contents: Mapping[UUID, UUID]
    ) -> None:
        types = {one.resource_type for one in collection.evidence} | {
            look.resource_type for look in collection.coverage
        }
        resources, rows = self._open_spans(unit.source, types)
        spans = {row.resource_id: row for row in rows}
        extended, closed, opened = [], [], []
        for resource, one in answers.items():
            span = spans.get(resource)
            told = {
                "place": collection.place,
                "operations": list(one.operations),
                "caller": collection.provenance.caller,
                "endpoint": collection.provenance.endpoint,
            }
            if span is not None and one.collected_at <= span.last_at:
                continue
            if span is not None and span.evidence_id == contents[resource]:
                extended.append(
                    {**told, "resource": resource, "began": span.valid_from, "at": one.collected_at, "run": unit.run}
                )
                continue
            if span is not None:
                closed.append({"resource": resource, "from": span.valid_from, "to": one.collected_at})
            times = {"valid_from": one.collected_at, "last_at": one.collected_at, "run_id": unit.run}
            opened.append({**told, **times, "resource_id": resource, "evidence_id": contents[resource]})
        unseen = [(resources[row.resource_id].type, row) for row in rows if row.resource_id not in answers]
        closed += _gone(collection.place, collection.coverage, unseen)
        self._at_once(_EXTEND, extended)
        self._many(_CLOSE, closed)
        self._insert(schema.evidence_span, opened)


def _gone(place: str, coverage: Sequence[Coverage], unseen: Sequence[tuple[str, Row[Any]]]) -> list[dict[str, Any]]:
    """The ends of spans whose resource complete listings of their place do not show any more."""
    looks: dict[str, list[Coverage]] = {}
    for look in coverage:
        looks.setdefault(look.resource_type, []).append(look)
    ends = {name: max(look.at for look in of) for name, of in looks.items() if all(look.complete for look in of)}
    return [
        {"resource": row.resource_id, "from": row.valid_from, "to": ends[kind]}
        for kind, row in unseen
        if row.place == place and kind in ends and row.last_at <= ends[kind] != row.valid_from
    ]
