"""The ids that rows are kept under: each is derived from its natural key, so that writing twice writes one row."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from auditor.domain.source import public_id


def resource_id(tenant: UUID, source: UUID, resource_type: str, native_id: str) -> UUID:
    """A resource, as its source names it."""
    return public_id(tenant, "resource", str(source), resource_type, native_id)


def finding_id(tenant: UUID, source: UUID, check: str, native_id: str) -> UUID:
    """A check's thread over a resource."""
    return public_id(tenant, "finding", str(source), check, native_id)


def evidence_id(tenant: UUID, digest: str) -> UUID:
    """A content, once per tenant."""
    return public_id(tenant, "evidence", digest)


def run_id(tenant: UUID, source: UUID, slot: datetime) -> UUID:
    """A source's pass for a slot of its grid."""
    return public_id(tenant, "run", str(source), slot.astimezone(UTC).isoformat())


def delivery_id(tenant: UUID, webhook: UUID, event: UUID) -> UUID:
    """An event on its way to one webhook."""
    return public_id(tenant, "delivery", str(webhook), str(event))
