"""Connected sources, their scope and their schedule."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.dialects.postgresql import insert

from auditor.domain.errors import TenancyError
from auditor.domain.scope import Scope
from auditor.domain.source import ClusterAccess, Source
from auditor.store import schema
from auditor.store.noting import LedgerRows
from auditor.store.reads.scope import ScopeVersion, namespaces, scopes

# Who was disconnected comes back under its own id, with its history; anybody else of that account is refused.
_AGAIN = """
UPDATE source SET name = :name, role_arn = :role_arn, external_id = :external_id, profile = :profile,
    endpoint_url = :endpoint_url, answered_by = :answered_by, access = CAST(:access AS jsonb), secret_sealed = :secret_sealed, regions = :regions, every_seconds = :every_seconds, pinned = :pinned,
    disconnected_at = NULL, disconnected_by = NULL, disconnect_reason = NULL
WHERE kind = :kind AND account = :account AND source_id = :source_id AND disconnected_at IS NOT NULL
RETURNING source_id
"""
_DUE = """
INSERT INTO schedule (tenant_id, source_id, due_at, every_seconds) VALUES (:tenant, :source, :now, :every)
ON CONFLICT (tenant_id, source_id) DO UPDATE SET due_at = excluded.due_at, every_seconds = excluded.every_seconds
"""


class SourceRows(LedgerRows):
    """What is looked at, and which part of it."""

    def add_source(
        self,
        source: Source,
        scope: Scope,
        *,
        regions: Sequence[str],
        every: float,
        now: datetime,
        pinned: bool = False,
        by: str = "connect",
    ) -> None:
        """Connect a source, due at once and then each ``every`` seconds; one that was disconnected goes on as itself.

        ``pinned`` says that somebody named the regions: those that are switched on later are not added.

        Raises:
            TenancyError: The source names another tenant, or its account is connected already.
        """
        if source.tenant != self._tenant:
            raise TenancyError("the source names another tenant than the one whose store is open")
        row = {
            "tenant_id": self._tenant,
            "source_id": source.id,
            "kind": source.kind,
            "account": source.account,
            "name": source.name,
            "partition": source.partition,
            "role_arn": source.role_arn,
            "external_id": source.external_id,
            "profile": source.profile,
            "endpoint_url": source.endpoint_url,
            "answered_by": source.stand_in,
            "access": {} if source.access is None else source.access.as_json(),
            "secret_sealed": source.secret_sealed,
            "regions": list(regions),
            "every_seconds": int(every),
            "created_at": now,
            "pinned": pinned,
        }
        added = insert(schema.source).values(row).on_conflict_do_nothing().returning(schema.source.c.source_id)
        if self._connection.execute(added).one_or_none() is not None:
            self._keep_scope(source.id, scope, now=now, by=by, reason="as connected")
        elif self._one(_AGAIN, **_again(row)) is None:
            noun = "cluster" if source.kind == "kubernetes" else "aws account"
            raise TenancyError(f"{noun} {source.account} is connected already")
        self._run(_DUE, source=source.id, now=now, every=int(every))

    def sources(self) -> tuple[Source, ...]:
        """Every connected source, by name; disconnected ones are kept and not among them."""
        rows = self._run("SELECT * FROM source WHERE disconnected_at IS NULL ORDER BY name, source_id")
        return tuple(_source(row) for row in rows)

    def source(self, id: UUID) -> Source:  # noqa: A002  (the port's word)
        """One source, disconnected or not.

        Raises:
            TenancyError: There is none of that id here.
        """
        row = self._one("SELECT * FROM source WHERE source_id = :id", id=id)
        if row is None:
            raise TenancyError(f"no source {id}")
        return _source(row)

    def scope(self, source: UUID) -> Scope:
        """The scope in force.

        Raises:
            TenancyError: There is no such source here.
        """
        row = self._one(
            "SELECT version, rule FROM scope WHERE source_id = :id ORDER BY version DESC LIMIT 1", id=source
        )
        if row is None:
            raise TenancyError(f"no source {source}")
        return Scope.of_rule(row.version, row.rule)

    def hold_scope(self, source: UUID) -> Scope:
        """The scope in force, which nobody changes until this transaction ends. Ask before the unit: so does a change."""
        self._lock("scope", str(source), shared=True)
        return self.scope(source)

    def scopes(self, source: UUID) -> tuple[ScopeVersion, ...]:
        """Every version of the scope with who and why, the one in force first."""
        return scopes(self._connection, source)

    def namespaces(self, source: UUID) -> tuple[str, ...] | None:
        """The namespaces that the last runs over a cluster saw; none for an account, which has none."""
        return namespaces(self._connection, source) if self.source(source).kind == "kubernetes" else None

    def regions(self, source: UUID) -> tuple[str, ...]:
        """The regions that runs of this source look at: those it has, as far as its scope holds them."""
        scope = self.scope(source)
        return tuple(region for region in self.all_regions(source) if scope.has_region(region))

    def all_regions(self, source: UUID) -> tuple[str, ...]:
        """Every region that the source has, in scope or not.

        Raises:
            TenancyError: There is no such source here.
        """
        row = self._one("SELECT regions FROM source WHERE source_id = :id", id=source)
        if row is None:
            raise TenancyError(f"no source {source}")
        return tuple(row.regions)

    def pinned(self, source: UUID) -> bool:
        """Whether somebody named the regions, so that runs do not follow what is switched on."""
        return bool(self._run("SELECT pinned FROM source WHERE source_id = :id", id=source).scalar_one())

    def set_regions(self, source: UUID, regions: Sequence[str], *, pinned: bool, by: str, now: datetime) -> bool:
        """Say which regions a source has, from its next run on; false if it has just these. The scope stands over them.

        A region that went is not forgotten: what was found there ages, and is unknown in the end.
        """
        # No key: whoever writes a row that refers to the source holds its key, and may wait for a lock that we hold.
        before = self._one("SELECT regions, pinned FROM source WHERE source_id = :id FOR NO KEY UPDATE", id=source)
        if before is None:
            raise TenancyError(f"no source {source}")
        wanted = sorted(set(regions))
        if (sorted(before.regions), before.pinned) == (wanted, pinned):
            return False
        self._run(
            "UPDATE source SET regions = :regions, pinned = :pinned WHERE source_id = :id",
            id=source,
            regions=wanted,
            pinned=pinned,
        )
        told = {"before": list(before.regions), "after": wanted, "pinned": pinned}
        self.act(by, "source.regions", str(source), told, now=now)
        return True

    def renew_secret(self, source: UUID, access: ClusterAccess, sealed: bytes, *, by: str, now: datetime) -> None:
        """Ask with another token from now on.

        Raises:
            TenancyError: There is no cluster of that id here that is asked with a token.
        """
        changed = self._run(
            "UPDATE source SET access = CAST(:access AS jsonb), secret_sealed = :sealed "
            "WHERE source_id = :id AND kind = 'kubernetes' AND secret_sealed IS NOT NULL",
            id=source,
            access=json.dumps(access.as_json()),
            sealed=sealed,
        )
        if not changed.rowcount:
            raise TenancyError(f"no cluster {source} is asked with a token")
        ends = None if access.expires_at is None else access.expires_at.isoformat()
        self.act(by, "source.token", str(source), {"expires_at": ends}, now=now)

    def name_certificates(self, source: UUID, access: ClusterAccess, *, by: str, now: datetime) -> None:
        """Read these Secrets for the days of their certificates from the next run on, and no others.

        Raises:
            TenancyError: There is no cluster of that id here.
        """
        changed = self._run(
            "UPDATE source SET access = CAST(:access AS jsonb) WHERE source_id = :id AND kind = 'kubernetes'",
            id=source,
            access=json.dumps(access.as_json()),
        )
        if not changed.rowcount:
            raise TenancyError(f"no cluster {source}")
        self.act(by, "source.certificates", str(source), {"certificates": list(access.certificates)}, now=now)

    def _keep_scope(self, source: UUID, scope: Scope, *, now: datetime, by: str, reason: str) -> None:
        row = {"source_id": source, "version": scope.version, "rule": scope.as_rule(), "valid_from": now}
        self._insert(schema.scope, [{**row, "changed_by": by, "reason": reason}])


def _again(row: dict[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in row.items() if f":{name}" in _AGAIN}
    return {**told, "access": json.dumps(row["access"])}


def _source(row: Row[Any]) -> Source:
    return Source(
        tenant=row.tenant_id,
        id=row.source_id,
        kind=row.kind,
        account=row.account,
        name=row.name,
        partition=row.partition,
        role_arn=row.role_arn,
        external_id=row.external_id,
        profile=row.profile,
        endpoint_url=row.endpoint_url,
        answered_by=row.answered_by,
        access=ClusterAccess.of_json(row.access),
        secret_sealed=row.secret_sealed,
    )
