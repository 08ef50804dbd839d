"""Connected sources, their scope and their schedule."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.dialects.postgresql import insert

from auditor.domain.errors import TenancyError
from auditor.domain.scope import Scope
from auditor.domain.source import Source
from auditor.store import schema
from auditor.store.scoped import Scoped


class SourceRows(Scoped):
    """What is looked at, and which part of it."""

    def add_source(self, source: Source, scope: Scope, *, regions: Sequence[str], every: float, now: datetime) -> None:
        """Connect a source, due at once and then each ``every`` seconds.

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
            "regions": list(regions),
            "every_seconds": int(every),
            "created_at": now,
        }
        added = insert(schema.source).values(row).on_conflict_do_nothing().returning(schema.source.c.source_id)
        if self._connection.execute(added).one_or_none() is None:
            raise TenancyError(f"{source.kind} account {source.account} is connected already")
        self._keep_scope(source.id, scope, now=now, by="connect", reason="as connected")
        self._run(
            "INSERT INTO schedule (tenant_id, source_id, due_at, every_seconds) VALUES (:tenant, :source, :now, :every)",
            source=source.id,
            now=now,
            every=int(every),
        )

    def sources(self) -> tuple[Source, ...]:
        """Every connected source, by name."""
        return tuple(_source(row) for row in self._run("SELECT * FROM source ORDER BY name, source_id"))

    def source(self, id: UUID) -> Source:  # noqa: A002  (the port's word)
        """One source.

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
        lists = {name: tuple(row.rule.get(name, ())) for name in ("regions", "services", "frameworks")}
        return Scope(version=row.version, **lists)

    def regions(self, source: UUID) -> tuple[str, ...]:
        """The regions that runs of this source look at."""
        row = self._one("SELECT regions FROM source WHERE source_id = :id", id=source)
        if row is None:
            raise TenancyError(f"no source {source}")
        return tuple(row.regions)

    def _keep_scope(self, source: UUID, scope: Scope, *, now: datetime, by: str, reason: str) -> None:
        rule = {"regions": scope.regions, "services": scope.services, "frameworks": scope.frameworks}
        row = {"source_id": source, "version": scope.version, "rule": rule, "valid_from": now}
        self._insert(schema.scope, [{**row, "changed_by": by, "reason": reason}])


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
    )
