"""Findings as a list, a page of a list, an export, or one with its history: the same rows, the same effective states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from auditor.domain.rollup import Tally
from auditor.store import schema as db
from auditor.store.reads.overlay import lines

if TYPE_CHECKING:
    from auditor.domain.control import Check, Library

_BATCH = 500


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


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One line of a list. ``state`` is the effective one; ``laid_over`` says that coverage, not the verdict, decides it."""

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
    endpoint_url: str | None
    resource_id: UUID


@dataclass(frozen=True, slots=True)
class FindingPage:
    """A page of a list: its rows, where the next one begins (none at the end), and the tally of the whole filter."""

    rows: tuple[FindingRow, ...]
    after: str | None
    tally: Tally
    total: int


def findings(
    conn: sa.Connection, library: Library, asked: FindingFilter, as_of: datetime, *, after: str | None, limit: int
) -> FindingPage:
    """The rows that follow ``after``, the gravest checks first, then by check and resource.

    Raises:
        ValueError: ``after`` or a field of the filter is not what a link of ours would hold.
    """
    query, line, rank = _select(conn, library, asked, as_of)
    states = _states(conn, library, asked, as_of)
    if after is not None:
        query = query.where(sa.tuple_(rank, line.check_id, line.finding_id) > sa.tuple_(*_mark(after)))
    rows = conn.execute(query.limit(limit + 1)).all()
    found = tuple(_row(row) for row in rows[:limit])
    more = len(rows) > limit
    following = f"{rows[limit - 1].rank}.{found[-1].check}.{found[-1].id}" if more else None
    tally = Tally.of({state: n for state, n in states.items() if not asked.state or state == asked.state})
    return FindingPage(found, following, tally, tally.judged + tally.not_applicable)


def all_findings(
    conn: sa.Connection, library: Library, asked: FindingFilter, as_of: datetime
) -> tuple[int, Iterator[FindingRow]]:
    """How many rows the filter has, and the rows themselves, read in batches while they are written out.

    Both come from the connection's transaction: open it REPEATABLE READ, or a run may write between count and rows.
    """
    states = _states(conn, library, asked, as_of)
    total = sum(n for state, n in states.items() if not asked.state or state == asked.state)
    query, _, _ = _select(conn, library, asked, as_of)

    def rows() -> Iterator[FindingRow]:
        result = conn.execution_options(yield_per=_BATCH).execute(query)
        for row in result:
            yield _row(row)

    return total, rows()


def states(conn: sa.Connection, library: Library, asked: FindingFilter, as_of: datetime) -> dict[str, int]:
    """How many findings stand in each state under the other fields of a filter: the counts on its chips."""
    return _states(conn, library, asked, as_of)


def _states(conn: sa.Connection, library: Library, asked: FindingFilter, as_of: datetime) -> dict[str, int]:
    line = lines(conn, library, as_of).c
    query = sa.select(line.shown, sa.func.count()).where(*_where(library, asked, line))
    if asked.q:
        query = query.join(db.resource, db.resource.c.resource_id == line.resource_id).where(_named(asked.q, line))
    return {state: int(n) for state, n in conn.execute(query.group_by(line.shown))}


def _select(
    conn: sa.Connection, library: Library, asked: FindingFilter, as_of: datetime, *, gone: bool = False
) -> tuple[sa.Select[Any], Any, sa.ColumnElement[int]]:
    line = lines(conn, library, as_of, gone=gone).c
    rank: sa.ColumnElement[int] = sa.case(
        {"critical": 0, "high": 1, "medium": 2, "low": 3}, value=line.severity, else_=4
    ) + sa.case({"fail": 0, "unknown": 10, "pass": 20}, value=line.shown, else_=30)
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
            db.source.c.endpoint_url,
            line.resource_id,
            rank.label("rank"),
        )
        .join(db.resource, db.resource.c.resource_id == line.resource_id)
        .join(db.source, db.source.c.source_id == line.source_id)
        .where(*_where(library, asked, line))
        .order_by(rank, line.check_id, line.finding_id)
    )
    if asked.state:
        query = query.where(line.shown == asked.state)
    if asked.q:
        query = query.where(_named(asked.q, line))
    return query, line, rank


def _where(library: Library, asked: FindingFilter, line: Any) -> list[sa.ColumnElement[bool]]:
    """Everything but the state, which chips count across, and the search, which needs the resource's row."""
    conditions: list[sa.ColumnElement[bool]] = []
    for column, value in (
        (line.severity, asked.severity),
        (line.tier, asked.tier),
        (line.control_id, asked.control),
        (line.check_id, asked.check),
        (line.region, asked.region),
        (line.resource_type, asked.resource_type),
    ):
        if value:
            conditions.append(column == value)
    if asked.source:
        conditions.append(line.source_id == UUID(asked.source))
    if asked.framework or asked.requirement or asked.strength:
        chosen = [check.id for check in library.checks if _serves(check, asked)]
        conditions.append(line.check_id == sa.any_(sa.cast(chosen, sa.ARRAY(sa.Text))))
    return conditions


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


def finding(conn: sa.Connection, library: Library, id_: UUID, as_of: datetime) -> FindingDetail | None:
    """One finding as it stands, ``absent`` if its resource is gone; none if this tenant has none of that id."""
    query, line, _ = _select(conn, library, FindingFilter(), as_of, gone=True)
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
    kept = db.evidence_span.c
    seen = conn.execute(
        sa.select(*kept, db.evidence.c.digest, db.evidence.c.type_version, db.evidence.c.bytes)
        .join(db.evidence, db.evidence.c.evidence_id == kept.evidence_id)
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
    return FindingDetail(row, span._asdict(), seen._asdict() if seen is not None else None, last_look_at)
