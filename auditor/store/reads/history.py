"""What turned and when: a finding's stretches with coverage laid over, and the drift of a tenant between two instants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from uuid import UUID

import sqlalchemy as sa

from auditor.domain.finding import FOREVER
from auditor.proof.state import Look, Span, effective_state
from auditor.store import schema as db
from auditor.store.reads.attributions import Attribution, Turned, attributions
from auditor.store.reads.overlay import FRESH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.domain.control import Library

Kind: TypeAlias = Literal["opened", "resolved", "lost", "seen", "scope", "other"]
KINDS: tuple[Kind, ...] = ("opened", "resolved", "lost", "seen", "scope", "other")
"""Deviations that began, that ended, states that could no longer be seen, that could again, what left the scope or came back
without deviating, and all other turns. A deviation that leaves the scope did not end."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A constant stretch of a finding as it may be shown. ``until`` is none while it lasts; ``gone`` where the resource was.

    ``first`` is the one that the thread began with: in an opened bundle the oldest told need not be.
    """

    state: str
    reason: str
    cause: str
    since: datetime
    until: datetime | None
    run: UUID | None
    recorded_at: datetime | None
    judged_as_of: datetime | None
    evidence_digest: str | None
    published_digest: str | None
    first: bool

    @property
    def gone(self) -> bool:
        """Whether the resource was not there: no verdict."""
        return self.state == "absent"


def stretches(
    conn: sa.Connection,
    library: Library,
    finding_id: UUID,
    *,
    source: UUID,
    place: str,
    resource_type: str,
    check: str,
    as_of: datetime,
) -> tuple[Stretch, ...]:
    """The finding's history, newest first: spans, cut where coverage began or ceased to lie over them."""
    spans = conn.execute(
        sa.select(db.finding_span)
        .where(db.finding_span.c.finding_id == finding_id)
        .order_by(db.finding_span.c.valid_from)
    ).all()
    asked = library.check.get(check)
    fresh_for = asked.fresh_for if asked else FRESH
    look = db.coverage_span.c
    looks = [
        Look(row.state, row.detail, row.valid_from, row.last_at, fresh_for)
        for row in conn.execute(
            sa.select(look.state, look.detail, look.valid_from, look.last_at)
            .where(
                look.source_id == source,
                look.place == place,
                look.resource_type == (asked.resource if asked else resource_type),
            )
            .order_by(look.valid_from)
        )
    ]
    cut = [piece for span in spans for piece in _cut(span, looks, as_of)]
    return tuple(reversed(_joined(cut)))


def _cut(span: Any, looks: Sequence[Look], as_of: datetime) -> list[Stretch]:
    """One span in pieces of constant effective state."""
    end = min(span.valid_to, as_of)
    instants = {span.valid_from}
    for one in looks:
        instants |= {one.valid_from, one.last_at + one.fresh_for + timedelta(microseconds=1)}
    starts = sorted(
        at for at in instants if span.valid_from <= at < max(end, span.valid_from + timedelta(microseconds=1))
    )
    pieces = []
    for position, start in enumerate(starts):
        until = starts[position + 1] if position + 1 < len(starts) else span.valid_to
        shown = effective_state(
            Span(span.state, span.reason, span.valid_from, span.valid_to), _known(looks, start), start
        )
        pieces.append(
            Stretch(
                state=shown.state,
                reason=shown.reason or "",
                # A span that comes back from under coverage turned because one could look again.
                cause=shown.cause or (span.cause if start == span.valid_from else "coverage"),
                since=start,
                until=None if until >= FOREVER else until,
                run=None if shown.cause else span.run_id,
                recorded_at=None if shown.cause else span.recorded_at,
                judged_as_of=None if shown.cause else span.judged_as_of,
                evidence_digest=span.evidence_digest,
                published_digest=span.published_digest,
                first=span.seq == 1 and start == span.valid_from,
            )
        )
    return pieces


def _known(looks: Sequence[Look], at: datetime) -> Sequence[Look]:
    """Before the first look was recorded the span's own look is the one that made it."""
    if looks and at < looks[0].valid_from:
        first = looks[0]
        return (Look("ok", "", at, at, first.fresh_for),)
    return looks


def _joined(pieces: Sequence[Stretch]) -> list[Stretch]:
    """Neighbours that say the same, as one."""
    joined: list[Stretch] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if last is not None and (last.state, last.reason) == (piece.state, piece.reason):
            joined[-1] = Stretch(
                last.state, last.reason, last.cause, last.since, piece.until, last.run, last.recorded_at,
                last.judged_as_of, last.evidence_digest, last.published_digest, last.first,
            )  # fmt: skip
        else:
            joined.append(piece)
    return joined


@dataclass(frozen=True, slots=True)
class DriftRow:
    """A turn between two spans, with its cause."""

    at: datetime
    finding: UUID
    check: str
    resource: str
    resource_type: str
    region: str
    account: str
    severity: str
    previous: str | None
    state: str
    cause: str
    reason: str
    kind: str
    changed: Attribution | None = None
    """Who changed the resource, where its change is what turned the finding."""


@dataclass(frozen=True, slots=True)
class CoverageTurn:
    """A listing whose outcome turned: laid over every verdict under it until it turns again."""

    at: datetime
    account: str
    place: str
    resource_type: str
    state: str
    detail: str


@dataclass(frozen=True, slots=True)
class Drift:
    """What turned between two instants: how much of each kind, the newest rows, and the turns of coverage."""

    since: datetime
    until: datetime
    counts: dict[str, int]
    rows: tuple[DriftRow, ...]
    coverage: tuple[CoverageTurn, ...]

    @property
    def total(self) -> int:
        """All turns of the period, of whatever kind."""
        return sum(self.counts.values())


def drift(conn: sa.Connection, since: datetime, until: datetime, *, kind: str = "", limit: int = 100) -> Drift:
    """The turns in ``[since, until)``: first verdicts of a baseline are none, first deviations of a later run are."""
    span, run = db.finding_span.c, db.run.c
    turned = sa.case(
        ((span.state == "fail") & span.prev_state.is_distinct_from("fail"), "opened"),
        ((span.state == "excluded") | (span.prev_state == "excluded"), "scope"),
        ((span.prev_state == "fail") & span.state.in_(["pass", "not_applicable", "absent"]), "resolved"),
        (span.state == "unknown", "lost"),
        ((span.prev_state == "unknown") & (span.state != "absent"), "seen"),
        else_="other",
    ).label("kind")
    joined = (
        db.finding_span.join(db.finding, db.finding.c.finding_id == span.finding_id)
        .join(db.source, db.source.c.source_id == db.finding.c.source_id)
        .join(db.resource, db.resource.c.resource_id == db.finding.c.resource_id)
        .outerjoin(db.run, run.run_id == span.run_id)
    )
    inside = (
        span.valid_from >= since,
        span.valid_from < until,
        span.prev_state.is_not(None) | ((span.state == "fail") & run.baseline.is_(sa.false())),
    )
    counted = dict.fromkeys(KINDS, 0) | {
        word: int(n)
        for word, n in conn.execute(
            sa.select(turned, sa.func.count()).select_from(joined).where(*inside).group_by(turned)
        )
    }
    query = (
        sa.select(
            span.valid_from,
            span.finding_id,
            db.finding.c.check_id,
            db.resource.c.native_id,
            db.finding.c.resource_type,
            db.finding.c.region,
            db.source.c.account,
            db.finding.c.severity,
            span.prev_state,
            span.state,
            span.cause,
            span.reason,
            turned,
            db.source.c.kind.label("provider"),
            db.source.c.source_id,
            span.run_id,
            span.recorded_at,
        )
        .select_from(joined)
        .where(*inside)
        .order_by(span.valid_from.desc(), span.finding_id)
        .limit(limit)
    )
    if kind:
        query = query.where(turned == kind)
    found = conn.execute(query).all() if limit else ()
    changed = attributions(
        conn,
        [
            Turned(one.provider, one.source_id, one.native_id, one.state, one.cause, one.run_id, one.recorded_at)
            for one in found
        ],
    )
    rows = tuple(replace(DriftRow(*tuple(row)[:-4]), changed=by) for row, by in zip(found, changed, strict=True))
    return Drift(since, until, {str(word): n for word, n in counted.items()}, rows, _coverage_turns(conn, since, until))


def _coverage_turns(conn: sa.Connection, since: datetime, until: datetime) -> tuple[CoverageTurn, ...]:
    """Looks that came out otherwise than the one before."""
    look = db.coverage_span.c
    before = sa.func.lag(look.state).over(
        partition_by=(look.source_id, look.place, look.resource_type), order_by=look.valid_from
    )
    every = (
        sa.select(
            look.valid_from,
            db.source.c.account,
            look.place,
            look.resource_type,
            look.state,
            look.detail,
            before.label("before"),
        )
        .join(db.source, db.source.c.source_id == look.source_id)
        .subquery()
        .c
    )
    rows = conn.execute(
        sa.select(every.valid_from, every.account, every.place, every.resource_type, every.state, every.detail)
        .where(
            every.valid_from >= since,
            every.valid_from < until,
            every.before.is_not(None) & (every.before != every.state) | every.before.is_(None) & (every.state != "ok"),
        )
        .order_by(every.valid_from.desc(), every.account, every.place, every.resource_type)
        .limit(200)
    )
    return tuple(CoverageTurn(*tuple(row)) for row in rows)
