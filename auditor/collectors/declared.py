"""Every declared resource type, of every provider: what definitions are held against."""

from __future__ import annotations

from auditor.collectors import aws, kubernetes
from auditor.domain.resource_type import AnyType


def resource_types() -> tuple[AnyType, ...]:
    """All declared types, provider by provider, plain ones first."""
    return (*aws.resource_types(), *kubernetes.resource_types())
