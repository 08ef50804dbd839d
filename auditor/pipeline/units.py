"""One unit's way through the steps: collect and preserve under one claim, assess and track under the next.

Knows ports only. Every step may run twice: a unit is held under its fence, and whoever lost the lease is refused by the
store before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from auditor.domain.control import Library
from auditor.domain.errors import CollectionError
from auditor.domain.events import Event
from auditor.domain.evidence import Collection, Provenance
from auditor.domain.ports import Caller, Claim, Clock, Objects, Store, TenantStore
from auditor.domain.resource_type import AnyType, DerivedType, ResourceType
from auditor.domain.source import GLOBAL, JOIN, Place, Source, Unit, public_id
from auditor.pipeline.assess import Assessment, assess
from auditor.pipeline.collect import collect
from auditor.pipeline.plan import Selection, select
from auditor.pipeline.preserve import preserve
from auditor.pipeline.track import track

TRIES = 5
RETRY_AFTER = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))


@dataclass(frozen=True, slots=True)
class Workshop:
    """What the steps need from outside: where things are kept, what is asked, whom to call, what time it is."""

    store: Store
    objects: Objects
    library: Library
    resource_types: Sequence[AnyType]
    connect: Callable[[Source], Caller]
    pool: Executor
    clock: Clock
    link: Callable[[UUID], str]

    def collect(self, claim: Claim) -> None:
        """Look at the unit's place and keep what was seen, or say that it could not be looked at.

        Raises:
            StaleFenceError: Somebody else holds the unit by now; nothing was written.
        """
        with self.store.open(claim.tenant) as books:
            unit = books.unit(claim)
            source = books.source(unit.source)
            selection = self._selection(books, unit)
            tries = books.attempts(unit)
        kinds = tuple(kind for kind in selection.collected if (kind.place == "account") == (unit.place == GLOBAL))
        if tries > TRIES:
            self._give_up(unit, "the worker died in each of its tries", kinds)
            return
        try:
            caller = self.connect(source)
        except CollectionError as error:
            self._again(unit, error, tries, kinds)
            return
        place = Place(source.account, unit.place, source.partition)
        collection = collect(place, kinds, caller, pool=self.pool, clock=self.clock)
        # A crash from here on leaves objects without rows: the next lease puts the same bytes at the same addresses.
        addresses = preserve(collection.evidence, self.objects, claim.tenant)
        with self.store.open(claim.tenant) as books:
            books.keep(unit, collection, addresses, now=self.clock())

    def assess(self, claim: Claim) -> None:
        """Judge what the unit's place shows, and remember what turned; all of it in one transaction.

        Raises:
            StaleFenceError: Somebody else holds the unit by now; nothing was written.
        """
        with self.store.open(claim.tenant) as books:
            unit = books.unit(claim)
            source = books.source(unit.source)
            selection = self._selection(books, unit)
            now = self.clock()
            judged = self._judged(selection, unit)
            place = None if unit.place == JOIN else unit.place
            inputs = (
                selection.collected if unit.place == JOIN else tuple(k for k in judged if isinstance(k, ResourceType))
            )
            names = [kind.name for kind in judged]
            seen = {kind.name for kind in inputs}
            coverage = [look for look in books.coverage(unit.source, place=place) if look.resource_type in seen]
            current = books.current(unit.source, place=place, resource_types=names)
            assessment = assess(
                books.evidence(unit.source, place=place, resource_types=[kind.name for kind in inputs]),
                coverage,
                judged=judged,
                collected=inputs,
                checks=selection.checks,
                account=Place(source.account, GLOBAL, source.partition),
                places=(GLOBAL, *books.regions(unit.source)) if place is None else (place,),
                as_of=now,
                current=current,
            )
            run = books.run(unit.run)
            tracked = track(
                assessment.verdicts,
                current,
                assessment.coverage,
                source=source,
                library=self.library,
                now=now,
                baseline=run.baseline,
                link=self.link,
            )
            if unit.place == JOIN:
                self._keep_derived(books, unit, source, assessment, now)
            books.apply(unit, tracked.turns, tracked.events, now=now)
            books.touch(unit.source, tracked.refreshed)
            expected = expected_pairs(assessment, judged, selection)
            counts = {"listed": expected, "excluded": 0, **tracked.counts}
            over = books.finish(unit, counts, now=now)
            if over and run.baseline:
                books.announce([baseline(source, unit, books.run(unit.run).counts, now)], now=now, run=unit.run)

    def _selection(self, books: TenantStore, unit: Unit) -> Selection:
        return select(self.library, self.resource_types, books.scope(unit.source))

    @staticmethod
    def _judged(selection: Selection, unit: Unit) -> tuple[AnyType, ...]:
        if unit.place == JOIN:
            return selection.derived
        return tuple(kind for kind in selection.plain if (kind.place == "account") == (unit.place == GLOBAL))

    def _keep_derived(
        self, books: TenantStore, unit: Unit, source: Source, assessment: Assessment, now: datetime
    ) -> None:
        """Derived documents stand beside the evidence they were built from, so that a finding can show what was judged."""
        addresses = preserve(assessment.derived, self.objects, unit.tenant)
        derived = {kind.name for kind in self.resource_types if isinstance(kind, DerivedType)}
        looks = tuple(look for look in assessment.coverage if look.resource_type in derived)
        asked = Provenance("", source.endpoint_url or "", now, now)
        books.keep_derived(unit, Collection(JOIN, assessment.derived, looks, asked), addresses, now=now)

    def _give_up(self, unit: Unit, reason: str, kinds: Sequence[ResourceType]) -> None:
        with self.store.open(unit.tenant) as books:
            books.give_up(unit, reason, now=self.clock(), resource_types=[kind.name for kind in kinds])

    def _again(self, unit: Unit, error: CollectionError, tries: int, kinds: Sequence[ResourceType]) -> None:
        if tries >= TRIES:
            self._give_up(unit, str(error), kinds)
            return
        with self.store.open(unit.tenant) as books:
            books.retry(unit, due_at=self.clock() + RETRY_AFTER[min(tries, len(RETRY_AFTER)) - 1])


def expected_pairs(assessment: Assessment, judged: Sequence[AnyType], selection: Selection) -> int:
    """How many verdicts on resources the looks call for: what was listed, times the checks of its type.

    Counted from coverage, not from the verdicts: two ways to one number, so that a lost verdict shows. A listing that
    fell short does not say how many there are: there, what is known counts.
    """
    checks: dict[str, int] = {}
    for check in selection.checks:
        checks[check.resource] = checks.get(check.resource, 0) + 1
    names = {kind.name for kind in judged}
    described = assessment.described
    return sum(
        (look.listed if look.complete else described.get((look.resource_type, look.place), 0))
        * checks.get(look.resource_type, 0)
        for look in assessment.coverage
        if look.resource_type in names
    )


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
