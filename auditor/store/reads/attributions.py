"""Who changed what turned: the write that the run came to see in which a finding turned, or why nobody is named.

Only clusters tell. A turn is attributed where its own run was the first to see a write to that very object; a write that was
known before did not turn anything now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from auditor.store import schema as db

DELETED = "a cluster does not tell who deleted"
NOBODY = "the cluster names nobody who wrote to it"
BEFORE = "no write to it was seen since the run before"


@dataclass(frozen=True, slots=True)
class Turned:
    """A turn of a finding: of what, in which run, and when it was written down."""

    kind: str
    source: UUID
    resource: str
    state: str
    cause: str
    run: UUID
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Attribution:
    """The last write known at a turn; ``why`` says what keeps the turn from being attributed to it, empty if nothing does."""

    why: str = ""
    manager: str = ""
    operation: str = ""
    at: datetime | None = None


def attributions(conn: sa.Connection, turns: Sequence[Turned]) -> tuple[Attribution | None, ...]:
    """Who changed each of these; none where the resource did not turn, or nobody could tell."""
    asked = [one if one.kind == "kubernetes" and one.cause == "resource" else None for one in turns]
    names = sorted({(one.source, one.resource) for one in asked if one is not None})
    if not names:
        return (None,) * len(turns)
    wrote, resource = db.attribution.c, db.resource.c
    rows = conn.execute(
        sa.select(
            resource.source_id,
            resource.native_id,
            wrote.manager,
            wrote.operation,
            wrote.written_at,
            wrote.seen_at,
            wrote.run_id,
        )
        .join(db.resource, resource.resource_id == wrote.resource_id)
        .where(sa.tuple_(resource.source_id, resource.native_id).in_(names))
        .order_by(wrote.seen_at, wrote.written_at)
    )
    known: dict[tuple[UUID, str], list[Any]] = {}
    for row in rows:
        known.setdefault((row.source_id, row.native_id), []).append(row)
    return tuple(None if one is None else _of(one, known.get((one.source, one.resource), [])) for one in asked)


def _of(turn: Turned, known: Sequence[Any]) -> Attribution:
    if turn.state == "absent":
        return Attribution(DELETED)
    last = next((row for row in reversed(known) if row.seen_at <= turn.recorded_at), None)
    if last is None:
        return Attribution(NOBODY)
    why = "" if last.run_id == turn.run else BEFORE
    return Attribution(why, last.manager, last.operation, last.written_at)
