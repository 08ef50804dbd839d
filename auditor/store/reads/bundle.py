"""What a bundle tells, read from the books as of one signed head: ``exports.bundle.BundleSource`` over one snapshot.

Rows come through server-side cursors and leave one by one. What was recorded after the head is not told; what was seen after
it, coverage moves on with, is cut at the head's time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import groupby, islice
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Row, text

from auditor.domain.bundle import Asked
from auditor.domain.errors import ExportError
from auditor.domain.ledger import nodes
from auditor.domain.ports import Objects
from auditor.domain.source import public_id
from auditor.domain.volatile import of_type
from auditor.proof.canonical import canonical, digest, stamp
from auditor.proof.merkle import Nodes
from auditor.proof.note import InclusionProof, VerifierKey
from auditor.proof.spans import FOREVER as OPEN_ENDED
from auditor.store.facts import finding_facts, plain, span_facts
from auditor.store.ledger import PostgresCopy
from auditor.store.reads import bundle_sql as sql
from auditor.store.reads.bundle_held import refuse_held_back, unproved
from auditor.store.reads.bundle_joins import Inputs, Joins
from auditor.store.reads.bundle_rotation import rotation
from auditor.store.reads.bundle_runs import nothing_ran, run_line, slots
from auditor.store.reads.bundle_sql import narrowed
from auditor.store.reads.changes import changes
from auditor.store.reads.heads import Heads
from auditor.store.reads.overlay import FRESH

Line = Mapping[str, Any]
Describe = Callable[[str, int, Mapping[str, Any]], Mapping[str, Any] | None]
AT_ONCE = 1000


class Entry(NamedTuple):
    """An entry with its leaf."""

    leaf: int
    stored: bytes


class BundleReads:
    """A tenant's books as one bundle tells them.

    Args:
        connection: A read-only snapshot under the tenant.
        tenant: Whose.
        asked: What the bundle is about.
        heads: Between which heads of the ledger.
        objects: Where evidence lies.
        describe: The document of evidence by type and version; none where this release has another version of the type.
        inputs: What joined types are built from.
        controls: Check ids by control, to narrow a part.
        fresh: How long a look serves, by resource type.
        product: Who writes.
    """

    def __init__(
        self,
        connection: Connection,
        tenant: UUID,
        asked: Asked,
        heads: Heads,
        objects: Objects,
        describe: Describe,
        *,
        inputs: Inputs,
        controls: Mapping[str, Sequence[str]],
        fresh: Mapping[str, timedelta],
        product: str,
    ) -> None:
        self._connection = connection
        self._tenant = tenant
        self._asked = asked
        self._heads = heads
        self._objects = objects
        self._describe = describe
        self._inputs = inputs
        self._controls = controls
        self._fresh = fresh
        self._product = product
        self._copy = PostgresCopy(connection, tenant)
        self._node = self._nodes(heads.end_size)

    def audit(self) -> Line:
        """``audit.json``."""
        name = self._connection.execute(text("SELECT name FROM tenant_here()")).scalar_one()
        asked = self._asked
        sources = [one for one in self.scope() if not asked.sources or one["source"] in asked.sources]
        said: dict[str, Any] = {
            "v": 1,
            "tenant": str(self._tenant),
            "name": name,
            "frameworks": list(asked.frameworks),
            "kind": asked.kind,
            "period": {"from": stamp(asked.begins), "to": stamp(asked.ends)},
            "as_of": stamp(self._heads.as_of),
            "running": self._heads.as_of < asked.ends,
            "product": self._product,
            "not_a_real_provider": [
                {"source": one["source"], "name": one["name"], "host": one["stand_in"]}
                for one in sources
                if one["stand_in"]
            ],
        }
        return said if asked.partial is None else {**said, "partial": asked.partial}

    def ledger(self) -> Heads:
        """Between which heads."""
        return self._heads

    def scope(self) -> Iterable[Line]:
        """Sources that were connected in the period, with the rule in force at its end."""
        for row in self._rows(sql.SOURCES, **self._window):
            disconnected = (
                row.disconnected_at if row.disconnected_at and row.disconnected_at <= self._heads.as_of else None
            )
            yield {
                "source": str(row.source_id),
                "kind": row.kind,
                "account": row.account,
                "partition": row.partition,
                "name": row.name,
                "endpoint": row.endpoint_url or "",
                "stand_in": row.stand_in,
                "every_seconds": row.every_seconds,
                "grid": stamp(row.grid),
                "from": stamp(row.created_at),
                "to": None if disconnected is None else stamp(disconnected),
                "rule": row.rule or {},
            }

    def scope_changes(self) -> Iterable[Line]:
        """The rule in force when the period began, and every one since."""
        for row in self._rows(sql.SCOPES, **self._window):
            yield {
                "source": str(row.source_id),
                "version": row.version,
                "valid_from": stamp(row.valid_from),
                "rule": row.rule,
                "changed_by": row.changed_by,
                "reason": row.reason,
            }

    def changes(self) -> Iterable[Line]:
        """Who changed what in the period, by time."""
        return changes(self._connection, self._asked.begins, self._known_to)

    def inventory(self) -> Iterable[Line]:
        """How many resources of each type stood at each place."""
        for row in self._rows(sql.INVENTORY, as_of=self._heads.as_of):
            told = {"source": str(row.source_id), "place": row.place, "resource_type": row.resource_type, "n": row.n}
            yield told

    def left_out(self) -> Iterable[Line]:
        """What is not connected on purpose, with who decided it and why."""
        for row in self._rows(sql.LEFT_OUT, as_of=self._heads.as_of):
            yield {
                "kind": row.kind,
                "id": row.native_id,
                "by": row.decided_by,
                "reason": row.reason,
                "valid_from": stamp(row.valid_from),
            }

    def coverage(self) -> Iterator[Line]:
        """Every interval from the period's beginning to the head, at which it is cut: spans are told until then."""
        return map(self._covered, self._rows(sql.COVERAGE, **self._window))

    def coverage_of_joins(self) -> Iterator[Line]:
        """What else is told of coverage: how far was seen what joined documents from outside the period were built over."""
        return map(self._covered, self._rows(sql.COVERAGE_OF_JOINS, **self._window, **self._joins.parameters()))

    def _covered(self, row: Row[Any]) -> Line:
        as_of = self._heads.as_of
        return {
            "source": str(row.source_id),
            "place": row.place,
            "resource_type": row.resource_type,
            "state": row.state,
            "detail": row.detail,
            "action": row.action,
            "listed": row.listed,
            "denied_details": plain(row.denied_details),
            "rota": row.rota,
            "within": list(row.within),
            "fresh_seconds": int(self._fresh.get(row.resource_type, FRESH).total_seconds()),
            "unsupported_means": "not_applicable",
            "valid_from": stamp(row.valid_from),
            "last_at": stamp(min(row.last_at, as_of)),
            "valid_to": OPEN_ENDED if row.valid_to > as_of else stamp(row.valid_to),
        }

    def runs(self) -> Iterator[Line]:
        """Every run that began in the period or ended in the segment, and the slots in which nothing ran."""
        told: dict[tuple[str, str], Line] = {}
        for row in self._rows(sql.RUNS, **self._window, start=self._heads.start_size, size=self._heads.end_size):
            line = run_line(row)
            told[line["source"], line["slot"]] = line
        for source in self._rows(sql.SOURCES, **self._window):
            for slot in slots(source, self._asked.begins, self._known_to):
                key = (str(source.source_id), stamp(slot))
                late = slot + timedelta(seconds=source.every_seconds) > self._heads.as_of
                told.setdefault(key, nothing_ran(*key, "running" if late else "missed"))
        return (told[key] for key in sorted(told))

    def findings(self) -> Iterator[Line]:
        """Every finding that reaches into the period, with its spans from the first that does.

        Raises:
            ExportError: A span was written before there was a ledger, or its entry is held back, so nothing proves it.
        """
        asked, about = self._asked, narrowed(self._asked, self._controls)
        refuse_held_back(self._connection, self._heads.as_of, asked.begins, about)
        rows = self._rows(sql.FINDINGS, size=self._heads.end_size, **about)
        for _, of in groupby(rows, key=lambda row: row.finding_id):
            spans = list(of)
            first = next(
                (n for n, one in enumerate(spans) if one.valid_to > asked.begins or one.idx >= self._heads.start_size),
                None,
            )
            if first is not None:
                yield self._finding(spans[first:])

    def _finding(self, rows: Sequence[Row[Any]]) -> Line:
        row = rows[0]
        if row.seq > 1 and row.valid_from > self._asked.begins:
            raise ExportError(
                f"{row.check_id} on {row.native_id} has spans in the period from before the ledger began",
                advice="Begin the period after the first run of a release that keeps a ledger",
            )
        facts = finding_facts(row.finding_id, row.source_id, row.check_id, row.native_id, row.resource_type)
        spans = [self._span(one, after) for one, after in zip(rows, [*rows[1:], None], strict=True)]
        shown = {"control": row.control_id, "name": row.name or row.native_id, "region": row.region, "place": row.place}
        return {**facts, **shown, "spans": spans}

    @staticmethod
    def _span(row: Row[Any], after: Row[Any] | None) -> Line:
        """A span as it was committed; its end is the beginning of the next one that is told."""
        return {
            **span_facts(dict(row._mapping)),  # noqa: SLF001  (how SQLAlchemy gives columns by name)
            "salt": bytes(row.salt).hex(),
            "valid_to": OPEN_ENDED if after is None else stamp(after.valid_from),
            "closed_event": None if after is None else str(after.opened_event),
        }

    def definition(self, check: str, judged: str, published: str) -> Line | None:
        """A definition as it was kept when it judged first."""
        row = self._connection.execute(
            text(sql.DEFINITION), {"check": check, "judged": judged, "published": published}
        ).one_or_none()
        return None if row is None else dict(row.body)

    def evidence(self, wanted: Callable[[Line], bool]) -> Iterator[Line]:
        """What stood in the period, what spans rest on, and what joined documents were built over; of a part the latter two.

        Raises:
            ExportError: What a span rests on is not in the ledger.
        """
        found = (
            (row, _evidence(row, self._heads.as_of))
            for row in self._rows(sql.EVIDENCE, as_of=self._heads.as_of, gone=False)
        )
        rows = ((row, line) for row, line in found if wanted(line) or self._stood(row))
        while some := list(islice(rows, AT_ONCE)):
            puts = [self._put(row.lies_at or row.address) for row, _ in some]
            called = {row.calls_digest: self._put(row.calls_address) for row, _ in some if row.calls_digest is not None}
            known = self._known([*puts, *called.values()])
            for (row, line), put in zip(some, puts, strict=True):
                if put in known:
                    # A record and what rests on it are noted together, but a head may have been signed between.
                    yield line if called.get(row.calls_digest) in known else {**line, "calls": None}
                elif wanted(line):
                    raise unproved(row.native_id, row.digest)

    def gone(self) -> Iterator[Line]:
        """What stood like this and cannot be handed over any more: it was erased, or kept before there was a ledger."""
        for row in self._rows(sql.EVIDENCE, as_of=self._heads.as_of, gone=True):
            if self._stood(row):
                yield _gone(row, self._heads.as_of)

    def _stood(self, row: Row[Any]) -> bool:
        """Whether it is told for when it stood alone: in the period, or as an input of a join."""
        whole = self._asked.partial is None
        in_period = row.valid_to > self._asked.begins and row.valid_from < self._known_to
        return (whole and in_period) or self._joins.fed_by(row.source_id, of_type(row.resource_type), row.stood)

    @cached_property
    def _joins(self) -> Joins:
        heads, partial = self._heads, self._asked.partial is not None
        joined = {"joined": list(self._inputs), "partial": partial, "size": heads.end_size, "start": heads.start_size}
        about = joined | self._window | narrowed(self._asked, self._controls)
        return Joins(
            ((row.source_id, row.resource_type, row.at) for row in self._rows(sql.BUILDS, **about)), self._inputs
        )

    def _put(self, address: str) -> UUID:
        """The event under which the ledger has a content: it is put anew, elsewhere, after it was erased."""
        return public_id(self._tenant, "evidence.put", address)

    def _known(self, events: Sequence[UUID]) -> frozenset[UUID]:
        rows = self._connection.execute(text(sql.KNOWN), {"events": list(events), "size": self._heads.end_size})
        return frozenset(rows.scalars())

    def calls(self, digests: Sequence[str]) -> Iterator[Line]:
        """The index of these records of calls."""
        for row in self._connection.execute(text(sql.CALLS), {"digests": list(digests)}):
            yield {"evidence": str(row.evidence_id), "digest": row.digest, "salt": bytes(row.salt).hex()}

    def contents(self, digests: Sequence[str]) -> Mapping[str, bytes]:
        """Evidence as stored."""
        return self._objects.get_many(self._tenant, digests) if digests else {}

    def documents(self, wanted: Sequence[tuple[str, str]]) -> Mapping[str, bytes]:
        """Documents as they were kept when spans began with them, else derived from their evidence; a third way there is not.

        What volatile facts are a part of was always kept: it is derived from older evidence alone, which held them itself.
        """
        if not wanted:
            return {}
        rows = self._connection.execute(text(sql.DOCUMENTS), {"digests": [name for name, _ in wanted]}).all()
        opened = self._objects.open_beside(
            self._tenant, [row.evidence_digest for row in rows], [bytes(row.sealed) for row in rows]
        )
        pairs = zip(rows, opened, strict=True)
        found = {row.digest: value for row, value in pairs if value is not None and _is(row.digest, value)}
        left = [(name, evidence) for name, evidence in wanted if name not in found]
        kept = self.contents(sorted({evidence for _, evidence in left}))
        for name, evidence in left:
            document = self._document(json.loads(kept[evidence]))
            if document is not None and digest(document) == name:
                found[name] = canonical(document)
        return found

    def _document(self, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        content = body["content"]
        if content.keys() == {"document"}:
            derived: Mapping[str, Any] = content["document"]
            return derived
        return self._describe(body["type"], body["version"], content)

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        """The ledger, as stored."""
        return (one.entry for one in self._copy.entries(start, stop))

    def entries_of(self, subjects: Sequence[str]) -> Iterator[Entry]:
        """The entries about spans, runs and evidence."""
        events = [UUID(one) for one in subjects]
        kept = self._connection.execute(text(sql.ADDRESSES), {"subjects": events})
        events += [self._put(row.address) for row in kept]
        rows = self._connection.execute(text(sql.ENTRIES), {"subjects": events, "size": self._heads.end_size})
        return (Entry(row.idx, bytes(row.entry)) for row in rows.all())

    def node(self, level: int, index: int) -> bytes:
        """A perfect subtree's hash."""
        return self._node(level, index)

    def rotation(self, before: VerifierKey, after: VerifierKey) -> InclusionProof | None:
        """That the ledger names one key as the next, under the first head over that entry, which both signed."""
        return rotation(self._connection, self._tenant, self._nodes, before, after)

    def _nodes(self, size: int) -> Nodes:
        return nodes(size, lambda level, number: _there(self._copy.tile(level, number)), self._copy.leaves)

    @property
    def _known_to(self) -> datetime:
        return min(self._asked.ends, self._heads.as_of)

    @property
    def _window(self) -> dict[str, datetime]:
        """The period, what of it is known, and the head, until which spans are told."""
        return {"begins": self._asked.begins, "known_to": self._known_to, "as_of": self._heads.as_of}

    def _rows(self, statement: str, **values: Any) -> Iterator[Row[Any]]:
        found = self._connection.execution_options(yield_per=AT_ONCE).execute(text(statement), values)
        yield from found


def _evidence(row: Row[Any], as_of: datetime) -> Line:
    return {
        "evidence": str(row.evidence_id),
        "digest": row.digest,
        "salt": bytes(row.salt).hex(),
        "source": str(row.source_id),
        "resource": row.native_id,
        "collected_at": stamp(row.valid_from.astimezone(UTC)),
        "last_at": stamp(row.last_at),
        "operations": list(row.operations),
        "caller": row.caller,
        "endpoint": row.endpoint,
        "scope_version": row.scope_version,
        "calls": None if row.calls_digest is None else {"record": row.calls_digest, "numbers": list(row.calls)},
        "type": row.resource_type,
        "type_version": row.type_version,
        "region": row.region,
        "place": row.place,
        "written": None
        if row.manager is None
        else {"manager": row.manager, "operation": row.operation, "at": stamp(row.written_at.astimezone(UTC))},
        "stood": _times(row, as_of),
    }


def _gone(row: Row[Any], as_of: datetime) -> Line:
    return {
        "source": str(row.source_id),
        "resource": row.native_id,
        "type": row.resource_type,
        "digest": row.digest,
        "stood": _times(row, as_of),
    }


def _times(row: Row[Any], as_of: datetime) -> list[list[str | None]]:
    return [[stamp(since), None if until > as_of else stamp(until)] for since, until in row.stood]


def _is(name: str, stored: bytes) -> bool:
    return hashlib.sha256(stored).hexdigest() == name


def _there(tile: bytes | None) -> bytes:
    if tile is None:
        raise ExportError("a tile of the ledger is missing", advice="Run: auditor ledger verify")
    return tile
