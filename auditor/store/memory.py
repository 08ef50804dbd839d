"""The store's ports without a database: for one pass in a terminal and for tests of the pipeline.

Keeps what the next step needs and no history: the latest look, the latest answer, the finding as it stands. A transaction is
a copy that replaces the original when it ends well.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from auditor.domain.coverage import Coverage
from auditor.domain.errors import EvidenceError, StaleFenceError, TenancyError
from auditor.domain.events import Event
from auditor.domain.evidence import Collection, Evidence
from auditor.domain.finding import Current, Refresh, Turn
from auditor.domain.ports import Claim, Queue, RunState
from auditor.domain.scope import Scope
from auditor.domain.source import GLOBAL, JOIN, Source, Unit, UnitState, unit_id
from auditor.store.ids import run_id


@dataclass(frozen=True, slots=True)
class _Work:
    queue: Queue
    due_at: datetime
    lease_until: datetime | None = None
    fence: int = 0
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class _Unit:
    run: UUID
    source: UUID
    place: str
    slot: datetime
    state: UnitState = "due"
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Connected:
    source: Source
    scope: Scope
    regions: tuple[str, ...]


@dataclass(slots=True)
class _Rows:
    """All that is kept for one tenant; values are frozen, so copying the dictionaries copies everything."""

    sources: dict[UUID, _Connected] = field(default_factory=dict)
    runs: dict[UUID, RunState] = field(default_factory=dict)
    units: dict[UUID, _Unit] = field(default_factory=dict)
    work: dict[UUID, _Work] = field(default_factory=dict)
    seen: dict[tuple[UUID, str, str], tuple[str, Evidence]] = field(default_factory=dict)
    coverage: dict[tuple[UUID, str, str], Coverage] = field(default_factory=dict)
    findings: dict[tuple[UUID, str, str], Current] = field(default_factory=dict)
    events: dict[UUID, Event] = field(default_factory=dict)

    def copy(self) -> _Rows:
        return _Rows(
            dict(self.sources),
            dict(self.runs),
            dict(self.units),
            dict(self.work),
            dict(self.seen),
            dict(self.coverage),
            dict(self.findings),
            dict(self.events),
        )


class MemoryObjects:
    """``domain.ports.Objects`` in a dictionary."""

    def __init__(self) -> None:
        self._objects: dict[tuple[UUID, str], bytes] = {}

    def put(self, tenant: UUID, digest: str, data: bytes) -> str:
        """Keep the bytes and give an address that is good for this process only."""
        if hashlib.sha256(data).hexdigest() != digest:
            raise EvidenceError(f"the bytes put under {digest} have another digest")
        self._objects[tenant, digest] = data
        return f"t/{tenant}/o/{digest[:2]}/{digest}"

    def get(self, tenant: UUID, digest: str) -> bytes:
        """The bytes as they were put."""
        try:
            return self._objects[tenant, digest]
        except KeyError as error:
            raise EvidenceError(f"evidence {digest} is missing") from error


class MemoryTenantStore:
    """``domain.ports.TenantStore`` over a copy of a tenant's rows."""

    def __init__(self, tenant: UUID, rows: _Rows, evaluator: str) -> None:
        self._tenant = tenant
        self._rows = rows
        self._evaluator = evaluator

    def add_source(self, source: Source, scope: Scope, *, regions: Sequence[str], every: float, now: datetime) -> None:  # noqa: ARG002  (nobody is scheduled here)
        """Connect a source."""
        if source.tenant != self._tenant:
            raise TenancyError("the source names another tenant than the one whose store is open")
        if any((known.kind, known.account) == (source.kind, source.account) for known in self.sources()):
            raise TenancyError(f"{source.kind} account {source.account} is connected already")
        self._rows.sources[source.id] = _Connected(source, scope, tuple(regions))

    def sources(self) -> tuple[Source, ...]:
        """Every connected source, by name."""
        return tuple(sorted((known.source for known in self._rows.sources.values()), key=lambda s: (s.name, s.id)))

    def source(self, id: UUID) -> Source:  # noqa: A002  (the port's word)
        """One source."""
        return self._connected(id).source

    def scope(self, source: UUID) -> Scope:
        """The scope in force."""
        return self._connected(source).scope

    def regions(self, source: UUID) -> tuple[str, ...]:
        """The regions that runs of this source look at."""
        return self._connected(source).regions

    def plan(self, source: UUID, *, slot: datetime, now: datetime, regions: Sequence[str]) -> UUID:
        """A run with one unit per place; planning the same slot twice plans once."""
        self._connected(source)
        slot = slot.astimezone(UTC)
        run = run_id(self._tenant, source, slot)
        if run in self._rows.runs:
            return run
        baseline = all(known.source != source for known in self._rows.runs.values())
        self._rows.runs[run] = RunState(run, source, slot, "running", baseline, now, None, {}, {})
        for place in (GLOBAL, *regions, JOIN):
            id_ = unit_id(self._tenant, source, place, slot)
            self._rows.units[id_] = _Unit(run, source, place, slot)
            if place != JOIN:
                self._rows.work[id_] = _Work("collect", now)
        return run

    def run(self, id: UUID) -> RunState:  # noqa: A002  (the port's word)
        """How a run stands."""
        if id not in self._rows.runs:
            raise TenancyError(f"no run {id}")
        states: dict[str, int] = {}
        counts: dict[str, int] = {}
        for unit in self._units(id):
            states[unit.state] = states.get(unit.state, 0) + 1
            for name, n in unit.counts.items():
                counts[name] = counts.get(name, 0) + n
        return replace(self._rows.runs[id], units=states, counts=counts)

    def unit(self, claim: Claim) -> Unit:
        """The claimed unit."""
        if claim.tenant != self._tenant:
            raise TenancyError("the claim names another tenant than the one whose store is open")
        work, row = self._rows.work.get(claim.id), self._rows.units.get(claim.id)
        if (
            work is None
            or row is None
            or (work.queue, work.fence) != (claim.queue, claim.fence)
            or not work.lease_until
        ):
            raise StaleFenceError(f"unit {claim.id} is no longer held under fence {claim.fence}")
        self._rows.units[claim.id] = replace(row, state="leased")
        return Unit(self._tenant, claim.id, row.run, row.source, row.place, work.fence, row.slot)

    def keep(self, unit: Unit, collection: Collection, addresses: Mapping[str, str], *, now: datetime) -> None:  # noqa: ARG002  (kept as values)
        """The latest answers and looks, and the unit handed to ``assess``."""
        self._keep(unit, collection)
        work = self._rows.work[unit.id]
        self._rows.work[unit.id] = replace(work, queue="assess", due_at=now, lease_until=None, attempts=0)
        self._rows.units[unit.id] = replace(self._rows.units[unit.id], state="due")

    def keep_derived(self, unit: Unit, collection: Collection, addresses: Mapping[str, str], *, now: datetime) -> None:  # noqa: ARG002  (kept as values)
        """Derived documents as evidence, and the coverage of derived types."""
        self._keep(unit, collection)

    def give_up(self, unit: Unit, reason: str, *, now: datetime, resource_types: Sequence[str]) -> None:
        """Close a unit that failed too often."""
        self._hold(unit)
        self._look(unit, [Coverage(unit.place, name, "error", now, detail=reason) for name in resource_types])
        self._close(unit, "given_up", {}, now)

    def retry(self, unit: Unit, *, due_at: datetime) -> None:
        """Give the lease back, to be tried again at ``due_at``."""
        self._rows.work[unit.id] = replace(self._hold(unit), lease_until=None, due_at=due_at)
        self._rows.units[unit.id] = replace(self._rows.units[unit.id], state="due")

    def attempts(self, unit: Unit) -> int:
        """How often the unit was leased in the step it is in."""
        return self._rows.work[unit.id].attempts

    def finish(self, unit: Unit, counts: Mapping[str, int], *, now: datetime) -> bool:
        """Close the unit with its counts; true when the whole run is over."""
        if "listed" in counts and counts["listed"] != counts.get("judged", 0) + counts.get("excluded", 0):
            raise RuntimeError(f"unit {unit.id}: what was listed is not what was judged or excluded: {dict(counts)}")
        self._hold(unit)
        return self._close(unit, "done", counts, now)

    def evidence(self, source: UUID, *, place: str | None, resource_types: Iterable[str]) -> tuple[Evidence, ...]:
        """Current evidence."""
        types = set(resource_types)
        found = [
            one
            for (whose, kind, _), (where, one) in self._rows.seen.items()
            if whose == source and kind in types and place in {None, where}
        ]
        return tuple(sorted(found, key=lambda one: (one.resource_type, one.native_id)))

    def coverage(self, source: UUID, *, place: str | None) -> tuple[Coverage, ...]:
        """The latest look at each type and place."""
        looks = sorted(self._rows.coverage.items(), key=lambda item: (str(item[0][0]), *item[0][1:]))
        return tuple(look for (whose, where, _), look in looks if whose == source and place in {None, where})

    def current(
        self, source: UUID, *, place: str | None, resource_types: Iterable[str]
    ) -> dict[tuple[str, str], Current]:
        """Findings as they stand, by check and resource."""
        types = set(resource_types)
        return {
            (known.check, known.resource): known
            for (whose, _, _), known in self._rows.findings.items()
            if whose == source and known.resource_type in types and place in {None, known.place}
        }

    def apply(self, unit: Unit, turns: Sequence[Turn], events: Sequence[Event], *, now: datetime) -> None:
        """Findings as the turns leave them, and the events."""
        self._hold(unit)
        for turn in turns:
            key = (unit.source, turn.check, turn.resource)
            known = self._rows.findings.get(key)
            if (known.span_seq if known else 0) != turn.seq - 1:
                raise RuntimeError(
                    f"{turn.check} on {turn.resource}: span {turn.seq} does not follow the one that is open"
                )
            self._rows.findings[key] = _after(turn, known, self._evaluator)
        self.announce(events, now=now, run=unit.run)

    def touch(self, source: UUID, refreshed: Sequence[Refresh]) -> None:
        """What is known anew of findings whose state held."""
        for one in refreshed:
            if known := self._rows.findings.get((source, one.check, one.resource)):
                self._rows.findings[source, one.check, one.resource] = replace(
                    known,
                    reason=one.reason,
                    turns_at=one.turns_at,
                    document_digest=one.document_digest,
                    judged_digest=one.judged_digest,
                    evaluator=self._evaluator,
                )

    def announce(self, events: Sequence[Event], *, now: datetime, run: UUID | None = None) -> None:  # noqa: ARG002  (nobody is told)
        """Events, once each."""
        self._rows.events.update({event.id: event for event in events})

    def _connected(self, source: UUID) -> _Connected:
        if source not in self._rows.sources:
            raise TenancyError(f"no source {source}")
        return self._rows.sources[source]

    def _units(self, run: UUID) -> list[_Unit]:
        return [unit for unit in self._rows.units.values() if unit.run == run]

    def _keep(self, unit: Unit, collection: Collection) -> None:
        self._hold(unit)
        for one in collection.evidence:
            key = (unit.source, one.resource_type, one.native_id)
            known = self._rows.seen.get(key)
            if known is None or known[1].collected_at < one.collected_at:
                self._rows.seen[key] = (collection.place, one)
        shown = {(one.resource_type, one.native_id) for one in collection.evidence}
        incomplete = {look.resource_type for look in collection.coverage if not look.complete}
        complete = {look.resource_type: look.at for look in collection.coverage} if collection.coverage else {}
        for key, (place, one) in tuple(self._rows.seen.items()):
            at = None if one.resource_type in incomplete else complete.get(one.resource_type)
            if (
                (key[0], place) == (unit.source, collection.place)
                and key[1:] not in shown
                and at
                and one.collected_at <= at
            ):
                del self._rows.seen[key]
        self._look(unit, collection.coverage)

    def _hold(self, unit: Unit) -> _Work:
        work = self._rows.work.get(unit.id)
        if work is None or work.fence != unit.fence or work.lease_until is None:
            raise StaleFenceError(f"unit {unit.id} is no longer held under fence {unit.fence}")
        return work

    def _look(self, unit: Unit, coverage: Iterable[Coverage]) -> None:
        for look in coverage:
            key = (unit.source, look.place, look.resource_type)
            known = self._rows.coverage.get(key)
            if known is None or known.at < look.at:
                self._rows.coverage[key] = look

    def _close(self, unit: Unit, state: UnitState, counts: Mapping[str, int], now: datetime) -> bool:
        row = self._rows.units[unit.id] = replace(self._rows.units[unit.id], state=state, counts=dict(counts))
        del self._rows.work[unit.id]
        left = [one for one in self._units(row.run) if one.state not in {"done", "given_up"}]
        if len(left) == 1 and unit.place != JOIN:
            self._rows.work[unit_id(self._tenant, unit.source, JOIN, unit.slot)] = _Work("assess", now)
        if left:
            return False
        partial = any(one.state == "given_up" for one in self._units(row.run))
        over = replace(self._rows.runs[row.run], state="partial" if partial else "done", finished_at=now)
        self._rows.runs[row.run] = over
        return True


class MemoryStore:
    """``domain.ports.Store`` and ``Claims`` in one, for one process."""

    def __init__(self, *, evaluator: str = "memory") -> None:
        self._tenants: dict[UUID, _Rows] = {}
        self._evaluator = evaluator
        self._lock = threading.RLock()

    @contextmanager
    def open(self, tenant: UUID) -> Iterator[MemoryTenantStore]:
        """One transaction under one tenant; nothing of it stays if an error leaves it."""
        with self._lock:
            rows = self._tenants.get(tenant, _Rows()).copy()
            yield MemoryTenantStore(tenant, rows, self._evaluator)
            self._tenants[tenant] = rows

    def lease(self, queue: Queue, *, now: datetime, limit: int, lease_for: float) -> tuple[Claim, ...]:
        """Up to ``limit`` due rows, round-robin over tenants, each under a new fence."""
        with self._lock:
            ranked = sorted(
                (place, work.due_at, str(id_), tenant, id_)
                for tenant in self._tenants
                for place, (id_, work) in enumerate(self._due(tenant, queue, now))
            )
            until = now + timedelta(seconds=lease_for)
            return tuple(self._lease(tenant, id_, until) for *_, tenant, id_ in ranked[:limit])

    def due(self, queue: Queue, *, now: datetime) -> bool:
        """Whether anything is left."""
        with self._lock:
            return any(self._due(tenant, queue, now) for tenant in self._tenants)

    def _due(self, tenant: UUID, queue: Queue, now: datetime) -> list[tuple[UUID, _Work]]:
        free = [
            (id_, work)
            for id_, work in self._tenants[tenant].work.items()
            if work.queue == queue and work.due_at <= now and (work.lease_until is None or work.lease_until <= now)
        ]
        return sorted(free, key=lambda item: (item[1].due_at, str(item[0])))

    def _lease(self, tenant: UUID, id_: UUID, until: datetime) -> Claim:
        known = self._tenants[tenant].work[id_]
        work = replace(known, lease_until=until, fence=known.fence + 1, attempts=known.attempts + 1)
        self._tenants[tenant].work[id_] = work
        return Claim(tenant, id_, work.queue, work.fence)


def _after(turn: Turn, known: Current | None, evaluator: str) -> Current:
    verdict = turn.verdict
    return Current(
        check=turn.check,
        resource=turn.resource,
        resource_type=turn.resource_type,
        region=turn.region,
        place=turn.place,
        state=turn.state,
        reason=turn.reason,
        span_seq=turn.seq,
        since=turn.valid_from,
        judged_digest=verdict.judged_digest if verdict else known.judged_digest if known else "",
        document_digest=verdict.document_digest if verdict else known.document_digest if known else "",
        evaluator=evaluator if verdict or not known else known.evaluator,
        turns_at=verdict.turns_at if verdict else None,
        open=turn.open,
    )
