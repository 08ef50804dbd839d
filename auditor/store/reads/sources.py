"""Sources as people follow them: what is connected, how its last run went, when the next one is due, and who let it go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from auditor.domain.finding import FOREVER
from auditor.domain.scope import Scope
from auditor.domain.source import ClusterAccess
from auditor.store import schema as db
from auditor.store.reads.scope import in_force


@dataclass(frozen=True, slots=True)
class SourceCard:
    """A source with its latest run over everything. ``next_at`` is none where nothing is due: it was disconnected.

    ``left`` are the places that the latest run has still to look at. ``excluded`` counts resources that the scope leaves out
    one by one; regions and services that are out are not looked at, so nothing in them is counted.
    """

    id: UUID
    kind: str
    account: str
    name: str
    partition: str
    stand_in: str
    role_arn: str | None
    regions: tuple[str, ...]
    pinned: bool
    every: timedelta
    created_at: datetime
    disconnected_at: datetime | None
    disconnected_by: str | None
    disconnect_reason: str | None
    scope: Scope
    next_at: datetime | None
    excluded: int
    run: RunCard | None
    access: ClusterAccess | None = None

    @property
    def regions_in(self) -> tuple[str, ...]:
        """The regions that a run looks at."""
        return tuple(one for one in self.regions if self.scope.has_region(one))

    @property
    def regions_out(self) -> tuple[str, ...]:
        """The regions that the scope leaves out."""
        return tuple(one for one in self.regions if not self.scope.has_region(one))


@dataclass(frozen=True, slots=True)
class RunCard:
    """A run: running, done, partial or cancelled, and then by whom and why."""

    id: UUID
    state: str
    scope_version: int
    started_at: datetime
    finished_at: datetime | None
    left: int
    given_up: int
    cancelled_at: datetime | None
    cancelled_by: str | None
    cancel_reason: str | None
    counts: Mapping[str, int]


def sources(conn: sa.Connection, as_of: datetime, *, only: UUID | None = None) -> tuple[SourceCard, ...]:
    """Every source that ever was connected, those that are first, by name."""
    source, schedule, exclusion = db.source.c, db.schedule.c, db.exclusion.c
    out = (
        sa.select(sa.func.count())
        .where(exclusion.source_id == source.source_id, exclusion.valid_to == FOREVER)
        .scalar_subquery()
    )
    query = (
        sa.select(db.source, db.stand_in, schedule.due_at, out.label("excluded"))
        .select_from(db.source.outerjoin(db.schedule, schedule.source_id == source.source_id))
        .order_by(source.disconnected_at.is_not(None), source.name, source.account)
    )
    if only is not None:
        query = query.where(source.source_id == only)
    scopes = in_force(conn, as_of)
    runs = {one.source_id: one for one in _latest_runs(conn, only)}
    return tuple(
        SourceCard(
            id=row.source_id,
            kind=row.kind,
            account=row.account,
            name=row.name,
            partition=row.partition,
            stand_in=row.stand_in,
            role_arn=row.role_arn,
            regions=tuple(row.regions),
            pinned=row.pinned,
            every=timedelta(seconds=row.every_seconds),
            created_at=row.created_at,
            disconnected_at=row.disconnected_at,
            disconnected_by=row.disconnected_by,
            disconnect_reason=row.disconnect_reason,
            scope=scopes[row.source_id].scope if row.source_id in scopes else Scope(),
            next_at=None if row.disconnected_at else row.due_at,
            excluded=row.excluded,
            run=_run(runs.get(row.source_id)),
            access=ClusterAccess.of_json(row.access),
        )
        for row in conn.execute(query)
    )


def _latest_runs(conn: sa.Connection, only: UUID | None) -> list[Any]:
    run, unit = db.run.c, db.unit.c
    given_up = sa.select(sa.func.count()).where(unit.run_id == run.run_id, unit.state == "given_up").scalar_subquery()
    latest = (
        sa.select(db.run, given_up.label("given_up"))
        .where(run.source_id == db.source.c.source_id, run.refresh.is_(False))
        .order_by(run.started_at.desc())
        .limit(1)
        .lateral("latest")
    )
    query = sa.select(latest).select_from(db.source.join(latest, sa.true()))
    if only is not None:
        query = query.where(db.source.c.source_id == only)
    return list(conn.execute(query))


def _run(row: Any) -> RunCard | None:
    if row is None:
        return None
    return RunCard(
        id=row.run_id,
        state=row.state,
        scope_version=row.scope_version,
        started_at=row.started_at,
        finished_at=row.finished_at,
        left=row.units_left,
        given_up=row.given_up,
        cancelled_at=row.cancelled_at,
        cancelled_by=row.cancelled_by,
        cancel_reason=row.cancel_reason,
        counts=row.counts,
    )
