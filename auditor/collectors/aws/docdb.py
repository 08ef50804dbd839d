"""DocumentDB clusters, which the relational service lists among its own: one call serves both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auditor.collectors.aws._answers import number
from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Listing, ResourceType


@dataclass(frozen=True, slots=True)
class Cluster:
    """A document database with the settings that its instances share."""

    name: Reading[str]
    encrypted: Reading[bool]
    retention_days: Reading[int]


def clusters(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Only the document databases of the listing."""
    return (item for item in page.get("DBClusters", ()) if item.get("Engine") == "docdb")


cluster = ResourceType(
    "aws.docdb.cluster",
    version=1,
    title="DocumentDB cluster",
    listing=Listing(
        "rds:describe_db_clusters",
        items=clusters,
        id="DBClusterArn",
        keep=("DBClusterArn", "DBClusterIdentifier", "StorageEncrypted", "BackupRetentionPeriod"),
    ),
)


@cluster.document
def describe_cluster(seen: Readings) -> Cluster:
    """The cluster's settings as listed."""
    return Cluster(
        name=seen["DBClusterIdentifier"],
        encrypted=seen["StorageEncrypted"].map(bool),
        retention_days=seen["BackupRetentionPeriod"].map(number),
    )
