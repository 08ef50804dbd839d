"""What of a cluster is heard of at once, and what shows with its runs alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from auditor.store import schema as db


@dataclass(frozen=True, slots=True)
class StreamCard:
    """One listing that may be watched, and how that stands since when."""

    name: str
    state: str
    detail: str
    since: datetime


@dataclass(frozen=True, slots=True)
class WatchCard:
    """A source's watch: whether anybody holds it now, what of it is heard and what is not, and how much waits for a look."""

    live: bool
    heard: tuple[StreamCard, ...]
    unheard: tuple[StreamCard, ...]
    marked: int


def watch(conn: sa.Connection, source: UUID, as_of: datetime) -> WatchCard:
    """How a source is watched."""
    work, watched, dirty = db.work.c, db.watched.c, db.dirty.c
    live = sa.select(work.id).where(work.queue == "watch", work.id == source, work.lease_until > as_of)
    rows = conn.execute(sa.select(db.watched).where(watched.source_id == source).order_by(watched.stream))
    streams = [StreamCard(row.stream, row.state, row.detail, row.since) for row in rows]
    return WatchCard(
        live=conn.execute(live).one_or_none() is not None,
        heard=tuple(one for one in streams if one.state == "watching"),
        unheard=tuple(one for one in streams if one.state != "watching"),
        marked=conn.execute(
            sa.select(sa.func.count()).select_from(db.dirty).where(dirty.source_id == source)
        ).scalar_one(),
    )
