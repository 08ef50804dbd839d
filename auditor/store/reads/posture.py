"""Where we stand: the roll-up over effective states, how far the looking reached, and what holds most deviations up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import sqlalchemy as sa

from auditor.domain.rollup import FrameworkStanding, Tally, rollup
from auditor.domain.scope import ORGANISATION_ACCOUNT
from auditor.store import schema as db
from auditor.store.reads.asked import asked
from auditor.store.reads.inventory import Inventory, inventory
from auditor.store.reads.overlay import FRESH, Group, Looked, groups, looks
from auditor.store.reads.scope import ScopeVersion, in_force

if TYPE_CHECKING:
    from auditor.domain.control import Library


@dataclass(frozen=True, slots=True)
class SourceView:
    """A source and its latest run. ``stand_in`` is the host that answers where no real provider does."""

    id: UUID
    kind: str
    account: str
    name: str
    stand_in: str
    regions: tuple[str, ...]
    every: timedelta
    run: UUID | None
    run_state: str | None
    started_at: datetime | None
    finished_at: datetime | None
    units_left: int | None
    disconnected_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """How the latest look at a type in a place ended; ``stale`` where it ended well but too long ago."""

    source: UUID
    account: str
    source_name: str
    place: str
    resource_type: str
    state: str
    detail: str
    action: str
    listed: int
    denied: tuple[tuple[str, int], ...]
    since: datetime
    last_at: datetime

    @property
    def reached(self) -> bool:
        """Whether the listing showed everything, lately."""
        return self.state in {"ok", "unsupported"}


@dataclass(frozen=True, slots=True)
class CoverageSummary:
    """How many listings reached everything, and how old the looking is."""

    reached: int
    total: int
    freshest: datetime | None
    oldest: datetime | None

    @property
    def share(self) -> int | None:
        """Whole percent of listings that reached everything, rounded down."""
        return self.reached * 100 // self.total if self.total else None


@dataclass(frozen=True, slots=True)
class Gap:
    """A permission that is missing, or another reason why something was not seen, and how much it hides."""

    action: str
    state: str
    detail: str
    account: str
    listings: int
    resources: int


@dataclass(frozen=True, slots=True)
class CauseRow:
    """A check that holds deviations up, with how many resources deviate, and since when the oldest does."""

    check: str
    failing: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Posture:
    """Everything the first page says. Each number has its rows under Findings or Coverage."""

    as_of: datetime
    frameworks: tuple[FrameworkStanding, ...]
    total: Tally
    causes: tuple[CauseRow, ...]
    coverage: CoverageSummary
    gaps: tuple[Gap, ...]
    sources: tuple[SourceView, ...]
    inventory: Inventory


def counts(laid: tuple[Group, ...]) -> dict[str, dict[str, int]]:
    """Effective states by check: what ``rollup`` takes."""
    grouped: dict[str, dict[str, int]] = {}
    for one in laid:
        states = grouped.setdefault(one.check, {})
        states[one.shown] = states.get(one.shown, 0) + one.n
    return grouped


def posture(conn: sa.Connection, library: Library, as_of: datetime) -> Posture:
    """The tenant's standing as of now."""
    library = asked(conn, library)
    laid = groups(conn, library, as_of)
    by_check = counts(laid)
    rows = coverage(conn, library, as_of)
    return Posture(
        as_of=as_of,
        frameworks=rollup(library, by_check),
        total=Tally.sum(Tally.of(states) for states in by_check.values()),
        causes=causes(laid),
        coverage=summary(rows),
        gaps=gaps(rows),
        sources=tuple(one for one in sources(conn) if one.disconnected_at is None),
        inventory=inventory(conn, as_of),
    )


def causes(laid: tuple[Group, ...], limit: int = 8) -> tuple[CauseRow, ...]:
    """The checks with most deviating resources, core tier."""
    failing: dict[str, tuple[int, datetime]] = {}
    for one in laid:
        if one.shown == "fail" and one.tier == "core":
            n, oldest = failing.get(one.check, (0, one.oldest))
            failing[one.check] = (n + one.n, min(oldest, one.oldest))
    most = sorted(failing.items(), key=lambda item: (-item[1][0], item[0]))[:limit]
    return tuple(CauseRow(check, n, oldest) for check, (n, oldest) in most)


def sources(conn: sa.Connection) -> tuple[SourceView, ...]:
    """Every source with its latest run over everything, disconnected ones included, by name."""
    source, run = db.source.c, db.run.c
    latest = (
        sa.select(run.run_id, run.state, run.started_at, run.finished_at, run.units_left)
        .where(run.source_id == source.source_id, run.refresh.is_(False))
        .order_by(run.started_at.desc())
        .limit(1)
        .lateral("latest")
    )
    rows = conn.execute(
        sa.select(
            source.source_id,
            source.kind,
            source.account,
            source.name,
            db.stand_in,
            source.regions,
            source.every_seconds,
            source.disconnected_at,
            *latest.c,
        )
        .select_from(db.source.outerjoin(latest, sa.true()))
        .order_by(source.name, source.account)
    )
    return tuple(
        SourceView(
            id=row.source_id,
            kind=row.kind,
            account=row.account,
            name=row.name,
            stand_in=row.stand_in,
            regions=tuple(row.regions),
            every=timedelta(seconds=row.every_seconds),
            run=row.run_id,
            run_state=row.state,
            started_at=row.started_at,
            finished_at=row.finished_at,
            units_left=row.units_left,
            disconnected_at=row.disconnected_at,
        )
        for row in rows
    )


def coverage(conn: sa.Connection, library: Library, as_of: datetime) -> tuple[CoverageRow, ...]:
    """The latest look at each type and place in scope, those that fell short first.

    Whether the organisation lists its accounts is told by the inventory: a member that may not ask is no gap in the looking.
    """
    named = {one.id: one for one in sources(conn) if one.disconnected_at is None}
    scopes = in_force(conn, as_of)
    rows = []
    for one in looks(conn, as_of):
        if one.source not in named or one.resource_type == ORGANISATION_ACCOUNT or _left(one, scopes.get(one.source)):
            continue
        source = named[one.source]
        rows.append(
            CoverageRow(
                source=one.source,
                account=source.account,
                source_name=source.name,
                place=one.place,
                resource_type=one.resource_type,
                state=_state(one, library, as_of),
                detail=one.detail,
                action=one.action,
                listed=one.listed,
                denied=_denied(one.denied_details),
                since=one.valid_from,
                last_at=one.last_at,
            )
        )
    return tuple(sorted(rows, key=lambda row: (row.reached, row.account, row.place, row.resource_type)))


def _left(one: Looked, version: ScopeVersion | None) -> bool:
    """Whether a look is history: its region is out of scope, or its service is and nothing else asked for it since."""
    if version is None:
        return False
    scope = version.scope
    region_out = one.place not in {"global", "join"} and not scope.has_region(one.place)
    return region_out or (not scope.has_service(one.resource_type.split(".")[1]) and one.last_at < version.valid_from)


def _state(one: Looked, library: Library, as_of: datetime) -> str:
    """The look's own word, or ``stale`` where the strictest of its checks would say so."""
    fresh_for = min((check.fresh_for for check in library.by_resource.get(one.resource_type, ())), default=FRESH)
    over = one.lays_over(fresh_for, as_of)
    return "stale" if over is not None and one.state in {"ok", "unsupported"} and over.state == "unknown" else one.state


def _denied(details: object) -> tuple[tuple[str, int], ...]:
    pairs = details.items() if isinstance(details, Mapping) else details if isinstance(details, list) else ()
    return tuple((str(action), int(n)) for action, n in pairs)


def summary(rows: tuple[CoverageRow, ...]) -> CoverageSummary:
    """Coverage in four figures."""
    times = [row.last_at for row in rows]
    return CoverageSummary(
        sum(row.reached for row in rows), len(rows), max(times, default=None), min(times, default=None)
    )


def gaps(rows: tuple[CoverageRow, ...]) -> tuple[Gap, ...]:
    """What could not be looked at: by account and permission, the widest first."""
    listings: Counter[tuple[str, str, str, str]] = Counter()
    resources: Counter[tuple[str, str, str, str]] = Counter()
    closed = _closed(rows)
    for row in rows:
        if (row.source, row.place) in closed:
            listings[row.account, "", "denied", f"every listing in {row.place} was denied"] += 1
        elif not row.reached:
            listings[row.account, row.action, row.state, "" if row.state == "stale" else row.detail] += 1
        for action, n in row.denied:
            resources[row.account, action, "denied", f"AccessDenied {action}"] += n
    keys = sorted({*listings, *resources}, key=lambda key: (-listings[key], -resources[key], key))
    return tuple(
        Gap(
            action,
            state,
            detail,
            account,
            listings[account, action, state, detail],
            resources[account, action, state, detail],
        )
        for account, action, state, detail in keys
    )


def _closed(rows: tuple[CoverageRow, ...]) -> frozenset[tuple[UUID, str]]:
    """The regions in which everything was denied: one reason for all (a service control policy, as a rule), told once."""
    states: dict[tuple[UUID, str], set[str]] = {}
    for row in rows:
        states.setdefault((row.source, row.place), set()).add(row.state)
    sizes = Counter((row.source, row.place) for row in rows)
    return frozenset(
        key
        for key, told in states.items()
        if told == {"denied"} and sizes[key] > 1 and key[1] not in {"global", "join"}
    )


@dataclass(frozen=True, slots=True)
class Day:
    """How a framework's primary core checks stood at a day's end."""

    day: date
    by_framework: Mapping[str, Tally]


def daily(conn: sa.Connection, library: Library, *, until: date, days: int) -> tuple[Day, ...]:
    """The days of the chart that have figures, oldest first; a day without a run is missing, so it is drawn as a gap."""
    row = db.daily_rollup.c
    hearts = {one.framework: one.checks for one in rollup(asked(conn, library), {})}
    sums = [
        sa.func.coalesce(
            sa.func.sum(row.n).filter(row.check_id == sa.any_(sa.cast(list(checks), sa.ARRAY(sa.Text)))), 0
        )
        for checks in hearts.values()
    ]
    found: dict[date, dict[str, dict[str, int]]] = {}
    for day, state, *numbers in conn.execute(
        sa.select(row.day, row.state, *sums)
        .where(row.day > until - timedelta(days=days), row.day <= until)
        .group_by(row.day, row.state)
        .order_by(row.day)
    ):
        for framework, n in zip(hearts, numbers, strict=True):
            found.setdefault(day, {}).setdefault(framework, {})[state] = int(n)
    return tuple(
        Day(day, {framework: Tally.of(states) for framework, states in frameworks.items()})
        for day, frameworks in found.items()
    )
