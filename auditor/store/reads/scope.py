"""A source's scope as people follow it: each version with who and why, and what another one would do to the findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from auditor.domain.finding import FOREVER
from auditor.domain.scope import Scope
from auditor.domain.scope_change import Candidate, ScopePreview
from auditor.domain.scope_change import preview as previewed
from auditor.store import schema as db


@dataclass(frozen=True, slots=True)
class ScopeVersion:
    """A scope, since when it holds, and who decided it for which reason."""

    scope: Scope
    valid_from: datetime
    by: str
    reason: str


def scopes(conn: sa.Connection, source: UUID) -> tuple[ScopeVersion, ...]:
    """Every version of a source's scope, the one in force first; none for a source that is not there."""
    kept = db.scope.c
    rows = conn.execute(
        sa.select(kept.version, kept.rule, kept.valid_from, kept.changed_by, kept.reason)
        .where(kept.source_id == source)
        .order_by(kept.version.desc())
    ).all()
    return tuple(
        ScopeVersion(
            Scope.of_rule(row.version, row.rule),
            row.valid_from,
            row.changed_by,
            row.reason,
        )
        for row in rows
    )


def in_force(conn: sa.Connection, as_of: datetime) -> dict[UUID, ScopeVersion]:
    """The scope of each source that held at an instant."""
    kept = db.scope.c
    rows = conn.execute(
        sa.select(kept.source_id, kept.version, kept.rule, kept.valid_from, kept.changed_by, kept.reason)
        .where(kept.valid_from <= as_of)
        .order_by(kept.source_id, kept.version)
    )
    return {
        row.source_id: ScopeVersion(Scope.of_rule(row.version, row.rule), row.valid_from, row.changed_by, row.reason)
        for row in rows
    }


def outside(conn: sa.Connection, as_of: datetime) -> Callable[[UUID, str, str], tuple[str, datetime] | None]:
    """Why nothing of a source, check and place is audited as of an instant, and since when; none if it is.

    A run that was under way as the scope changed may still have written verdicts: this lies over them.
    """
    kept = in_force(conn, as_of)
    source = db.source.c
    gone = {
        row.source_id: (f"source disconnected by {row.disconnected_by}: {row.disconnect_reason}", row.disconnected_at)
        for row in conn.execute(
            sa.select(source.source_id, source.disconnected_at, source.disconnected_by, source.disconnect_reason).where(
                source.disconnected_at <= as_of
            )
        )
    }

    def why(source_id: UUID, check: str, place: str) -> tuple[str, datetime] | None:
        if source_id in gone:
            return gone[source_id]
        version = kept.get(source_id)
        reason = None if version is None else version.scope.leaves_out(check, place)
        if version is None or reason is None:
            return None
        return f"{reason} (scope version {version.scope.version})", version.valid_from

    return why


def standing(conn: sa.Connection, source: UUID) -> Iterator[Candidate]:
    """Every finding of a source whose resource is there, as a scope looks at it."""
    finding, resource, exclusion = db.finding.c, db.resource.c, db.exclusion.c
    # Three statements: before there are statistics, a join compares each with each.
    named = sa.select(resource.resource_id, resource.native_id).where(resource.source_id == source)
    called: dict[UUID, str] = {row.resource_id: row.native_id for row in conn.execute(named)}
    left = sa.select(exclusion.resource_id, exclusion.reason).where(
        exclusion.source_id == source, exclusion.valid_to == FOREVER
    )
    kept_out: dict[UUID, str] = {row.resource_id: row.reason for row in conn.execute(left)}
    rows = conn.execute(
        sa.select(
            finding.finding_id,
            finding.check_id,
            finding.place,
            finding.state,
            finding.resource_id,
            finding.about_place,
            finding.open,
        ).where(finding.source_id == source, finding.state != "absent")
    )
    for row in rows:
        yield Candidate(
            finding=row.finding_id,
            check=row.check_id,
            place=row.place,
            state=row.state,
            resource=called[row.resource_id],
            resource_id=row.resource_id,
            about_place=row.about_place,
            open=row.open or row.state == "fail",
            kept_out=kept_out.get(row.resource_id),
        )


def namespaces(conn: sa.Connection, source: UUID) -> tuple[str, ...]:
    """The namespaces of a cluster that its last runs saw, by name."""
    resource, span = db.resource.c, db.evidence_span.c
    named = conn.execute(
        sa.select(resource.native_id)
        .join(db.evidence_span, sa.and_(span.tenant_id == resource.tenant_id, span.resource_id == resource.resource_id))
        .where(resource.source_id == source, resource.type == "kubernetes.namespace", span.valid_to == FOREVER)
    )
    return tuple(sorted(str(row.native_id).removeprefix("/Namespace/") for row in named))


def preview(conn: sa.Connection, source: UUID, after: Scope) -> ScopePreview:
    """What a scope would do if it took the place of the one in force. The source must be there."""
    before = scopes(conn, source)[0].scope
    regions = conn.execute(sa.select(db.source.c.regions).where(db.source.c.source_id == source)).scalar_one()
    return previewed(before, after, standing(conn, source), tuple(regions))
