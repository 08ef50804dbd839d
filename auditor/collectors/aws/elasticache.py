"""ElastiCache replication groups: how they are encrypted, whom they ask for a name, and whether copies are kept.

Groups of one node stand here too. Memcached and single nodes outside any group have none of these settings.
"""

from __future__ import annotations

from dataclasses import dataclass

from auditor.collectors.aws._answers import number
from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Listing, ResourceType


@dataclass(frozen=True, slots=True)
class ReplicationGroup:
    """A cache as the service lists it; ``transit_mode`` is null where TLS is off, or on for everybody."""

    name: Reading[str]
    encrypted: Reading[bool]
    transit_encrypted: Reading[bool]
    transit_mode: Reading[str | None]
    asks_for_token: Reading[bool]
    user_groups: Reading[tuple[str, ...]]
    retention_days: Reading[int]


replication_group = ResourceType(
    "aws.elasticache.replication_group",
    version=1,
    title="ElastiCache replication group",
    listing=Listing(
        "elasticache:describe_replication_groups",
        items="ReplicationGroups",
        id="arn:{partition}:elasticache:{region}:{account}:replicationgroup:{ReplicationGroupId}",
        keep=(
            "ReplicationGroupId",
            "AtRestEncryptionEnabled",
            "TransitEncryptionEnabled",
            "TransitEncryptionMode",
            "AuthTokenEnabled",
            "UserGroupIds",
            "SnapshotRetentionLimit",
        ),
    ),
)


@replication_group.document
def describe_replication_group(seen: Readings) -> ReplicationGroup:
    """The group's settings; the service leaves out what was never switched on."""
    return ReplicationGroup(
        name=seen["ReplicationGroupId"],
        encrypted=seen["AtRestEncryptionEnabled"].map(bool),
        transit_encrypted=seen["TransitEncryptionEnabled"].map(bool),
        transit_mode=seen["TransitEncryptionMode"].map(lambda mode: mode or None),
        asks_for_token=seen["AuthTokenEnabled"].map(bool),
        user_groups=seen["UserGroupIds"].map(lambda groups: tuple(groups or ())),
        retention_days=seen["SnapshotRetentionLimit"].map(number),
    )
