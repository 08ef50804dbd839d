"""Decide what must be looked at: from what is asked and the scope, to checks, types, places, parts, turns and hours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from auditor.domain.control import Check, Library
from auditor.domain.coverage import Rota
from auditor.domain.ports import TenantStore
from auditor.domain.resource_type import AnyType, DerivedType, ResourceType
from auditor.domain.scope import Scope
from auditor.domain.source import GLOBAL, Manners

MOST_CALLS = 2_000
"""Calls that one unit may take by the last run's count before its place is cut: about a minute of asking."""
UNIT_SECONDS = 240.0
"""How long a unit of a source with a pace of its own may ask: it must end well before a worker's task is ended."""
CADENCES: Mapping[str, timedelta] = {
    "continuous": timedelta(0),
    "daily": timedelta(days=1),
    "weekly": timedelta(days=7),
    "monthly": timedelta(days=28),
}
"""How far two looks at the same detail may lie apart; ``continuous`` means every run."""
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Selection:
    """The checks in scope, the types they judge, and the types that must be collected for them."""

    checks: tuple[Check, ...]
    judged: tuple[AnyType, ...]
    collected: tuple[ResourceType, ...]

    @property
    def derived(self) -> tuple[DerivedType, ...]:
        """The judged types that only a join can build."""
        return tuple(kind for kind in self.judged if isinstance(kind, DerivedType))

    @property
    def plain(self) -> tuple[ResourceType, ...]:
        """The judged types that a place can judge alone."""
        return tuple(kind for kind in self.judged if isinstance(kind, ResourceType))


def select(
    library: Library, resource_types: Iterable[AnyType], scope: Scope, *, inventory: Sequence[str] = ()
) -> Selection:
    """What a scope asks of these types. A service is the first word of a check's id; inputs of derived types come along.

    ``inventory`` names types that are listed whether or not a check judges them, as far as their service is in scope.
    """
    resource_types = tuple(resource_types)
    known = {kind.name for kind in resource_types}
    checks = tuple(
        check
        for check in library.checks
        if check.resource in known
        and scope.has_service(check.id.partition(".")[0])
        and (not scope.frameworks or any(part.framework in scope.frameworks for part in check.mapped))
    )
    asked = {check.resource for check in checks}
    judged = tuple(kind for kind in resource_types if kind.name in asked)
    collected: dict[str, ResourceType] = {}
    for kind in judged:
        for plain in (kind,) if isinstance(kind, ResourceType) else inputs(kind):
            collected[plain.name] = plain
    for kind in resource_types:
        if kind.name in inventory and isinstance(kind, ResourceType) and scope.has_service(kind.name.split(".")[1]):
            collected.setdefault(kind.name, kind)
    return Selection(checks, judged, tuple(collected.values()))


def inputs(kind: DerivedType) -> tuple[ResourceType, ...]:
    """The types a derived one is built from, the one it stands over included."""
    over = (kind.over,) if isinstance(kind.over, ResourceType) else ()
    return (*over, *(each for each in kind.inputs if each not in over))


def places(regions: Sequence[str], scope: Scope) -> tuple[str, ...]:
    """The places of a run: what stands over all regions first, then each region that is in scope."""
    return (GLOBAL, *(region for region in regions if scope.has_region(region)))


def plan_run(books: TenantStore, source: UUID, kinds: Iterable[ResourceType], *, slot: datetime, now: datetime) -> UUID:
    """Plan a source's run as its scope, its last costs and its manners ask for."""
    manners = books.manners(source)
    most = MOST_CALLS if manners.per_second is None else min(MOST_CALLS, max(1, int(manners.per_second * UNIT_SECONDS)))
    return books.plan(
        source,
        slot=slot,
        now=now,
        regions=places(books.regions(source), books.scope(source))[1:],
        parts=parts(books.costs(source), kinds, most),
        due_at=quiet(manners, now),
    )


def slot(now: datetime, every: timedelta) -> datetime:
    """The start of the schedule slot that ``now`` lies in: planning at any moment of a slot plans the same run."""
    return _EPOCH + (now - _EPOCH) // every * every


def parts(
    costs: Mapping[str, Mapping[str, int]], kinds: Iterable[ResourceType], most: int = MOST_CALLS
) -> dict[str, tuple[tuple[str, ...], ...]]:
    """How places that took more than ``most`` calls are cut: per place the services of each part.

    Every service of ``kinds`` is in exactly one part, those that cost nothing included, since they may have grown. The most
    expensive service goes to the part with the least so far; equal costs fall by name, so planning twice cuts alike.

    Args:
        costs: Calls by operation in each place, of the run before.
        kinds: Every type that may be looked at.
        most: Calls that one unit may take. A service is never cut, so a single one may go beyond.
    """
    declared = tuple(kinds)
    cut = {}
    for place, calls in sorted(costs.items()):
        prices = _prices(calls, [kind for kind in declared if (kind.place == "account") == (place == GLOBAL)])
        wanted = min(-(-sum(calls.values()) // most), sum(price > 0 for price in prices.values()))
        if wanted > 1:
            cut[place] = _packed(prices, wanted)
    return cut


def _prices(calls: Mapping[str, int], kinds: Iterable[ResourceType]) -> dict[str, int]:
    """What each service of the types costs alone: a call that two services ask for is paid by both once they part."""
    asked: dict[str, set[str]] = {}
    for kind in kinds:
        operations = asked.setdefault(kind.name.split(".")[1], set())
        operations.update(operation for read in kind.reads for operation in read.operations)
    return {service: sum(calls.get(one, 0) for one in operations) for service, operations in asked.items()}


def _packed(prices: Mapping[str, int], bins: int) -> tuple[tuple[str, ...], ...]:
    filled: list[tuple[int, list[str]]] = [(0, []) for _ in range(bins)]
    for service in sorted(prices, key=lambda one: (-prices[one], one)):
        least = min(range(bins), key=lambda number: (filled[number][0], len(filled[number][1]), number))
        total, services = filled[least]
        filled[least] = (total + prices[service], [*services, service])
    return tuple(tuple(sorted(services)) for _, services in filled)


def rotas(library: Library, selection: Selection, every: timedelta, at: datetime) -> dict[str, Rota]:
    """Per collected type, in how many runs each detail is read once, and whose turn it is in the slot ``at``.

    The tightest cadence decides, of the checks that judge the type or anything built from it: as many runs as fit into one
    cadence whole, never more. A run each day under a daily cadence reads everything each time.
    """
    cadences: dict[str, timedelta] = {}
    serving = {
        kind.name: [plain.name for plain in ((kind,) if isinstance(kind, ResourceType) else inputs(kind))]
        for kind in selection.judged
    }
    for check in selection.checks:
        cadence = CADENCES.get(library.control[check.control].cadence, CADENCES["daily"])
        for name in serving.get(check.resource, ()):
            cadences[name] = min(cadence, cadences.get(name, cadence))
    turn = (at.astimezone(UTC) - _EPOCH) // every
    return {name: Rota(max(1, cadence // every), turn) for name, cadence in cadences.items()}


def quiet(manners: Manners, at: datetime) -> datetime:
    """When a unit may begin: ``at`` itself, or the end of the quiet hours that it lies in."""
    if manners.quiet is None:
        return at
    begins, ends = (timedelta(hours=hour % 24) for hour in manners.quiet)
    at = at.astimezone(UTC)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    into = at - midnight
    if begins == ends:
        return at
    if begins < ends:
        return midnight + ends if begins <= into < ends else at
    if into >= begins:
        return midnight + timedelta(days=1) + ends
    return midnight + ends if into < ends else at


def next_day(at: datetime) -> datetime:
    """When a day's budget of calls is there again: the next midnight, UTC."""
    return this_day(at) + timedelta(days=1)


def this_day(at: datetime) -> datetime:
    """Since when the calls of this day count: the last midnight, UTC."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
