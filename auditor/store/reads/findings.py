"""Findings as a list, a page of a list, an export, or one with its history: the same rows, the same effective states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from auditor.domain.finding import FOREVER
from auditor.store import schema as db
from auditor.store.reads.attributions import Attribution, Turned, attributions
from auditor.store.reads.overlay import Group, groups, lines

if TYPE_CHECKING:
    from auditor.domain.control import Check, Library

_BATCH = 500
_SEVERITY = {"critical": 0, "high": 1, "medium": 2, "low": 3}
_STATE = {"fail": 0, "unknown": 10, "pass": 20, "excluded": 40}


@dataclass(frozen=True, slots=True)
class FindingFilter:
    """Which findings; an empty field asks for all. ``strength`` narrows framework and requirement to checks of that part."""

    state: str = ""
    severity: str = ""
    framework: str = ""
    requirement: str = ""
    control: str = ""
    check: str = ""
    source: str = ""
    region: str = ""
    resource_type: str = ""
    tier: str = ""
    strength: str = ""
    q: str = ""

    def asked(self) -> dict[str, str]:
        """The fields that narrow, by name: what stands in the URL."""
        named = {field.name: str(getattr(self, field.name)) for field in fields(self)}
        return {name: value for name, value in named.items() if value}

    def covers(self, group: Group) -> bool:
        """Whether a group lies inside, whatever its state; requirements and search are asked for elsewhere."""
        return all(
            not wanted or wanted == has
            for wanted, has in (
                (self.severity, group.severity),
                (self.control, group.control),
                (self.check, group.check),
                (self.source, str(group.source)),
                (self.region, group.region),
                (self.resource_type, group.resource_type),
                (self.tier, group.tier),
            )
        )

    def holds(self, group: Group) -> bool:
        """Whether a covered group has the state asked for."""
        return not self.state or self.state == group.shown


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One line of a list. ``state`` is the effective one; ``laid_over`` says that coverage or scope, not the verdict, decides it."""

    id: UUID
    check: str
    control: str
    state: str
    reason: str
    since: datetime
    laid_over: bool
    severity: str
    tier: str
    resource: str
    resource_name: str
    resource_type: str
    region: str
    place: str
    about_place: bool
    source: UUID
    account: str
    source_name: str
    stand_in: str
    resource_id: UUID


@dataclass(frozen=True, slots=True)
class FindingPage:
    """A page of a list: its rows, where the next one begins (none at the end), and how many the filter has.

    ``states`` counts across states under the filter's other fields: what stands on the chips.
    """

    rows: tuple[FindingRow, ...]
    after: str | None
    states: Mapping[str, int]
    total: int


def findings(
    conn: sa.Connection, library: Library, asked: FindingFilter, as_of: datetime, *, after: str | None, limit: int
) -> FindingPage:
    """The rows that follow ``after``: failing first, the gravest first among them, then by check.

    Raises:
        ValueError: ``after`` is not what a link of ours would hold.
    """
    laid = _laid(conn, library, asked, as_of)
    mark = None if after is None else _mark(after)
    query, line, rank = _select(laid, asked, only=_next_checks(laid, asked, mark, limit))
    if mark is not None:
        query = query.where(sa.tuple_(rank, line.check_id, line.finding_id) > sa.tuple_(*mark))
    rows = conn.execute(query.limit(limit + 1)).all()
    found = tuple(_row(row) for row in rows[:limit])
    following = f"{rows[limit - 1].rank}.{found[-1].check}.{found[-1].id}" if len(rows) > limit else None
    return FindingPage(found, following, _states(laid), sum(one.n for one in laid if asked.holds(one)))


def all_findings(
    conn: sa.Connection, library: Library, asked: FindingFilter, as_of: datetime
) -> tuple[int, Iterator[FindingRow]]:
    """How many rows the filter has, and the rows themselves, read in batches while they are written out.

    Both come from the connection's transaction: open it REPEATABLE READ, or a run may write between count and rows.
    """
    laid = _laid(conn, library, asked, as_of)
    query, _, _ = _select(laid, asked)

    def rows() -> Iterator[FindingRow]:
        for row in conn.execution_options(yield_per=_BATCH).execute(query):
            yield _row(row)

    return sum(one.n for one in laid if asked.holds(one)), rows()


def reasons(
    conn: sa.Connection, library: Library, asked: FindingFilter, as_of: datetime
) -> tuple[tuple[str, str, int], ...]:
    """How often each reason stands behind the findings of a filter: check, reason, number; counted by the database."""
    query, line, _ = _select(_laid(conn, library, asked, as_of), asked)
    counted = query.with_only_columns(line.check_id, line.why, sa.func.count()).order_by(None)
    return tuple((row[0], row[1], row[2]) for row in conn.execute(counted.group_by(line.check_id, line.why)))


def _laid(conn: sa.Connection, library: Library, asked: FindingFilter, as_of: datetime) -> tuple[Group, ...]:
    """The groups under the filter, all states of them."""
    named = (lambda: _named(asked.q, db.finding.c)) if asked.q else None
    serving = _serving(library, asked)
    return tuple(
        one
        for one in groups(conn, library, as_of, named=named)
        if asked.covers(one) and (serving is None or one.check in serving)
    )


def _states(laid: tuple[Group, ...]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for one in laid:
        counted[one.shown] = counted.get(one.shown, 0) + one.n
    return counted


def _rank(severity: str, shown: str) -> int:
    return _SEVERITY.get(severity, 4) + _STATE.get(shown, 30)


def _next_checks(
    laid: tuple[Group, ...], asked: FindingFilter, mark: tuple[int, str, UUID] | None, limit: int
) -> list[str]:
    """The checks that the next page can come from: the groups say so, and the database need not sort the rest."""
    sizes: dict[tuple[int, str], int] = {}
    for one in laid:
        if asked.holds(one):
            key = (_rank(one.severity, one.shown), one.check)
            sizes[key] = sizes.get(key, 0) + one.n
    picked: list[str] = []
    there = 0
    for key in sorted(sizes):
        if mark is not None and key < mark[:2]:
            continue
        picked.append(key[1])
        there += 0 if mark is not None and key == mark[:2] else sizes[key]
        if there > limit:
            break
    return list(dict.fromkeys(picked))


def _select(
    laid: tuple[Group, ...], asked: FindingFilter, *, only: list[str] | None = None, gone: bool = False
) -> tuple[sa.Select[Any], Any, sa.ColumnElement[int]]:
    line = lines(laid, gone=gone).c
    rank: sa.ColumnElement[int] = sa.case(_SEVERITY, value=line.severity, else_=4) + sa.case(
        _STATE, value=line.shown, else_=30
    )
    query = (
        sa.select(
            line.finding_id,
            line.check_id,
            line.control_id,
            line.shown,
            line.why,
            line.shown_since,
            line.laid_over,
            line.severity,
            line.tier,
            db.resource.c.native_id,
            sa.func.coalesce(db.resource.c.name, ""),
            line.resource_type,
            line.region,
            line.place,
            line.about_place,
            line.source_id,
            db.source.c.account,
            db.source.c.name,
            db.stand_in,
            line.resource_id,
            rank.label("rank"),
        )
        .join(db.resource, db.resource.c.resource_id == line.resource_id)
        .join(db.source, db.source.c.source_id == line.source_id)
        .order_by(rank, line.check_id, line.finding_id)
    )
    if gone:
        return query, line, rank
    checks = sorted({one.check for one in laid}) if only is None else only
    query = query.where(line.check_id == sa.any_(sa.cast(checks, sa.ARRAY(sa.Text))))
    for column, value in (
        (line.shown, asked.state),
        (line.severity, asked.severity),
        (line.tier, asked.tier),
        (line.region, asked.region),
        (line.resource_type, asked.resource_type),
    ):
        if value:
            query = query.where(column == value)
    if asked.source:
        query = query.where(line.source_id == UUID(asked.source))
    if asked.q:
        query = query.where(_named(asked.q, line))
    return query, line, rank


def _serving(library: Library, asked: FindingFilter) -> frozenset[str] | None:
    if not (asked.framework or asked.requirement or asked.strength):
        return None
    return frozenset(check.id for check in library.checks if _serves(check, asked))


def _serves(check: Check, asked: FindingFilter) -> bool:
    return any(
        (not asked.framework or mapped.framework == asked.framework)
        and (not asked.requirement or mapped.requirement == asked.requirement)
        and (not asked.strength or mapped.strength == asked.strength)
        for mapped in check.mapped
    )


def _named(words: str, line: Any) -> sa.ColumnElement[bool]:
    return sa.or_(
        db.resource.c.native_id.icontains(words, autoescape=True),
        db.resource.c.name.icontains(words, autoescape=True),
        line.check_id.icontains(words, autoescape=True),
    )


def _row(row: sa.Row[Any]) -> FindingRow:
    return FindingRow(*tuple(row)[:-1])


def _mark(after: str) -> tuple[int, str, UUID]:
    rank, _, rest = after.partition(".")
    check, _, id_ = rest.rpartition(".")
    return int(rank), check, UUID(id_)


@dataclass(frozen=True, slots=True)
class FindingDetail:
    """A finding with what decided it. ``span`` holds the columns of the open span as they were written."""

    row: FindingRow
    span: Mapping[str, Any]
    provenance: Mapping[str, Any] | None
    last_look_at: datetime | None
    standing: str | None = None
    """Digest of the evidence that stands of the resource now: a finding lasts while what it is made of comes and goes."""
    definition: Mapping[str, Any] | None = None
    """The check as it judged, where it was kept: the library may say otherwise by now."""
    changed: Attribution | None = None
    """Who changed the resource, where its change is what turned the finding last."""


def finding(conn: sa.Connection, library: Library, id_: UUID, as_of: datetime) -> FindingDetail | None:
    """One finding as it stands, ``absent`` if its resource is gone; none if this tenant has none of that id."""
    query, line, _ = _select(
        groups(conn, library, as_of, named=lambda: db.finding.c.finding_id == id_), FindingFilter(), gone=True
    )
    found = conn.execute(query.where(line.finding_id == id_)).one_or_none()
    if found is None:
        return None
    row = _row(found)
    span = conn.execute(
        sa.select(db.finding_span)
        .where(db.finding_span.c.finding_id == id_)
        .order_by(db.finding_span.c.valid_from.desc())
        .limit(1)
    ).one()
    kept, called = db.evidence_span.c, db.evidence.alias("called")
    seen = conn.execute(
        sa.select(*kept, db.evidence.c.digest, called.c.digest.label("calls_digest"))
        .join(db.evidence, db.evidence.c.evidence_id == kept.evidence_id)
        .outerjoin(called, called.c.evidence_id == kept.calls_id)
        .where(kept.resource_id == row.resource_id)
        .order_by((db.evidence.c.digest == span.evidence_digest).desc(), kept.valid_from.desc())
        .limit(1)
    ).one_or_none()
    look = db.coverage_span.c
    asked = library.check.get(row.check)
    last_look_at = conn.scalar(
        sa.select(sa.func.max(look.last_at)).where(
            look.source_id == row.source,
            look.place == row.place,
            look.resource_type == (asked.resource if asked else row.resource_type),
            look.state.in_(["ok", "unsupported"]),
        )
    )
    standing = conn.scalar(
        sa.select(db.evidence.c.digest)
        .join(db.evidence_span, kept.evidence_id == db.evidence.c.evidence_id)
        .where(kept.resource_id == row.resource_id, kept.valid_to == FOREVER)
        .limit(1)
    )
    kept_as = db.definition.c
    definition = conn.scalar(
        sa.select(kept_as.body).where(
            kept_as.check_id == row.check,
            kept_as.judged_digest == span.judged_digest,
            kept_as.published_digest == span.published_digest,
        )
    )
    provider = conn.scalar(sa.select(db.source.c.kind).where(db.source.c.source_id == row.source))
    turn = Turned(str(provider), row.source, row.resource, span.state, span.cause, span.run_id, span.recorded_at)
    (changed,) = attributions(conn, [turn])
    provenance = seen._asdict() if seen is not None else None
    return FindingDetail(row, span._asdict(), provenance, last_look_at, standing, definition, changed)
