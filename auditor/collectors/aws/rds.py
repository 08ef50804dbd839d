"""RDS instances and clusters as the service lists them; what an instance inherits from its cluster is in ``rds_databases``.

Document and graph databases share this service's listing but not its checks: they are left to their own services.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auditor.collectors.aws.rds_transport import TRANSPORT_PARAMETERS, family_of, refuses_plain
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import Listing, Read, ResourceType

ENVIRONMENT_TAGS = frozenset({"environment", "env", "stage"})
ONLY_TRANSPORT = [{"Name": "parameter-name", "Values": list(TRANSPORT_PARAMETERS)}]


@dataclass(frozen=True, slots=True)
class Instance:
    """A database instance with its own settings; ``refuses_plain`` is null where the cluster's parameters decide."""

    name: Reading[str]
    engine: Reading[str]
    engine_version: Reading[str]
    family: Reading[str]
    cluster: Reading[str | None]
    is_replica: Reading[bool]
    environment_tag: Reading[str | None]
    zone: Reading[str | None]
    encrypted: Reading[bool]
    public: Reading[bool]
    retention_days: Reading[int]
    multi_az: Reading[bool]
    deletion_protected: Reading[bool]
    minor_upgrades: Reading[bool]
    iam_auth: Reading[bool]
    logs: Reading[tuple[str, ...]]
    refuses_plain: Reading[bool | None]


@dataclass(frozen=True, slots=True)
class Cluster:
    """A database cluster with the settings that its members share."""

    name: Reading[str]
    engine: Reading[str]
    engine_version: Reading[str]
    encrypted: Reading[bool]
    retention_days: Reading[int]
    deletion_protected: Reading[bool]
    iam_auth: Reading[bool]
    logs: Reading[tuple[str, ...]]
    refuses_plain: Reading[bool]


def instances(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Relational instances, each with its parameter group and its environment tag (``key=value``) at hand."""
    for item in page.get("DBInstances", ()):
        if item.get("Engine") not in {"docdb", "neptune"}:
            group: Mapping[str, Any] = next(iter(item.get("DBParameterGroups") or ()), {})
            yield {
                **item,
                "ParameterGroup": group.get("DBParameterGroupName"),
                "ParameterStatus": group.get("ParameterApplyStatus"),
                "EnvironmentTag": _environment(item.get("TagList") or ()),
            }


def clusters(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Relational clusters."""
    return (item for item in page.get("DBClusters", ()) if item.get("Engine") not in {"docdb", "neptune"})


def transport_parameters(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The parameters that refuse plain connections, should the service answer with the others too."""
    return (item for item in page.get("Parameters", ()) if item.get("ParameterName") in TRANSPORT_PARAMETERS)


def _environment(tags: Iterable[Mapping[str, Any]]) -> str | None:
    named = (tag for tag in tags if str(tag.get("Key", "")).lower() in ENVIRONMENT_TAGS)
    return next((f"{tag['Key']}={str(tag.get('Value', '')).strip()}" for tag in named), None)


def _own_parameters_decide(seen: Readings) -> bool:
    """Members take the cluster's parameters; engines without such a parameter are not asked."""
    alone = seen["DBClusterIdentifier"].map(bool) == Seen(value=False)
    named = seen["ParameterGroup"].map(bool) == Seen(value=True)
    return alone and named and _has_parameter(seen)


def _has_parameter(seen: Readings) -> bool:
    return seen["Engine"].map(lambda engine: family_of(engine) != "other") == Seen(value=True)


instance = ResourceType(
    "aws.rds.instance",
    version=2,
    title="RDS instance",
    listing=Listing(
        "rds:describe_db_instances",
        items=instances,
        id="DBInstanceArn",
        keep=(
            "DBInstanceArn",
            "DBInstanceIdentifier",
            "DBClusterIdentifier",
            "Engine",
            "EngineVersion",
            "AvailabilityZone",
            "StorageEncrypted",
            "PubliclyAccessible",
            "BackupRetentionPeriod",
            "MultiAZ",
            "DeletionProtection",
            "AutoMinorVersionUpgrade",
            "IAMDatabaseAuthenticationEnabled",
            "EnabledCloudwatchLogsExports",
            "ReadReplicaSourceDBInstanceIdentifier",
            "ReadReplicaSourceDBClusterIdentifier",
            "ParameterGroup",
            "ParameterStatus",
            "EnvironmentTag",
        ),
    ),
    details={
        "parameters": Read(
            "rds:describe_db_parameters",
            DBParameterGroupName="{ParameterGroup}",
            Filters=ONLY_TRANSPORT,
            items=transport_parameters,
            when=_own_parameters_decide,
            keep=("ParameterName", "ParameterValue", "ApplyType"),
        ),
    },
)

cluster = ResourceType(
    "aws.rds.cluster",
    version=1,
    title="RDS cluster",
    listing=Listing(
        "rds:describe_db_clusters",
        items=clusters,
        id="DBClusterArn",
        keep=(
            "DBClusterArn",
            "DBClusterIdentifier",
            "Engine",
            "EngineVersion",
            "StorageEncrypted",
            "BackupRetentionPeriod",
            "DeletionProtection",
            "IAMDatabaseAuthenticationEnabled",
            "EnabledCloudwatchLogsExports",
            "DBClusterParameterGroup",
        ),
    ),
    details={
        "parameters": Read(
            "rds:describe_db_cluster_parameters",
            DBClusterParameterGroupName="{DBClusterParameterGroup}",
            Filters=ONLY_TRANSPORT,
            items=transport_parameters,
            when=_has_parameter,
            keep=("ParameterName", "ParameterValue", "ApplyType"),
        ),
    },
)


@instance.document
def describe_instance(seen: Readings) -> Instance:
    """The instance's own settings; an empty list of exported logs is left out by the service."""
    in_cluster = seen["DBClusterIdentifier"].map(bool) == Seen(value=True)
    return Instance(
        name=seen["DBInstanceIdentifier"],
        engine=seen["Engine"],
        engine_version=seen["EngineVersion"],
        family=seen["Engine"].map(family_of),
        cluster=seen["DBClusterIdentifier"],
        is_replica=Seen(
            any(
                source != Seen(None)
                for source in (
                    seen["ReadReplicaSourceDBInstanceIdentifier"],
                    seen["ReadReplicaSourceDBClusterIdentifier"],
                )
            )
        ),
        environment_tag=seen["EnvironmentTag"],
        zone=seen["AvailabilityZone"],
        encrypted=seen["StorageEncrypted"].map(bool),
        public=_told(seen["PubliclyAccessible"], "PubliclyAccessible"),
        retention_days=seen["BackupRetentionPeriod"].map(_days),
        multi_az=seen["MultiAZ"].map(bool),
        deletion_protected=seen["DeletionProtection"].map(bool),
        minor_upgrades=seen["AutoMinorVersionUpgrade"].map(bool),
        iam_auth=seen["IAMDatabaseAuthenticationEnabled"].map(bool),
        logs=seen["EnabledCloudwatchLogsExports"].map(lambda logs: tuple(logs or ())),
        refuses_plain=Seen(None) if in_cluster else _refuses_plain(seen),
    )


def _refuses_plain(seen: Readings) -> Reading[bool | None]:
    judged = refuses_plain(seen["Engine"], seen["EngineVersion"], seen["parameters"], status=seen["ParameterStatus"])
    return judged.map(bool)


@cluster.document
def describe_cluster(seen: Readings) -> Cluster:
    """The cluster's settings; whether a change of its parameters awaits a restart is told per member, and not asked."""
    return Cluster(
        name=seen["DBClusterIdentifier"],
        engine=seen["Engine"],
        engine_version=seen["EngineVersion"],
        encrypted=seen["StorageEncrypted"].map(bool),
        retention_days=seen["BackupRetentionPeriod"].map(_days),
        deletion_protected=seen["DeletionProtection"].map(bool),
        iam_auth=seen["IAMDatabaseAuthenticationEnabled"].map(bool),
        logs=seen["EnabledCloudwatchLogsExports"].map(lambda logs: tuple(logs or ())),
        refuses_plain=refuses_plain(seen["Engine"], seen["EngineVersion"], seen["parameters"]),
    )


def _told(reading: Reading[bool | None], field: str) -> Reading[bool]:
    """A flag whose absence would be the good news: what the service does not tell was not seen."""
    match reading:
        case Seen(None):
            return Unseen(f"{field} is not in the answer")
        case Seen(value):
            return Seen(bool(value))
        case Unseen():
            return reading


def _days(value: int | None) -> int:
    """A number that the service leaves out when it is zero."""
    return value or 0
