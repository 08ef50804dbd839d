"""Evidence: contents once per tenant, spans of which resource answered with which content, and the way back to values.

What stands as it was is not written again: that it was seen is told by the coverage of its type and place.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from auditor.domain.errors import EvidenceError
from auditor.domain.evidence import Collection, Evidence, Held, Known, Standing
from auditor.domain.finding import FOREVER
from auditor.domain.source import GLOBAL, JOIN, Unit, public_id
from auditor.domain.volatile import beside
from auditor.proof.canonical import canonical
from auditor.store import schema
from auditor.store.attributions import AttributionRows
from auditor.store.calls import CallRows
from auditor.store.evidence_spans import OpenSpan, changes, gone_of, span_of
from auditor.store.exclusions import ExclusionRows
from auditor.store.ids import evidence_id, resource_id
from auditor.store.joined import JoinRows
from auditor.store.keys import SALTS
from auditor.store.noting import LedgerRows, Note

Seen = TypeVar("Seen", Evidence, Held)

# One table at a time, by ids: a planner that has seen no statistics yet (a first day) joins these by comparing each with each.
_RESOURCES = (
    "SELECT resource_id, type, native_id, region FROM resource WHERE source_id = :source AND type = ANY (:types)"
)
_SPANS = """
SELECT resource_id, evidence_id, place, operations, valid_from, last_at, listed_digest FROM evidence_span
WHERE resource_id = ANY (:ids) AND valid_to = :forever AND (CAST(:place AS text) IS NULL OR place = :place)
"""
_CONTENTS = "SELECT evidence_id, digest, type_version, address FROM evidence WHERE evidence_id = ANY (:ids)"
_ERASED = """
SELECT 1 FROM evidence e WHERE e.evidence_id = ANY (:ids)
    AND EXISTS (SELECT FROM object_key k WHERE k.digest = e.digest)
    AND NOT EXISTS (SELECT FROM object_key k WHERE k.digest = e.digest AND k.destroyed_at IS NULL)
LIMIT 1
"""
_LISTED = """
UPDATE evidence_span SET listed_digest = :listed
WHERE tenant_id = :tenant_id AND resource_id = :resource AND valid_from = :from
"""
_BEFORE = """
SELECT DISTINCT ON (resource_id) resource_id, operations, calls_id, calls FROM evidence_span
WHERE resource_id = ANY (:ids) ORDER BY resource_id, valid_from DESC
"""
_CLOSE = """
UPDATE evidence_span SET valid_to = :to WHERE tenant_id = :tenant_id AND resource_id = :resource AND valid_from = :from
"""
# The fence stays with the row and grows with the next lease.
_HAND_OVER = """
UPDATE work SET queue = 'assess', due_at = :now, lease_until = NULL, attempts = 0
WHERE queue = 'collect' AND id = :id
"""
_WHOLE = "UPDATE unit SET asked = asked || CAST(:whole AS jsonb) WHERE unit_id = :id"
_ENDED = (
    "SELECT resource_id, max(valid_to) AS at FROM evidence_span WHERE resource_id = ANY (:ids) GROUP BY resource_id"
)
_COUNT = """
UPDATE coverage_span SET listed = listed + :more
WHERE tenant_id = :tenant_id AND source_id = :source AND place = :place AND resource_type = :type AND valid_to = :forever
    AND state = 'ok'
"""
_AGAIN = "UPDATE work SET due_at = :at, lease_until = NULL WHERE queue = 'collect' AND id = :id"


class EvidenceRows(CallRows, ExclusionRows, AttributionRows, JoinRows, LedgerRows):
    """What was seen of each resource, and when."""

    def known(self, source: UUID, place: str, resource_types: Iterable[str]) -> dict[tuple[str, str], Known]:
        """What stands of each resource of a place, by type and native id: what need not be read or put again."""
        return {
            (span.seen.resource_type, span.seen.native_id): Known(span.seen.digest, span.listed_digest)
            for span in self._open_spans(source, resource_types, place)
        }

    def keep(
        self,
        unit: Unit,
        collection: Collection,
        addresses: Mapping[str, str],
        *,
        now: datetime,
        again_at: datetime | None = None,
    ) -> None:
        """What changed of a unit's evidence, its coverage and exclusions, and the unit handed to ``assess``.

        A resource that a complete listing no longer shows ends its evidence span. A look older than the last one known of
        its place and type tells nothing. Keeping twice is refused by the fence.

        Args:
            unit: The unit, held.
            collection: What it brought home.
            addresses: Where the new objects lie, by evidence digest.
            now: When it is written.
            again_at: When to look once more; the unit is then given back with its attempts, not handed on.

        Raises:
            StaleFenceError: The unit is no longer ours.
            EvidenceError: What it showed was erased while it was looked at.
        """
        self._keep(unit, collection, addresses, now=now)
        whole: dict[str, list[str]] = {
            look.resource_type: [] for look in collection.coverage if look.resource_type in unit.named
        }
        if whole:  # what could not be asked by name was listed, and is judged so
            self._run(_WHOLE, id=unit.id, whole=json.dumps(whole))
        self._run(
            "UPDATE unit SET started_at = coalesce(started_at, :at), state = 'due',"
            " attempts = CASE WHEN :over THEN 0 ELSE attempts END WHERE unit_id = :id",
            id=unit.id,
            at=collection.provenance.started_at,
            over=again_at is None,
        )
        if again_at is None:
            self._run(_HAND_OVER, id=unit.id, now=now)
        else:
            self._run(_AGAIN, id=unit.id, at=again_at)

    def keep_derived(self, unit: Unit, collection: Collection, addresses: Mapping[str, str], *, now: datetime) -> None:
        """Derived documents as evidence, and the coverage of derived types, which only ``join`` can tell.

        Raises:
            StaleFenceError: The unit is no longer ours.
        """
        self._keep(unit, collection, addresses, now=now)

    def standing(self, source: UUID, place: str | None, resource_types: Iterable[str]) -> tuple[Standing, ...]:
        """Current evidence without content, by type and native id; ``place=None`` means everywhere."""
        found = [span.seen for span in self._open_spans(source, resource_types, place, freshly=True)]
        return tuple(sorted(found, key=lambda one: (one.resource_type, one.native_id)))

    def contents(self, digests: Iterable[str]) -> dict[str, Mapping[str, Any]]:
        """Contents read back from the objects, by evidence digest.

        Raises:
            EvidenceError: An object is missing or is not what its digest says.
        """
        asked = sorted(set(digests))
        found = self._objects.get_many(self._tenant, asked) if asked else {}
        return {digest: json.loads(data)["content"] for digest, data in found.items()}

    def _open_spans(
        self, source: UUID, types: Iterable[str], place: str | None = None, *, freshly: bool = False
    ) -> list[OpenSpan]:
        """The open spans of these types, of one place or of all.

        ``freshly`` takes the last good look at type and place for when each was seen.
        """
        resources = {row.resource_id: row for row in self._run(_RESOURCES, source=source, types=sorted(set(types)))}
        spans = self._run(_SPANS, ids=list(resources), place=place).all()
        contents = {row.evidence_id: row for row in self._run(_CONTENTS, ids=[span.evidence_id for span in spans])}
        looks = {}
        if freshly:
            looks = {
                (look.resource_type, look.place): look.at
                for look in self.coverage(source, place=None)
                if look.state == "ok"
            }
        found = []
        for span in spans:
            resource, content = resources[span.resource_id], contents[span.evidence_id]
            # What join derives is looked at where its members stand: in their region, or over all of them.
            places = (span.place,) if span.place != JOIN else (resource.region, GLOBAL)
            looked = next((at for place in places if (at := looks.get((resource.type, place)))), span.last_at)
            seen = Standing(
                resource.type,
                content.type_version,
                resource.native_id,
                resource.region,
                span.place,
                content.digest,
                max(span.last_at, looked),
                tuple(span.operations),
            )
            found.append(
                OpenSpan(span.resource_id, span.evidence_id, seen, span.listed_digest, span.valid_from, span.last_at)
            )
        return found

    def _keep(self, unit: Unit, collection: Collection, addresses: Mapping[str, str], *, now: datetime) -> None:
        self._hold(unit)
        self._lock("evidence", str(unit.source), collection.place)
        self._lock("retention", shared=True)
        late = set() if collection.place == JOIN else self._late(unit.source, collection)
        looks = [look for look in collection.coverage if look.resource_type not in late]
        answers = self._by_id(unit, [one for one in collection.evidence if one.resource_type not in late])
        held = self._by_id(unit, [one for one in collection.held if one.resource_type not in late])
        covered = {look.resource_type for look in collection.coverage}
        types = {one.resource_type for one in answers.values()} | {one.resource_type for one in held.values()}
        types |= {look.resource_type for look in looks}
        spans = {span.resource: span for span in self._open_spans(unit.source, types)}
        by_name = {id_: one for id_, one in answers.items() if one.resource_type not in covered and id_ not in spans}
        for id_ in self._gone_since(by_name):
            del answers[id_], by_name[id_]
        self._keep_resources(unit, {id_: one for id_, one in answers.items() if id_ not in spans})
        contents = self._keep_contents(answers, spans, addresses, now=now)
        opened, closed, relisted = changes(collection, answers, contents, spans)
        unseen = [span for id_, span in spans.items() if id_ not in answers and id_ not in held]
        gone, younger = gone_of(collection.place, looks, unseen, begun_at=collection.provenance.started_at)
        closed += gone
        opened += self._reopened(collection, {id_: one for id_, one in held.items() if id_ not in spans})
        self._keep_contents(self._rest_on(collection.records, answers, opened), {}, addresses, now=now)
        self._note_answerer(unit.source, collection.provenance.endpoint)
        self._refuse_erased(opened)
        self._many(_CLOSE, closed)
        self._many(_LISTED, relisted)
        self._insert(schema.evidence_span, [{**row, "run_id": unit.run} for row in opened])
        if collection.place != JOIN:
            told = [one for one in collection.excluded if one.resource_type not in late]
            seen = {*answers, *held, *(row["resource"] for row in closed)}
            self._keep_exclusions(unit, collection.place, told, seen, now=now)
            self._keep_writers(unit, [one for one in collection.written if one.resource_type not in late])
        self._cover(
            unit.source,
            unit.run,
            [replace(look, listed=look.listed + younger[look.resource_type]) for look in collection.coverage],
        )
        more = Counter(one.resource_type for one in by_name.values())
        which = {"source": unit.source, "place": collection.place, "forever": FOREVER}
        self._many(_COUNT, [{**which, "type": name, "more": n} for name, n in more.items()])

    def _gone_since(self, by_name: Mapping[UUID, Evidence]) -> list[UUID]:
        """Resources that were asked for by name, and that a listing has called gone after they answered."""
        if not by_name:
            return []
        return [
            row.resource_id
            for row in self._run(_ENDED, ids=list(by_name))
            if row.at > by_name[row.resource_id].collected_at
        ]

    def _refuse_erased(self, opened: Sequence[Mapping[str, Any]]) -> None:
        """No span opens over a content that was erased while it was looked at: looking again puts it anew.

        Raises:
            EvidenceError: One would.
        """
        if opened and self._one(_ERASED, ids=[row["evidence_id"] for row in opened]) is not None:
            raise EvidenceError("what was looked at was erased meanwhile: it is looked at again")

    def _late(self, source: UUID, collection: Collection) -> set[str]:
        """The types of which a newer look at the place is known: two runs over one source may overlap."""
        last = {look.resource_type: look.at for look in self.coverage(source, place=collection.place)}
        return {
            name
            for look in collection.coverage
            if look.resource_type in last and look.at <= last[look.resource_type]
            for name in (look.resource_type, beside(look.resource_type))
        }

    def _by_id(self, unit: Unit, found: Iterable[Seen]) -> dict[UUID, Seen]:
        return {resource_id(self._tenant, unit.source, one.resource_type, one.native_id): one for one in found}

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
        self,
        answers: Mapping[UUID, Evidence],
        spans: Mapping[UUID, OpenSpan],
        addresses: Mapping[str, str],
        *,
        now: datetime,
    ) -> dict[UUID, UUID]:
        """The content rows, once each; which resource answered with which."""
        digests = {resource: one.digest for resource, one in answers.items()}
        contents = {resource: evidence_id(self._tenant, digest) for resource, digest in digests.items()}
        there = {span.content for span in spans.values()}
        ask = sorted({id_ for id_ in contents.values() if id_ not in there})
        known = {row.evidence_id: row.address for row in self._run(_CONTENTS, ids=ask)} if ask else {}
        there |= set(known)
        rows: dict[UUID, dict[str, Any]] = {}
        for resource, one in answers.items():
            id_ = contents[resource]
            if id_ in there:
                continue
            rows[id_] = {
                "evidence_id": id_,
                "digest": digests[resource],
                "address": addresses[digests[resource]],
                "resource_type": one.resource_type,
                "type_version": one.type_version,
                "bytes": len(canonical(one.body)),
                "created_at": now,
            }
        self._insert(schema.evidence, conflict="ON CONFLICT DO NOTHING", rows=list(rows.values()))
        # A content that was erased and is seen again lies elsewhere, under a new salt: it is put anew.
        again = {id_: digest for digest, id_ in zip(digests.values(), contents.values(), strict=True) if id_ in known}
        again = {id_: digest for id_, digest in again.items() if addresses.get(digest, known[id_]) != known[id_]}
        self._note_puts({id_: row["digest"] for id_, row in rows.items()} | again, addresses, now=now)
        return contents

    def _note_puts(self, put: Mapping[UUID, str], addresses: Mapping[str, str], *, now: datetime) -> None:
        """Note contents under the salts that lie beside their keys; kept without a key, under one of the ledger's own."""
        if put:
            salts = {row.digest: bytes(row.salt) for row in self._run(SALTS, digests=sorted(set(put.values())))}
            self.note_all(
                [
                    Note(
                        "evidence.put",
                        str(id_),
                        digest,
                        now,
                        salt=salts.get(digest),
                        event=self._put_of(addresses[digest]),
                    )
                    for id_, digest in put.items()
                ]
            )

    def _put_of(self, address: str) -> UUID:
        return public_id(self._tenant, "evidence.put", address)

    def _reopened(self, collection: Collection, held: Mapping[UUID, Held]) -> list[dict[str, Any]]:
        """Spans of what this look was told to know, and another run called gone meanwhile: it is listed, so it stands."""
        if not held:
            return []
        before = {row.resource_id: row for row in self._run(_BEFORE, ids=sorted(held))}
        ends = {look.resource_type: look.at for look in collection.coverage}
        return [
            span_of(
                collection, id_, evidence_id(self._tenant, one.digest), before[id_].operations, ends[one.resource_type]
            )
            | {"calls_id": before[id_].calls_id, "calls": before[id_].calls}
            for id_, one in held.items()
            if id_ in before and one.resource_type in ends
        ]
