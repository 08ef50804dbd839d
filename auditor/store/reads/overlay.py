"""Findings as they may be shown: coverage laid over the current rows, decided by ``proof`` and only joined here.

Enters: the latest look at each (source, place, resource type) and how fresh each check wants it. Leaves: ``groups``, which every
number is added up from, and ``lines``, the same findings one by one. Guards the rule that a denied, failed or old listing makes unknown,
and that what is out of scope is called excluded and nothing else: no look lies over it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from auditor.domain.finding import FOREVER
from auditor.proof.state import BLIND, Effective, Look, Span, effective_state
from auditor.store import schema as db
from auditor.store.reads.scope import outside

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from auditor.domain.control import Library

FRESH = timedelta(hours=48)
"""For a check that the library no longer has, and a type that no check judges: the daily rhythm with room for one late run."""

NEVER_LOOKED = "never looked"


@dataclass(frozen=True, slots=True)
class Looked:
    """The latest look at a resource type in a place, as kept."""

    source: UUID
    place: str
    resource_type: str
    state: str
    detail: str
    action: str
    listed: int
    denied_details: Any
    valid_from: datetime
    last_at: datetime

    def look(self, fresh_for: timedelta) -> Look:
        """The look as ``proof`` reads it, for a check that wants it this fresh."""
        return Look(self.state, self.detail, self.valid_from, self.last_at, fresh_for)

    def lays_over(self, fresh_for: timedelta, as_of: datetime) -> Effective | None:
        """What this look makes of every verdict under it, none if the verdicts speak for themselves."""
        probe = Span("pass", None, min(self.valid_from, as_of), FOREVER)
        effective = effective_state(probe, (self.look(fresh_for),), as_of)
        return effective if effective.cause else None

    def turned_at(self, fresh_for: timedelta) -> datetime:
        """Since when it lays over: at once where it is blind, else from the moment it was too old."""
        return self.valid_from if self.state in BLIND | {"unsupported"} else self.last_at + fresh_for


def looks(conn: sa.Connection, as_of: datetime) -> tuple[Looked, ...]:
    """The latest look at each type and place, as of an instant."""
    span = db.coverage_span.c
    rows = conn.execute(
        sa.select(
            span.source_id,
            span.place,
            span.resource_type,
            span.state,
            span.detail,
            span.action,
            span.listed,
            span.denied_details,
            span.valid_from,
            span.last_at,
        )
        .where(span.valid_from <= as_of)
        .ext(distinct_on(span.source_id, span.place, span.resource_type))
        .order_by(span.source_id, span.place, span.resource_type, span.valid_from.desc())
    )
    return tuple(Looked(*tuple(row)) for row in rows)


@dataclass(frozen=True, slots=True)
class Group:
    """Findings that are alike in everything coverage and filters ask about, and what may be shown of them.

    ``state`` is what was judged, ``shown`` the effective one. ``oldest`` is the earliest instant the shown state began.
    """

    check: str
    control: str
    source: UUID
    place: str
    resource_type: str
    region: str
    severity: str
    tier: str
    state: str
    n: int
    oldest: datetime
    shown: str
    over: Over | None


@dataclass(frozen=True, slots=True)
class Over:
    """What lies over the findings of a check in a place: the state to show, why, and since when.

    ``only`` narrows it to a resource type where the library no longer says which one the check asks for.
    """

    source: UUID
    place: str
    check: str
    only: str | None
    state: str
    reason: str
    since: datetime | None


def groups(
    conn: sa.Connection, library: Library, as_of: datetime, *, named: Callable[[], sa.ColumnElement[bool]] | None = None
) -> tuple[Group, ...]:
    """All findings whose resource is there, counted by what can turn them: the one source of every number.

    A finding is laid over by the coverage of the type its check asks for, so a line about a place follows the listing it
    stands for. ``named`` narrows by the resource's name.
    """
    finding = db.finding.c
    keys = (
        finding.check_id,
        finding.control_id,
        finding.source_id,
        finding.place,
        finding.resource_type,
        finding.region,
        finding.severity,
        finding.tier,
        finding.state,
    )
    query = sa.select(*keys, sa.func.count(), sa.func.min(finding.since)).where(finding.state != "absent")
    if named is not None:
        query = query.join(db.resource, db.resource.c.resource_id == finding.resource_id).where(named())
    return laid(conn, library, as_of, conn.execute(query.group_by(*keys)))


def laid(conn: sa.Connection, library: Library, as_of: datetime, counted: Iterable[Sequence[Any]]) -> tuple[Group, ...]:
    """What may be shown of findings that were counted as of an instant: the first eleven fields of ``Group`` each."""
    over = _over(looks(conn, as_of), outside(conn, as_of), as_of)
    found = []
    for row in counted:
        check, control, source, place, kind, region, severity, tier, state, n, oldest = tuple(row)
        asked = library.check.get(check)
        fresh_for = asked.fresh_for if asked else FRESH
        only = None if asked else kind
        lies = (
            None
            if state == "excluded"
            else over(source, place, check, asked.resource if asked else kind, only, fresh_for)
        )
        since = oldest if lies is None or lies.since is None else max(oldest, lies.since)
        shown = state if lies is None else lies.state
        found.append(Group(check, control, source, place, kind, region, severity, tier, state, n, since, shown, lies))
    return tuple(found)


def lines(laid: tuple[Group, ...], *, gone: bool = False) -> sa.Subquery:
    """The findings of these groups one by one: ``shown``, ``why``, ``shown_since`` and ``laid_over`` beside their columns.

    ``laid`` must hold every group the statement may meet; where nothing lies over any of them, nothing is joined. Resources
    that are gone are left out unless asked for, and nothing is laid over them.
    """
    over = sorted(
        {one.over for one in laid if one.over is not None}, key=lambda one: (one.check, one.place, one.source)
    )
    finding = db.finding.c
    there = finding.state != "absent"
    columns = [column for column in finding if column.name != "tenant_id"]
    if not over:
        return (
            sa.select(
                *columns,
                finding.state.label("shown"),
                finding.reason.label("why"),
                finding.since.label("shown_since"),
                sa.false().label("laid_over"),
            )
            .where(sa.true() if gone else there)
            .subquery("line")
        )
    blind = _unnest(
        "blind",
        [(one.source, one.place, one.check, one.only, one.state, one.reason, one.since) for one in over],
        source_id=sa.Uuid(),
        place=sa.Text(),
        check_id=sa.Text(),
        only=sa.Text(),
        state=sa.Text(),
        reason=sa.Text(),
        since=sa.DateTime(timezone=True),
    ).c
    joined = db.finding.outerjoin(
        blind.source_id.table,
        (blind.source_id == finding.source_id)
        & (blind.place == finding.place)
        & (blind.check_id == finding.check_id)
        & (sa.func.coalesce(blind.only, finding.resource_type) == finding.resource_type)
        & there
        & (finding.state != "excluded"),
    )
    return (
        sa.select(
            *columns,
            sa.func.coalesce(blind.state, finding.state).label("shown"),
            sa.func.coalesce(blind.reason, finding.reason).label("why"),
            sa.func.greatest(finding.since, blind.since).label("shown_since"),
            blind.state.is_not(None).label("laid_over"),
        )
        .select_from(joined)
        .where(sa.true() if gone else there)
        .subquery("line")
    )


def _over(
    seen: tuple[Looked, ...], out: Callable[[UUID, str, str], tuple[str, datetime] | None], as_of: datetime
) -> Callable[[UUID, str, str, str, str | None, timedelta], Over | None]:
    """What lies over a check's findings in a place, decided once per look and freshness: the scope first, then coverage."""
    by_key = {(one.source, one.place, one.resource_type): one for one in seen}

    @cache
    def lies(source: UUID, place: str, check: str, kind: str, only: str | None, fresh_for: timedelta) -> Over | None:
        left = out(source, check, place)
        if left is not None:
            return Over(source, place, check, only, "excluded", *left)
        look = by_key.get((source, place, kind))
        if look is None:
            return Over(source, place, check, only, "unknown", NEVER_LOOKED, None)
        effective = look.lays_over(fresh_for, as_of)
        if effective is None:
            return None
        return Over(source, place, check, only, effective.state, effective.reason or "", look.turned_at(fresh_for))

    return lies


def _unnest(name: str, rows: Sequence[tuple[Any, ...]], **columns: sa.types.TypeEngine[Any]) -> sa.TableValuedAlias:
    """Rows as a table, in one array per column: the statement keeps its shape whatever their number."""
    arrays = [
        sa.cast([row[position] for row in rows], sa.ARRAY(kind)) for position, kind in enumerate(columns.values())
    ]
    return (
        sa.func.unnest(*arrays)
        .table_valued(*(sa.column(column, kind) for column, kind in columns.items()), name=name)
        .render_derived()
    )
