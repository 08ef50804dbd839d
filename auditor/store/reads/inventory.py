"""Completeness: accounts that organisations list and clusters that AWS lists, held against what is connected and what is left out.

Guards the rule that a number of missing accounts says nothing by itself: it stands beside every posture together with the
accounts for which nobody could be asked, since what is not listed cannot be missed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

import sqlalchemy as sa

from auditor.domain.finding import FOREVER
from auditor.domain.scope import EKS_CLUSTER, INVENTORY, ORGANISATION_ACCOUNT
from auditor.store import schema as db
from auditor.store.reads.overlay import FRESH, Looked, looks

Standing: TypeAlias = Literal["connected", "left_out", "missing"]
STANDINGS: tuple[Standing, ...] = ("missing", "left_out", "connected")

ALONE = "The account belongs to no organisation that could list others"
NEVER = "Nobody asked yet; the next run does"
NOT_ALLOWED = (
    "The account may not list its organisation, which is usual for a member: connect the management account, "
    "or one that it delegates to"
)
NOT_IN_ACCOUNTS = "Listing clusters is out of reach in"


@dataclass(frozen=True, slots=True)
class Listed:
    """An account or cluster that somebody lists, and how it stands. ``by`` and ``why`` say who left it out for which reason.

    ``group`` is the organisation's id, or the account that a cluster runs in. ``resource`` is what listed it.
    """

    kind: str
    id: str
    group: str
    region: str
    standing: Standing
    listed_by: str
    listed_at: datetime
    source: UUID | None = None
    source_name: str = ""
    by: str = ""
    why: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A connected account for which nobody could say which other accounts there are, and why."""

    source: UUID
    name: str
    account: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A decision that stands: something is not connected on purpose, whether or not it is listed now."""

    kind: str
    id: str
    by: str
    why: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Inventory:
    """What there is by every listing that could be asked, and where none could."""

    accounts: tuple[Listed, ...]
    clusters: tuple[Listed, ...]
    unlisted: tuple[Unlisted, ...]
    unseen_clusters: tuple[Unlisted, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def established(self) -> bool:
        """Whether every connected account stands in a list that was complete and is fresh."""
        return not self.unlisted

    @property
    def missing_accounts(self) -> int:
        """Listed accounts that are neither connected nor left out."""
        return sum(one.standing == "missing" for one in self.accounts)

    @property
    def missing_clusters(self) -> int:
        """Listed clusters that are neither connected nor left out."""
        return sum(one.standing == "missing" for one in self.clusters)

    @property
    def missing(self) -> int:
        """Everything listed that nobody connected and nobody left out."""
        return self.missing_accounts + self.missing_clusters

    def count(self, listed: Iterable[Listed]) -> dict[str, int]:
        """How many stand how."""
        rows = tuple(listed)
        return {word: sum(one.standing == word for one in rows) for word in STANDINGS}


def inventory(conn: sa.Connection, as_of: datetime) -> Inventory:
    """The inventory from the latest listings."""
    source = db.source.c
    known = conn.execute(
        sa.select(source.source_id, source.kind, source.account, source.name)
        .where(source.disconnected_at.is_(None))
        .order_by(source.name, source.account)
    ).all()
    decided = _left_out(conn)
    connected = {(one.kind, one.account): (one.source_id, one.name) for one in known}
    seen = _seen(conn, connected, {(one.kind, one.id): one for one in decided})
    latest: dict[tuple[UUID, str], list[Looked]] = {}
    for look in looks(conn, as_of):
        if look.resource_type in INVENTORY:
            latest.setdefault((look.source, look.resource_type), []).append(look)
    listed_lately = {one.id for one in seen if one.kind == "aws" and as_of - one.listed_at <= FRESH}
    unlisted, unseen = [], []
    for one in known:
        if one.kind != "aws":
            continue
        told = _unlisted(latest.get((one.source_id, ORGANISATION_ACCOUNT), []), as_of)
        if told is not None and one.account not in listed_lately:
            unlisted.append(Unlisted(one.source_id, one.name, one.account, *told))
        short = [look for look in latest.get((one.source_id, EKS_CLUSTER), []) if not _complete(look, as_of)]
        if short:
            places = ", ".join(look.place for look in short)
            unseen.append(
                Unlisted(one.source_id, one.name, one.account, f"{NOT_IN_ACCOUNTS} {places}", short[0].detail)
            )
    return Inventory(
        accounts=tuple(one for one in seen if one.kind == "aws"),
        clusters=tuple(one for one in seen if one.kind == "kubernetes"),
        unlisted=tuple(unlisted),
        unseen_clusters=tuple(unseen),
        left_out=decided,
    )


def _complete(look: Looked, as_of: datetime) -> bool:
    return look.state in {"ok", "unsupported"} and as_of - look.last_at <= FRESH


def _unlisted(told: list[Looked], as_of: datetime) -> tuple[str, str] | None:
    """Why a source's own listing establishes nothing; none if it does."""
    if not told:
        return NEVER, ""
    look = told[0]
    if look.state == "unsupported" or (look.state == "ok" and not look.listed):
        return ALONE, look.detail
    if look.state == "denied":
        return NOT_ALLOWED, look.detail
    if look.state != "ok":
        return "The listing failed", look.detail
    if as_of - look.last_at > FRESH:
        return "The listing is too old", ""
    return None


def _left_out(conn: sa.Connection) -> tuple[LeftOut, ...]:
    left = db.left_out.c
    rows = conn.execute(
        sa.select(left.kind, left.native_id, left.decided_by, left.reason, left.valid_from)
        .where(left.valid_to == FOREVER)
        .order_by(left.kind, left.native_id)
    )
    return tuple(LeftOut(*tuple(row)) for row in rows)


def _seen(
    conn: sa.Connection, connected: dict[tuple[str, str], tuple[UUID, str]], decided: dict[tuple[str, str], LeftOut]
) -> tuple[Listed, ...]:
    """What the open evidence of the inventory types shows; two sources of one organisation list each account once."""
    resource, span, look, source = db.resource.c, db.evidence_span.c, db.coverage_span.c, db.source.c
    exclusion = db.exclusion.c
    rows = conn.execute(
        sa.select(
            resource.type,
            resource.native_id,
            resource.region,
            source.name,
            sa.func.greatest(span.last_at, look.last_at).label("listed_at"),
            exclusion.reason,
            exclusion.valid_from,
        )
        .select_from(db.resource)
        .join(db.evidence_span, (span.resource_id == resource.resource_id) & (span.valid_to == FOREVER))
        .join(db.source, (source.source_id == resource.source_id) & source.disconnected_at.is_(None))
        .outerjoin(
            db.coverage_span,
            (look.source_id == resource.source_id)
            & (look.place == span.place)
            & (look.resource_type == resource.type)
            & (look.valid_to == FOREVER)
            & (look.state == "ok"),
        )
        .outerjoin(db.exclusion, (exclusion.resource_id == resource.resource_id) & (exclusion.valid_to == FOREVER))
        .where(resource.type.in_(INVENTORY))
        .order_by(resource.type, resource.native_id, sa.literal_column("listed_at"))
    )
    found: dict[tuple[str, str], Listed] = {}
    for row in rows:
        kind, id_, group = _named(row.type, row.native_id)
        source_id, name = connected.get((kind, id_), (None, ""))
        left = decided.get((kind, id_))
        by, why, since = ("", "", None) if left is None else (left.by, left.why, left.since)
        if left is None and row.reason is not None:
            by, why, since = "scope", row.reason, row.valid_from
        standing: Standing = "connected" if source_id else "left_out" if why else "missing"
        found[kind, id_] = Listed(
            kind=kind,
            id=id_,
            group=group,
            region=row.region if kind == "kubernetes" else "",
            standing=standing,
            listed_by=row.name,
            listed_at=row.listed_at,
            source=source_id,
            source_name=name,
            by=by,
            why=why,
            since=since,
        )
    return tuple(sorted(found.values(), key=lambda one: (one.kind, one.group, STANDINGS.index(one.standing), one.id)))


def _named(resource_type: str, native_id: str) -> tuple[str, str, str]:
    """Kind, the id that people and sources use, and what it belongs to, from an ARN of any partition."""
    if resource_type == ORGANISATION_ACCOUNT:
        _, organisation, account = native_id.rsplit("/", 2)
        return "aws", account, organisation
    return "kubernetes", native_id, native_id.split(":")[4]
