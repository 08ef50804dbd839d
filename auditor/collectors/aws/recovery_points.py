"""When the data stores of a region were made and last copied: snapshots, logs, backups of tables, copies by AWS Backup.

The calls are those that other types make as well; here only times are kept, since they change at every look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from auditor.collectors.aws._ec2 import Item, parts
from auditor.domain.reading import Reading, Readings, Unseen
from auditor.domain.resource_type import Read, ResourceType


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened to a store, which is named as in the last part of its ARN (``volume/vol-1``)."""

    store: str
    at: datetime


Moments: TypeAlias = tuple[Moment | Unseen, ...]


@dataclass(frozen=True, slots=True)
class RecoveryPoints:
    """A region's stores: when made, and to which moments they can be brought back.

    ``databases``, ``clusters``, ``volumes`` and ``tables`` hold the recovery points of that kind of store, ``copies`` those
    that AWS Backup made, under the whole ARN. What hides some of them closes the list.
    """

    name: str
    made: Moments
    databases: Moments
    clusters: Moments
    volumes: Moments
    tables: Moments
    copies: Moments


def _latest(listed: str, store: str, *times: str, done: tuple[str, str]) -> Callable[[Item], Iterator[Item]]:
    """Of each page the last finished copy per store: nobody asks for those before it."""
    field, word = done

    def items(page: Item) -> Iterator[Item]:
        found: dict[str, Any] = {}
        for copy in page.get(listed, ()):
            at = next((copy[name] for name in times if copy.get(name)), None)
            name = copy.get(store)
            if at and name and str(copy.get(field, "")).lower() == word:
                found[name] = max(at, found.get(name, at))
        return ({"Store": name, "At": at} for name, at in sorted(found.items()))

    return items


recovery_points = ResourceType(
    "aws.backup.points",
    version=3,
    title="Recovery points of a region",
    details={
        "instances": Read(
            "rds:describe_db_instances",
            items="DBInstances",
            keep=("DBInstanceIdentifier", "InstanceCreateTime", "LatestRestorableTime"),
        ),
        "clusters": Read(
            "rds:describe_db_clusters",
            items="DBClusters",
            keep=("DBClusterIdentifier", "ClusterCreateTime", "LatestRestorableTime"),
        ),
        "instance_snapshots": Read(
            "rds:describe_db_snapshots",
            items=_latest(
                "DBSnapshots",
                "DBInstanceIdentifier",
                "OriginalSnapshotCreateTime",
                "SnapshotCreateTime",
                done=("Status", "available"),
            ),
            keep=("Store", "At"),
        ),
        "cluster_snapshots": Read(
            "rds:describe_db_cluster_snapshots",
            items=_latest(
                "DBClusterSnapshots", "DBClusterIdentifier", "SnapshotCreateTime", done=("Status", "available")
            ),
            keep=("Store", "At"),
        ),
        "volumes": Read("ec2:describe_volumes", items="Volumes", keep=("VolumeId", "CreateTime")),
        "volume_snapshots": Read(
            "ec2:describe_snapshots",
            OwnerIds=["self"],
            items=_latest("Snapshots", "VolumeId", "StartTime", done=("State", "completed")),
            keep=("Store", "At"),
        ),
        "table_backups": Read(
            "dynamodb:list_backups",
            BackupType="ALL",
            items=_latest("BackupSummaries", "TableName", "BackupCreationDateTime", done=("BackupStatus", "available")),
            keep=("Store", "At"),
        ),
        "copies": Read("backup:list_protected_resources", items="Results", keep=("ResourceArn", "LastBackupTime")),
    },
    volatile=(
        "instances[].LatestRestorableTime",
        "clusters[].LatestRestorableTime",
        "instance_snapshots[].At",
        "cluster_snapshots[].At",
        "volume_snapshots[].At",
        "table_backups[].At",
        "copies[].LastBackupTime",
    ),
)


@recovery_points.document
def describe_recovery_points(seen: Readings) -> RecoveryPoints:
    """Every moment under the store it belongs to; which of them counts is for the join to say."""
    return RecoveryPoints(
        name="Recovery points",
        made=(
            *_moments(seen["instances"], "db:", "DBInstanceIdentifier", "InstanceCreateTime"),
            *_moments(seen["clusters"], "cluster:", "DBClusterIdentifier", "ClusterCreateTime"),
            *_moments(seen["volumes"], "volume/", "VolumeId", "CreateTime"),
        ),
        databases=(
            *_moments(seen["instances"], "db:", "DBInstanceIdentifier", "LatestRestorableTime"),
            *_moments(seen["instance_snapshots"], "db:"),
        ),
        clusters=(
            *_moments(seen["clusters"], "cluster:", "DBClusterIdentifier", "LatestRestorableTime"),
            *_moments(seen["cluster_snapshots"], "cluster:"),
        ),
        volumes=_moments(seen["volume_snapshots"], "volume/"),
        tables=_moments(seen["table_backups"], "table/"),
        copies=_moments(seen["copies"], "", "ResourceArn", "LastBackupTime"),
    )


def _moments(rows: Reading[list[Any] | None], prefix: str, name: str = "Store", at: str = "At") -> Moments:
    known, hidden = parts(rows)
    found = tuple(Moment(f"{prefix}{row[name]}", row[at]) for row in known if row.get(at))
    return found if hidden is None else (*found, hidden)


def last_of(moments: Moments) -> tuple[Mapping[str, datetime], tuple[Unseen, ...]]:
    """The last moment of each store, and what may hide later ones."""
    last: dict[str, datetime] = {}
    hidden: list[Unseen] = []
    for moment in moments:
        if isinstance(moment, Unseen):
            hidden.append(moment)
        else:
            last[moment.store] = max(moment.at, last.get(moment.store, moment.at))
    return last, tuple(hidden)
