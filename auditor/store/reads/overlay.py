"""Findings as they may be shown: coverage laid over the current rows, decided by ``proof`` and only joined here.

Enters: the latest look at each (source, place, resource type) and how fresh each check wants it. Leaves: one selectable
``lines`` in which ``shown`` is the effective state. Guards the rule that a denied, failed or old listing makes unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from auditor.domain.finding import FOREVER
from auditor.proof.state import BLIND, Effective, Look, Span, effective_state
from auditor.store import schema as db

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def lines(conn: sa.Connection, library: Library, as_of: datetime, *, gone: bool = False) -> sa.Subquery:
    """The current findings with coverage laid over: ``shown``, ``why`` and ``shown_since`` beside the finding's columns.

    A finding is laid over by the coverage of the type its check asks for, so a line about a place follows the listing it
    stands for. Resources that are gone are left out unless asked for; nothing is laid over them.
    """
    asked = _unnest(
        "asked",
        [(one.id, one.resource, one.fresh_for.total_seconds()) for one in library.checks],
        check_id=sa.Text(),
        resource_type=sa.Text(),
        fresh=sa.Float(),
    )
    seen = looks(conn, as_of)
    looked = _unnest(
        "looked",
        [(one.source, one.place, one.resource_type) for one in seen],
        source_id=sa.Uuid(),
        place=sa.Text(),
        resource_type=sa.Text(),
    )
    blind = _unnest(
        "blind",
        _blind(seen, library, as_of),
        source_id=sa.Uuid(),
        place=sa.Text(),
        resource_type=sa.Text(),
        fresh=sa.Float(),
        state=sa.Text(),
        reason=sa.Text(),
        since=sa.DateTime(timezone=True),
    )
    finding = db.finding.c
    kind = sa.func.coalesce(asked.c.resource_type, finding.resource_type)
    fresh = sa.func.coalesce(asked.c.fresh, FRESH.total_seconds())
    there = finding.state != "absent"
    unlooked = looked.c.source_id.is_(None) & there
    joined = (
        db.finding.outerjoin(asked, asked.c.check_id == finding.check_id)
        .outerjoin(
            looked,
            (looked.c.source_id == finding.source_id)
            & (looked.c.place == finding.place)
            & (looked.c.resource_type == kind),
        )
        .outerjoin(
            blind,
            (blind.c.source_id == finding.source_id)
            & (blind.c.place == finding.place)
            & (blind.c.resource_type == kind)
            & (blind.c.fresh == fresh)
            & there,
        )
    )
    return (
        sa.select(
            *(column for column in finding if column.name != "tenant_id"),
            sa.case((unlooked, "unknown"), else_=sa.func.coalesce(blind.c.state, finding.state)).label("shown"),
            sa.case((unlooked, NEVER_LOOKED), else_=sa.func.coalesce(blind.c.reason, finding.reason)).label("why"),
            sa.func.greatest(finding.since, sa.func.coalesce(blind.c.since, finding.since)).label("shown_since"),
            (unlooked | blind.c.state.is_not(None)).label("laid_over"),
        )
        .select_from(joined)
        .where(sa.true() if gone else there)
        .subquery("line")
    )


def _blind(seen: tuple[Looked, ...], library: Library, as_of: datetime) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for one in seen:
        for fresh_for in sorted(
            {check.fresh_for for check in library.by_resource.get(one.resource_type, ())} | {FRESH}
        ):
            over = one.lays_over(fresh_for, as_of)
            if over is not None:
                rows.append(
                    (
                        one.source,
                        one.place,
                        one.resource_type,
                        fresh_for.total_seconds(),
                        over.state,
                        over.reason or "",
                        one.turned_at(fresh_for),
                    )
                )
    return rows


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
