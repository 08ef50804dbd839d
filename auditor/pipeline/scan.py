"""One pass without a memory: collect every place of an account and judge it, for a terminal or a build.

Service by service over all places, some at a time, so that what a service needs (clients, models) can go when the last
place has been looked at: memory follows the window, not the number of services times regions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from auditor.domain.coverage import Coverage
from auditor.domain.evidence import Collection, Evidence
from auditor.domain.ports import Caller, Clock
from auditor.domain.source import GLOBAL, Place, SourceKind
from auditor.domain.verdict import Verdict
from auditor.pipeline.assess import assess
from auditor.pipeline.collect import collect
from auditor.pipeline.groups import Group, grouped
from auditor.pipeline.plan import Selection

WINDOW = 16
"""Looks (a group in a place) under way at once. Each waits for its calls most of the time; the pool bounds those."""
_Typed = TypeVar("_Typed", Evidence, Coverage)


@dataclass(frozen=True, slots=True)
class Scan:
    """What one pass showed."""

    kind: SourceKind
    account: str
    partition: str
    identity: str
    endpoint: str
    places: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    coverage: tuple[Coverage, ...]
    collections: tuple[Collection, ...]
    resources: int
    as_of: datetime
    members: Mapping[tuple[str, str], tuple[str, ...]]
    """What a judged thing is made of, by type and id: the pods of a workload."""

    @property
    def partial(self) -> bool:
        """Whether anything could not be seen."""
        return any(not look.complete for look in self.coverage) or any(v.verdict == "unknown" for v in self.verdicts)

    @property
    def blind(self) -> bool:
        """Whether nothing at all could be seen: every verdict is unknown."""
        return bool(self.verdicts) and all(verdict.verdict == "unknown" for verdict in self.verdicts)


def scan(
    selection: Selection,
    caller: Caller,
    places: Sequence[str],
    *,
    clock: Clock,
    threads: int,
    progress: Callable[[str, int, int], None],
    release: Callable[[str], None] = lambda _service: None,
    kind: SourceKind = "aws",
) -> Scan:
    """Collect all places, sharing one pool of ``threads`` calls, and judge them together as of the end.

    ``progress`` hears of each finished place: its name, how many are done, how many there are. ``release`` hears of each
    client (``s3``) that will not be asked again.
    """
    whole = Place(caller.account, GLOBAL, caller.partition, kind)
    looks = _looks(grouped(selection.collected), places)
    waiting = Counter(service for group, _ in looks for service in group.services)
    parts: dict[str, list[Collection]] = {place: [] for place in places}
    expected = Counter(place for _, place in looks)
    done = 0
    with ThreadPoolExecutor(threads) as pool, ThreadPoolExecutor(min(len(looks), WINDOW)) as outer:
        under_way: dict[Future[Collection], tuple[Group, str]] = {
            outer.submit(collect, replace(whole, region=place), group.kinds, caller, pool=pool, clock=clock): (
                group,
                place,
            )
            for group, place in looks
        }
        for finished in as_completed(under_way):
            group, place = under_way[finished]
            parts[place].append(finished.result())
            waiting.subtract(group.services)
            for service in group.services:
                if not waiting[service]:
                    release(service)
            if len(parts[place]) == expected[place]:
                done += 1
                progress(place, done, len(places))
    order = {kind.name: position for position, kind in enumerate(selection.collected)}
    collections = tuple(merged(parts[place], order) for place in places)
    as_of = clock()
    assessment = assess(
        [seen for collection in collections for seen in collection.evidence],
        [look for collection in collections for look in collection.coverage],
        judged=selection.judged,
        collected=selection.collected,
        checks=selection.checks,
        account=whole,
        places=places,
        as_of=as_of,
    )
    return Scan(
        kind=kind,
        account=caller.account,
        partition=caller.partition,
        identity=caller.identity,
        endpoint=caller.endpoint,
        places=tuple(places),
        verdicts=assessment.verdicts,
        coverage=assessment.coverage,
        collections=collections,
        resources=sum(assessment.described.values()),
        as_of=as_of,
        members=_members(assessment.derived),
    )


def _members(derived: Iterable[Evidence]) -> dict[tuple[str, str], tuple[str, ...]]:
    told = ((seen, seen.content["document"].get("members")) for seen in derived)
    return {(seen.resource_type, seen.native_id): tuple(members) for seen, members in told if members is not None}


def _looks(groups: Sequence[Group], places: Sequence[str]) -> tuple[tuple[Group, str], ...]:
    """What to look at in which order: group by group, each in all places that show any of its types."""
    looks = [
        (group, place)
        for group in groups
        for place in places
        if any((kind.place == "account") == (place == GLOBAL) for kind in group.kinds)
    ]
    looked = {place for _, place in looks}
    return (*looks, *((Group(()), place) for place in places if place not in looked))


def merged(parts: Iterable[Collection], order: Mapping[str, int]) -> Collection:
    """What several looks at one place brought home, as if it had been one: types in this order, calls added up."""
    parts = tuple(parts)
    first = parts[0]
    return replace(
        first,
        evidence=_in_order((seen for part in parts for seen in part.evidence), order),
        coverage=_in_order((look for part in parts for look in part.coverage), order),
        provenance=replace(
            first.provenance,
            started_at=min(part.provenance.started_at for part in parts),
            finished_at=max(part.provenance.finished_at for part in parts),
        ),
        calls=dict(sum((Counter(part.calls) for part in parts), Counter[str]())),
        held=tuple(one for part in parts for one in part.held),
        excluded=tuple(one for part in parts for one in part.excluded),
    )


def _in_order(things: Iterable[_Typed], order: Mapping[str, int]) -> tuple[_Typed, ...]:
    return tuple(sorted(things, key=lambda thing: order[thing.resource_type]))
