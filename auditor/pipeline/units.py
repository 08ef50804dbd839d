"""One unit's way through the steps: collect and preserve under one claim, assess and track under the next.

Knows ports only. Every step may run twice: a unit is held under its fence, and whoever lost the lease is refused by the
store before anything is written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from auditor.domain.control import Library
from auditor.domain.coverage import Rota
from auditor.domain.errors import CollectionError, EvidenceError
from auditor.domain.events import Event
from auditor.domain.evidence import Collection, Held, Known, Provenance
from auditor.domain.finding import Turn
from auditor.domain.ports import Caller, Claim, Clock, Objects, Store, TenantStore
from auditor.domain.redaction import Fingerprint
from auditor.domain.resource_type import AnyType, ResourceType
from auditor.domain.scope import INVENTORY, Scope
from auditor.domain.source import GLOBAL, JOIN, Manners, Source, Unit, public_id
from auditor.domain.volatile import beside
from auditor.domain.watching import WHOLE, Mark
from auditor.pipeline.assess import Assessment, assess
from auditor.pipeline.collect import collect
from auditor.pipeline.plan import Selection, next_day, quiet, rotas, select, this_day
from auditor.pipeline.preserve import preserve, recorded
from auditor.pipeline.settled import unsettled
from auditor.pipeline.stands import Stands, expected_pairs
from auditor.pipeline.stop import Stops, Watched
from auditor.pipeline.track import track
from auditor.pipeline.volatile import Moved, Rows, gathered, opened, rows_in
from auditor.proof.canonical import canonical

TRIES = 5
RETRY_AFTER = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))


def nothing_told(_caller: Caller) -> tuple[str, ...]:
    """The regions of an account that is not asked for them."""
    return ()


def no_versions(_caller: Caller) -> Mapping[str, str]:
    """The versions that listings were of, where nothing can be watched."""
    return {}


@dataclass(frozen=True, slots=True)
class _Begun:
    """A unit as its looking begins: what to look at, how, and what is known from before."""

    unit: Unit
    source: Source
    manners: Manners
    tries: int
    kinds: tuple[ResourceType, ...]
    """What is still to be looked at, of ``all_kinds``: what this run has seen already need not be asked again."""
    all_kinds: tuple[ResourceType, ...]
    known: Mapping[tuple[str, str], Known]
    rotas: Mapping[str, Rota]
    scope: Scope
    asks_regions: bool
    """Whether the next run shall look wherever the account has switched regions on by now."""

    def rota(self, resource_type: str) -> Rota:
        """Whose turn it is among the resources of a type; types that nothing judges are read in every run."""
        return self.rotas.get(resource_type, Rota())

    def again_at(self, collection: Collection, later: float, now: datetime) -> datetime | None:
        """When to come back for listings that were throttled; never, once they were tried often enough."""
        if self.tries >= TRIES or not any(look.state == "throttled" for look in collection.coverage):
            return None
        return now + max(retry_after(self.tries), timedelta(seconds=later))


@dataclass(frozen=True, slots=True)
class Workshop:
    """What the steps need from outside: where things are kept, what is asked, whom to call, what time it is."""

    store: Store
    objects: Objects
    library: Library
    resource_types: Sequence[AnyType]
    connect: Callable[[Source, Manners], Caller]
    pool: Executor
    clock: Clock
    link: Callable[[UUID], str]
    fingerprint: Callable[[UUID], Fingerprint]
    """What stands for a tenant's values that are seen and not kept."""
    enabled: Callable[[Caller], Sequence[str]] = nothing_told
    """The regions that an account has switched on; none where it does not say."""
    versions: Callable[[Caller], Mapping[str, str]] = no_versions
    """The version that each listing of a source was of, by operation: where a watch of it may begin."""
    stops: Stops = field(default_factory=Stops)

    def collect(self, claim: Claim) -> None:
        """Look at the unit's place and keep what was seen, or say that it could not be looked at.

        In quiet hours, or when the day's calls are spent, the unit waits. What was throttled is looked at again later, and
        all of it where the scope changed meanwhile.

        Raises:
            StaleFenceError: Somebody else holds the unit by now, or its run was cancelled; nothing was written.
        """
        begun = self._begin(claim)
        if begun is None:
            return
        unit, source = begun.unit, begun.source
        try:
            caller = self.connect(source, begun.manners)
        except CollectionError as error:
            self._again(unit, error, begun.tries, begun.all_kinds)
            return
        with self.stops.watching(claim) as stopped:
            watched = Watched(caller, stopped)
            collection = collect(
                source.place(unit.place),
                begun.kinds,
                watched,
                pool=self.pool,
                clock=self.clock,
                known=begun.known,
                rota=begun.rota,
                scope=begun.scope,
                fingerprint=self.fingerprint(claim.tenant),
                only=unit.named,
            )
            regions = self.enabled(watched) if begun.asks_regions else ()
        before = partial(self._rows, claim.tenant)
        facts = gathered(collection, begun.kinds, source.place(unit.place), begun.known, before)
        collection = recorded(replace(collection, evidence=(*collection.evidence, *facts)), begun.known)
        kept = (*collection.evidence, *(record.written for record in collection.records))
        # A crash from here on leaves objects without rows: the next lease puts the same bytes at the same addresses.
        lying = frozenset(one.digest for one in begun.known.values())
        addresses = preserve(kept, self.objects, claim.tenant, lying)
        now = self.clock()
        with self.store.open(claim.tenant) as books:
            if books.hold_scope(unit.source).version != begun.scope.version:
                # What was left out was told by a rule that holds no more: it is looked at again, under the new one.
                books.retry(unit, due_at=now, tried=False)
                books.note_calls(unit, collection.calls)
                return
            again_at = begun.again_at(collection, watched.later, now)
            books.keep(unit, collection, addresses, now=now, again_at=again_at)
            books.note_calls(unit, collection.calls)
            books.listed_at(unit.source, _listed_at(begun.kinds, collection, self.versions(caller)), now=now)
            if unit.only and not collection.coverage and not collection.evidence:
                books.nothing_new(unit, now=now)
            if regions:
                books.set_regions(unit.source, regions, pinned=False, by="auditor", now=now)

    def _begin(self, claim: Claim) -> _Begun | None:
        """The unit as it begins; none if it must wait, or was tried too often."""
        now = self.clock()
        with self.store.open(claim.tenant) as books:
            unit = books.unit(claim)
            source = books.source(unit.source)
            selection = self._selection(books, source)
            tries, manners = books.attempts(unit), books.manners(unit.source)
            scope = books.scope(unit.source)
            all_kinds = tuple(
                kind
                for kind in selection.collected
                if (kind.place == "account") == (unit.place == GLOBAL)
                and unit.has(kind.name)
                and scope.has_place(unit.place)
            )
            if tries <= TRIES:
                kinds = all_kinds if tries == 1 else _unseen(books, unit, all_kinds)
                waits_until = _waits_until(books, unit, manners, kinds, now)
                if waits_until is not None:
                    books.retry(unit, due_at=waits_until, tried=False)
                    return None
                return _Begun(
                    unit=unit,
                    source=source,
                    manners=manners,
                    tries=tries,
                    kinds=kinds,
                    all_kinds=all_kinds,
                    known=books.known(
                        unit.source, unit.place, [name for kind in kinds for name in (kind.name, beside(kind.name))]
                    ),
                    rotas=rotas(self.library, selection, books.every(unit.source), unit.slot),
                    scope=scope,
                    asks_regions=(
                        source.kind == "aws" and unit.place == GLOBAL and tries == 1 and not books.pinned(unit.source)
                    ),
                )
        self._give_up(unit, "the worker died in each of its tries", all_kinds)
        return None

    def assess(self, claim: Claim) -> None:
        """Judge what the unit's place shows, and remember what turned; all of it in one transaction.

        What cannot be judged in several tries, for lost evidence say, is given up: shown as unknown, not as it was.

        Raises:
            StaleFenceError: Somebody else holds the unit by now; nothing was written.
        """
        with self.store.open(claim.tenant) as books:  # on its own, so that a try that breaks is counted
            unit = books.unit(claim)
            selection = self._selection(books, books.source(unit.source))
            tries, judged = books.attempts(unit), self._judged(selection, unit)
        if tries > TRIES:
            self._give_up(unit, "what was seen could not be judged", judged)
            return
        with self.store.open(claim.tenant) as books:
            unit = books.unit(claim)
            source = books.source(unit.source)
            selection = self._selection(books, source)
            now = self.clock()
            judged = self._judged(selection, unit) if books.scope(unit.source).has_place(unit.place) else ()
            stands = Stands.of(books, unit, selection, judged).narrowed(unit.named)
            judged = stands.known_of(judged, unit.named)
            moved = Moved.of(books, unit, judged, selection.checks, stands.rows)
            read, unread = unsettled(
                stands.rows,
                stands.standing_types(judged),
                selection.checks,
                stands.current,
                stands.excluded,
                now,
                stands.scope,
                moved.pairs,
            )
            if stands.to_build:
                read += stands.inputs_of(stands.to_build)
            assessment = assess(
                opened(books, read, stands.rows),
                stands.coverage,
                judged=judged,
                collected=selection.collected,
                checks=selection.checks,
                account=source.place(GLOBAL),
                places=stands.places,
                as_of=now,
                current=stands.current,
                excluded=stands.excluded,
                scope=stands.scope,
                unread=unread,
                kept=stands.kept,
                moved=moved.pairs,
            )
            run = books.run(unit.run)
            tracked = track(
                assessment.verdicts,
                stands.current,
                assessment.coverage,
                source=source,
                library=self.library,
                now=now,
                baseline=run.baseline,
                link=self.link,
                held=assessment.held,
                excluded=assessment.excluded,
            )
            if unit.place == JOIN:
                self._keep_derived(books, unit, source, assessment, stands, now)
            books.apply(unit, tracked.turns, tracked.events, now=now)
            books.keep_documents(began_with(tracked.turns, assessment), now=now)
            books.touch(unit.source, tracked.refreshed)
            if not unit.named:  # of those that nobody named, the next run judges what moved
                books.keep_volatile_judged(unit, moved.facts)
            counts = {"listed": expected_pairs(assessment, judged, selection), **tracked.counts}
            over = books.finish(unit, counts, now=now)
            if over and run.baseline:
                books.announce([baseline(source, unit, books.run(unit.run).counts, now)], now=now, run=unit.run)

    def _rows(self, tenant: UUID, digest: str) -> Rows:
        """Volatile facts as kept before; none if they are lost, so that what is held is unseen until its turn and then well."""
        try:
            return rows_in(json.loads(self.objects.get(tenant, digest))["content"])
        except EvidenceError:
            return {}

    def _selection(self, books: TenantStore, source: Source) -> Selection:
        """What is asked of a source: of the types of its kind alone."""
        own = (kind for kind in self.resource_types if kind.name.startswith(f"{source.kind}."))
        return select(self.library, own, books.scope(source.id), inventory=INVENTORY)

    @staticmethod
    def _judged(selection: Selection, unit: Unit) -> tuple[AnyType, ...]:
        if unit.place == JOIN:
            return selection.derived
        return tuple(
            kind
            for kind in selection.plain
            if (kind.place == "account") == (unit.place == GLOBAL) and unit.has(kind.name)
        )

    def _keep_derived(
        self, books: TenantStore, unit: Unit, source: Source, assessment: Assessment, stands: Stands, now: datetime
    ) -> None:
        """Derived documents stand beside the evidence they were built from, so that a finding can show what was judged."""
        addresses = preserve(assessment.derived, self.objects, unit.tenant, {row.digest for row in stands.rows})
        looks = tuple(look for look in assessment.coverage if look.resource_type in stands.built)
        held = tuple(
            Held(row.resource_type, row.native_id, row.region, row.digest)
            for row in stands.rows
            if row.resource_type in stands.kept
        )
        asked = Provenance("", source.stand_in, now, now, books.scope(unit.source).version)
        books.keep_derived(unit, Collection(JOIN, assessment.derived, looks, asked, held=held), addresses, now=now)
        books.keep_joined(unit, {kind.name: stands.built[kind.name] for kind in stands.to_build})

    def _give_up(self, unit: Unit, reason: str, kinds: Sequence[AnyType]) -> None:
        """Close a unit in which looking, or judging, failed too often; what a watch had marked is looked at again later.

        That single resources could not be asked for says nothing about the others of their type.
        """
        now = self.clock()
        with self.store.open(unit.tenant) as books:
            types = [kind.name for kind in kinds if kind.name not in unit.named]
            books.give_up(unit, reason, now=now, resource_types=types)
            if unit.only:
                marks = {Mark(name, id_) for name, ids in unit.only.items() for id_ in ids or (WHOLE,)}
                books.mark(unit.source, dict.fromkeys(marks, now + RETRY_AFTER[-1]), now=now)

    def _again(self, unit: Unit, error: CollectionError, tries: int, kinds: Sequence[ResourceType]) -> None:
        if tries >= TRIES:
            self._give_up(unit, str(error), kinds)
            return
        with self.store.open(unit.tenant) as books:
            books.retry(unit, due_at=self.clock() + retry_after(tries))


def _unseen(books: TenantStore, unit: Unit, kinds: Sequence[ResourceType]) -> tuple[ResourceType, ...]:
    """The types that this run has not looked at yet, or in vain for asking too fast: the rest need not be asked again."""
    since = books.run(unit.run).started_at
    looks = books.coverage(unit.source, place=unit.place)
    seen = {look.resource_type for look in looks if look.at >= since and look.state != "throttled"}
    return tuple(kind for kind in kinds if kind.name not in seen)


def _listed_at(kinds: Iterable[ResourceType], collection: Collection, versions: Mapping[str, str]) -> dict[str, str]:
    """The versions of what this look listed whole and may be watched, by operation (and namespace, after a space)."""
    seen = {look.resource_type for look in collection.coverage if look.state == "ok"}
    listed = {
        kind.listing.operation
        for kind in kinds
        if kind.listing is not None and kind.listing.watched and kind.name in seen
    }
    return {stream: version for stream, version in versions.items() if stream.partition(" ")[0] in listed}


def _waits_until(
    books: TenantStore, unit: Unit, manners: Manners, kinds: Sequence[ResourceType], now: datetime
) -> datetime | None:
    """When a unit may begin that may not begin now: after the quiet hours, or with the next day's calls."""
    loud_at = quiet(manners, now)
    if loud_at > now:
        return loud_at
    if manners.daily_calls is None:
        return None
    calls = books.costs(unit.source).get(unit.place, {})
    operations = {operation for kind in kinds for read in kind.reads for operation in read.operations}
    expected = max(len(operations), sum(calls.get(operation, 0) for operation in operations))
    begins = books.reserve(unit, expected, daily=manners.daily_calls, since=this_day(now), now=now)
    return None if begins else next_day(now)


def began_with(turns: Sequence[Turn], assessment: Assessment) -> dict[tuple[str, str], bytes]:
    """The documents that spans begin with: a later release may read the same evidence otherwise."""
    wanted = {(one.document_digest, one.evidence) for turn in turns if (one := turn.verdict) is not None}
    told = assessment.documents
    return {name: canonical(told[name]) for name in sorted(wanted & told.keys())}


def retry_after(tries: int) -> timedelta:
    """How long to wait after so many tries."""
    return RETRY_AFTER[min(tries, len(RETRY_AFTER)) - 1]


def baseline(source: Source, unit: Unit, counts: Mapping[str, int], now: datetime) -> Event:
    """The one message about a first run: how many of each verdict, instead of an alert per finding."""
    return Event(
        id=public_id(source.tenant, "baseline", str(unit.run)),
        type="source.baseline",
        at=now,
        data={
            "source": str(source.id),
            "name": source.name,
            "account": source.account,
            "run": str(unit.run),
            "counts": {name: counts.get(name, 0) for name in ("pass", "fail", "unknown", "not_applicable")},
        },
    )
