"""RDS snapshots of instances and of clusters: whether they are encrypted, and who may restore them.

Cluster snapshots of document and graph databases come with the same listing and are judged here too: no other
service lists them. Automated snapshots cannot be shared, so nobody is asked who shares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditor.domain.reading import Reading, Readings, Seen
from auditor.domain.resource_type import Listing, Read, ResourceType

EVERYBODY = "all"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot; ``shared_with`` names accounts, or ``all``, and is null where sharing is impossible."""

    name: Reading[str]
    engine: Reading[str]
    kind: Reading[str]
    encrypted: Reading[bool]
    shared_with: Reading[tuple[str, ...] | None]
    public: Reading[bool]


def _can_be_shared(seen: Readings) -> bool:
    return seen["SnapshotType"].map(lambda kind: kind != "automated") == Seen(value=True)


snapshot = ResourceType(
    "aws.rds.snapshot",
    version=1,
    title="RDS snapshot",
    listing=Listing(
        "rds:describe_db_snapshots",
        items="DBSnapshots",
        id="DBSnapshotArn",
        keep=("DBSnapshotArn", "DBSnapshotIdentifier", "Engine", "SnapshotType", "Encrypted"),
    ),
    details={
        "sharing": Read(
            "rds:describe_db_snapshot_attributes",
            DBSnapshotIdentifier="{DBSnapshotIdentifier}",
            when=_can_be_shared,
            keep=(
                "DBSnapshotAttributesResult.DBSnapshotAttributes[].AttributeName",
                "DBSnapshotAttributesResult.DBSnapshotAttributes[].AttributeValues",
            ),
        ),
    },
)

cluster_snapshot = ResourceType(
    "aws.rds.cluster_snapshot",
    version=1,
    title="RDS cluster snapshot",
    listing=Listing(
        "rds:describe_db_cluster_snapshots",
        items="DBClusterSnapshots",
        id="DBClusterSnapshotArn",
        keep=("DBClusterSnapshotArn", "DBClusterSnapshotIdentifier", "Engine", "SnapshotType", "StorageEncrypted"),
    ),
    details={
        "sharing": Read(
            "rds:describe_db_cluster_snapshot_attributes",
            DBClusterSnapshotIdentifier="{DBClusterSnapshotIdentifier}",
            when=_can_be_shared,
            keep=(
                "DBClusterSnapshotAttributesResult.DBClusterSnapshotAttributes[].AttributeName",
                "DBClusterSnapshotAttributesResult.DBClusterSnapshotAttributes[].AttributeValues",
            ),
        ),
    },
)


@snapshot.document
def describe_snapshot(seen: Readings) -> Snapshot:
    """The instance snapshot with those who may restore it."""
    return _snapshot(seen, name="DBSnapshotIdentifier", encrypted="Encrypted", attributes="DBSnapshotAttributes")


@cluster_snapshot.document
def describe_cluster_snapshot(seen: Readings) -> Snapshot:
    """The cluster snapshot with those who may restore it."""
    return _snapshot(
        seen,
        name="DBClusterSnapshotIdentifier",
        encrypted="StorageEncrypted",
        attributes="DBClusterSnapshotAttributes",
    )


def _snapshot(seen: Readings, *, name: str, encrypted: str, attributes: str) -> Snapshot:
    shared = seen["sharing"].map(lambda answer: None if answer is None else _restorers(answer, attributes))
    return Snapshot(
        name=seen[name],
        engine=seen["Engine"],
        kind=seen["SnapshotType"],
        encrypted=seen[encrypted].map(bool),
        shared_with=shared,
        public=shared.map(lambda accounts: EVERYBODY in (accounts or ())),
    )


def _restorers(answer: Mapping[str, Any], attributes: str) -> tuple[str, ...]:
    rows = (answer.get(f"{attributes}Result") or {}).get(attributes) or ()
    return tuple(
        sorted(who for row in rows if row.get("AttributeName") == "restore" for who in row.get("AttributeValues") or ())
    )
