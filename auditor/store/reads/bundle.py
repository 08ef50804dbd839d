"""What a bundle tells, read from the books as of one signed head: ``exports.bundle.BundleSource`` over one snapshot.

Rows come through server-side cursors and leave one by one. What was recorded after the head is not told; what was seen after
it, coverage moves on with, is cut at the head's time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Row, text

from auditor.domain.bundle import Asked
from auditor.domain.errors import ExportError
from auditor.domain.ledger import nodes
from auditor.domain.ports import Objects
from auditor.domain.source import public_id
from auditor.proof.canonical import canonical, digest, stamp
from auditor.proof.spans import FOREVER as OPEN_ENDED
from auditor.store.facts import finding_facts, plain, span_facts
from auditor.store.ledger import PostgresCopy
from auditor.store.reads import bundle_sql as sql
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
        self._controls = controls
        self._fresh = fresh
        self._product = product
        copy = PostgresCopy(connection, tenant)
        self._copy = copy
        self._node = nodes(heads.end_size, lambda level, number: _there(copy.tile(level, number)), copy.leaves)

    def audit(self) -> Line:
        """``audit.json``."""
        name = self._connection.execute(text("SELECT name FROM tenant_here()")).scalar_one()
        asked = self._asked
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

    def coverage(self) -> Iterator[Line]:
        """Every interval that reaches into the period, cut at the head's time."""
        as_of = self._heads.as_of
        for row in self._rows(sql.COVERAGE, **self._window):
            yield {
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
            line = _run(row)
            told[line["source"], line["slot"]] = line
        for source in self._rows(sql.SOURCES, **self._window):
            for slot in self._slots(source):
                key = (str(source.source_id), stamp(slot))
                late = slot + timedelta(seconds=source.every_seconds) > self._heads.as_of
                told.setdefault(key, _nothing_ran(*key, "running" if late else "missed"))
        return (told[key] for key in sorted(told))

    def _slots(self, source: Row[Any]) -> Iterator[datetime]:
        every = timedelta(seconds=source.every_seconds)
        begins = max(self._asked.begins, source.created_at)
        ends = min(self._known_to, source.disconnected_at or self._known_to)
        slot = source.grid - (source.grid - begins) // every * every
        while slot < ends:
            yield slot
            slot += every

    def findings(self) -> Iterator[Line]:
        """Every finding that reaches into the period, with its spans from the first that does.

        Raises:
            ExportError: A span was written before there was a ledger, so nothing proves it.
        """
        asked = self._asked
        checks = sorted({check for control in asked.controls for check in self._controls.get(control, ())})
        rows = self._rows(
            sql.FINDINGS,
            size=self._heads.end_size,
            checks=checks if asked.controls else None,
            sources=[UUID(one) for one in asked.sources] or None,
        )
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

    def evidence(self, wanted: Callable[[str, str], bool]) -> Iterator[Line]:
        """What stood in the period, and what spans rest on; of a part what its spans rest on alone."""
        whole = self._asked.partial is None

        def told(row: Row[Any]) -> bool:
            stood = row.valid_to > self._asked.begins and row.valid_from < self._known_to
            return wanted(row.digest, row.native_id) or (whole and stood)

        rows = (row for row in self._rows(sql.EVIDENCE, as_of=self._heads.as_of) if told(row))
        while some := list(islice(rows, AT_ONCE)):
            puts = [self._put(row.lies_at or row.address) for row in some]
            known = self._known(puts)
            yield from (_evidence(row, self._heads.as_of) for row, put in zip(some, puts, strict=True) if put in known)

    def _put(self, address: str) -> UUID:
        """The event under which the ledger has a content: it is put anew, elsewhere, after it was erased."""
        return public_id(self._tenant, "evidence.put", address)

    def _known(self, events: Sequence[UUID]) -> frozenset[UUID]:
        rows = self._connection.execute(text(sql.KNOWN), {"events": list(events), "size": self._heads.end_size})
        return frozenset(rows.scalars())

    def contents(self, digests: Sequence[str]) -> Mapping[str, bytes]:
        """Evidence as stored."""
        return self._objects.get_many(self._tenant, digests) if digests else {}

    def documents(self, wanted: Sequence[tuple[str, str]]) -> Mapping[str, bytes]:
        """Documents as they were kept when spans began with them, else derived from their evidence; a third way there is not."""
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

    @property
    def _known_to(self) -> datetime:
        return min(self._asked.ends, self._heads.as_of)

    @property
    def _window(self) -> dict[str, datetime]:
        return {"begins": self._asked.begins, "known_to": self._known_to}

    def _rows(self, statement: str, **values: Any) -> Iterator[Row[Any]]:
        found = self._connection.execution_options(yield_per=AT_ONCE).execute(text(statement), values)
        yield from found


def _run(row: Row[Any]) -> Line:
    if row.facts is None:
        if row.finished_at is None:
            return {**_nothing_ran(str(row.source_id), stamp(row.slot), "running"), "run": str(row.run_id)}
        return {
            **_nothing_ran(str(row.source_id), stamp(row.slot), "missed"),
            "ended_as": row.state,
            "was": str(row.run_id),
        }
    if row.idx is None:  # it ended after the head
        return {**_nothing_ran(str(row.source_id), stamp(row.slot), "running"), "run": str(row.run_id)}
    return {**row.facts, "salt": bytes(row.salt).hex()}


def _nothing_ran(source: str, slot: str, state: str) -> Line:
    return {
        "run": None, "source": source, "slot": slot, "state": state, "scope_version": None, "started_at": None,
        "finished_at": None, "counts": {}, "places": [], "salt": None,
    }  # fmt: skip


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
        "type": row.resource_type,
        "type_version": row.type_version,
        "region": row.region,
        "place": row.place,
        "written": None
        if row.manager is None
        else {"manager": row.manager, "operation": row.operation, "at": stamp(row.written_at.astimezone(UTC))},
        "stood": [[stamp(since), None if until > as_of else stamp(until)] for since, until in row.stood],
    }


def _is(name: str, stored: bytes) -> bool:
    return hashlib.sha256(stored).hexdigest() == name


def _there(tile: bytes | None) -> bytes:
    if tile is None:
        raise ExportError("a tile of the ledger is missing", advice="Run: auditor ledger verify")
    return tile
