"""Meadowbrook's databases: instances, an Aurora cluster, their parameter groups and snapshots."""

from __future__ import annotations

from typing import Any

from auditor.simulators.aws import AwsEmulator

_GOOD: dict[str, Any] = {
    "StorageEncrypted": True,
    "PubliclyAccessible": False,
    "BackupRetentionPeriod": 14,
    "MultiAZ": True,
    "DeletionProtection": True,
    "AutoMinorVersionUpgrade": True,
    "EnableIAMDatabaseAuthentication": True,
}
_POSTGRES = {"Engine": "postgres", "EngineVersion": "15.8", "EnableCloudwatchLogsExports": ["postgresql"]}
_MYSQL = {"Engine": "mysql", "EngineVersion": "8.0.39", "EnableCloudwatchLogsExports": ["audit", "error"]}

# Per region: what differs from good.
DATABASES: dict[str, dict[str, dict[str, Any]]] = {
    "us-east-1": {
        "scheduling": {**_POSTGRES, "DBParameterGroupName": "postgres-tls"},
        "claims": {**_MYSQL, "DBParameterGroupName": "mysql-tls"},
        "lab": {**_POSTGRES, "StorageEncrypted": False, "MultiAZ": False},
        "portal": {**_POSTGRES, "DBParameterGroupName": "postgres-tls", "EnableIAMDatabaseAuthentication": False},
    },
    "us-west-2": {
        "reporting": {**_POSTGRES, "PubliclyAccessible": True, "BackupRetentionPeriod": 1, "DeletionProtection": False},
        "build-cache": {
            **_MYSQL,
            "AutoMinorVersionUpgrade": False,
            "MultiAZ": False,
            "EnableCloudwatchLogsExports": [],
        },
    },
    "eu-central-1": {"telehealth": {**_POSTGRES, "DBParameterGroupName": "postgres-tls", "BackupRetentionPeriod": 3}},
}


def build_databases(emulator: AwsEmulator, region: str, key: str) -> None:
    """The region's databases; the Aurora cluster lives in the first region."""
    rds = emulator.client("rds", region)
    _parameters(rds)
    for name, settings in DATABASES[region].items():
        options = {**_GOOD, **settings}
        if options["StorageEncrypted"]:
            options["KmsKeyId"] = key
        rds.create_db_instance(
            DBInstanceIdentifier=name,
            DBInstanceClass="db.t3.medium",
            AllocatedStorage=100,
            MasterUsername="meadowbrook",
            MasterUserPassword="emulated-password",
            Tags=[{"Key": "owner", "Value": "data-platform"}],
            **options,
        )
        rds.create_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier=f"{name}-before-upgrade")
    if region == "us-east-1":
        rds.create_db_instance_read_replica(
            DBInstanceIdentifier="scheduling-replica", SourceDBInstanceIdentifier="scheduling"
        )
        _cluster(rds, key)
    if region == "us-west-2":
        rds.modify_db_snapshot_attribute(
            DBSnapshotIdentifier="reporting-before-upgrade", AttributeName="restore", ValuesToAdd=["all"]
        )


def _parameters(rds: Any) -> None:
    forced = {
        "postgres-tls": ("postgres15", "rds.force_ssl", "1"),
        "mysql-tls": ("mysql8.0", "require_secure_transport", "ON"),
    }
    for name, (family, parameter, value) in forced.items():
        rds.create_db_parameter_group(
            DBParameterGroupName=name, DBParameterGroupFamily=family, Description="plain text refused"
        )
        change = {"ParameterName": parameter, "ParameterValue": value, "ApplyMethod": "immediate"}
        rds.modify_db_parameter_group(DBParameterGroupName=name, Parameters=[change])


def _cluster(rds: Any, key: str) -> None:
    group = "aurora-tls"
    rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName=group,
        DBParameterGroupFamily="aurora-postgresql15",
        Description="plain text refused",
    )
    change = {"ParameterName": "rds.force_ssl", "ParameterValue": "1", "ApplyMethod": "immediate"}
    rds.modify_db_cluster_parameter_group(DBClusterParameterGroupName=group, Parameters=[change])
    rds.create_db_cluster(
        DBClusterIdentifier="records",
        Engine="aurora-postgresql",
        EngineVersion="15.4",
        MasterUsername="meadowbrook",
        MasterUserPassword="emulated-password",
        StorageEncrypted=True,
        KmsKeyId=key,
        BackupRetentionPeriod=14,
        DeletionProtection=True,
        EnableIAMDatabaseAuthentication=True,
        EnableCloudwatchLogsExports=["postgresql"],
        DBClusterParameterGroupName=group,
    )
    for zone in ("a", "b"):
        rds.create_db_instance(
            DBInstanceIdentifier=f"records-{zone}",
            DBInstanceClass="db.r6g.large",
            Engine="aurora-postgresql",
            DBClusterIdentifier="records",
            AvailabilityZone=f"us-east-1{zone}",
        )
    rds.create_db_cluster_snapshot(DBClusterIdentifier="records", DBClusterSnapshotIdentifier="records-before-upgrade")
