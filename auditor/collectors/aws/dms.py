"""DMS replication instances: hosts that hold whole databases while they move."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.collectors.aws._answers import told
from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Listing, ResourceType


@dataclass(frozen=True, slots=True)
class ReplicationInstance:
    """A migration host and whether it has a public address."""

    name: Reading[str]
    public: Reading[bool]


replication_instance = ResourceType(
    "aws.dms.replication_instance",
    version=1,
    title="DMS replication instance",
    listing=Listing(
        "dms:describe_replication_instances",
        items="ReplicationInstances",
        id="ReplicationInstanceArn",
        keep=("ReplicationInstanceArn", "ReplicationInstanceIdentifier", "PubliclyAccessible"),
    ),
)


@replication_instance.document
def describe_replication_instance(seen: Readings) -> ReplicationInstance:
    """The host as listed."""
    return ReplicationInstance(
        name=seen["ReplicationInstanceIdentifier"],
        public=told(seen["PubliclyAccessible"], "PubliclyAccessible"),
    )
