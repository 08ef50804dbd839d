"""Warehouses, caches, tables, search domains, file systems, streams and their copies, in an account that answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.stub import Stubber

from auditor.collectors.aws._client import AwsCaller
from auditor.simulators.aws import ACCOUNT, AwsEmulator
from tests.integration.collectors.looking import Told, look, looked, reasons
from tests.integration.collectors.looking import told as told_of

HERE = "us-east-1"
STORES = ("instance", "cluster", "document_cluster", "table", "file_system", "volume")
EMPTY = "eu-west-1"
TLS = "Policy-Min-TLS-1-2-PFS-2023-10"
CHECKS = (
    "redshift.cluster.encrypted",
    "redshift.cluster.not_public",
    "redshift.cluster.audit_logged",
    "redshift.cluster.tls_required",
    "redshift.cluster.snapshots_kept",
    "elasticache.replication_group.at_rest_encrypted",
    "elasticache.replication_group.in_transit_encrypted",
    "elasticache.replication_group.auth_required",
    "elasticache.replication_group.backed_up",
    "dynamodb.table.pitr_enabled",
    "dynamodb.table.kms_encrypted",
    "dynamodb.table.deletion_protected",
    "opensearch.domain.encrypted_at_rest",
    "opensearch.domain.encrypted_between_nodes",
    "opensearch.domain.https_only",
    "opensearch.domain.not_public",
    "efs.file_system.encrypted",
    "efs.file_system.backed_up",
    "docdb.cluster.encrypted",
    "docdb.cluster.backed_up",
    "dms.replication_instance.not_public",
    "kinesis.stream.encrypted",
    "athena.workgroup.encrypted",
    "glue.catalog.encrypted",
    "backup.plan.exists",
    "backup.vault.encrypted",
    "backup.vault.locked",
    "backup.resource.recent_recovery_point",
    *(f"backup.{kind}.recovery_point_recent" for kind in STORES),
)
OF_VOLUMES, OF_TABLES = "backup.volume.recovery_point_recent", "backup.table.recovery_point_recent"


def arn(service: str, name: str, region: str = HERE) -> str:
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{name}"


def daily(kept: int) -> dict[str, Any]:
    lifecycle = {"DeleteAfterDays": kept}
    rule = {"RuleName": "daily", "TargetBackupVaultName": "good", "ScheduleExpression": "cron(0 5 ? * * *)"}
    return {**rule, "Lifecycle": lifecycle}


@pytest.fixture(scope="module")
def started() -> Iterator[AwsEmulator]:
    with AwsEmulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def account(started: AwsEmulator) -> AwsEmulator:
    """Of each kind one as it should be and one that is not."""
    for make in (_warehouses, _caches, _tables, _domains, _migration_hosts, _streams, _workgroups, _catalogue, _backup):
        make(started)
    return started


@pytest.fixture(scope="module")
def file_systems(account: AwsEmulator) -> dict[str, str]:
    efs = account.client("efs")
    made = {
        name: efs.create_file_system(CreationToken=name, Encrypted=good, Backup=good)["FileSystemId"]
        for name, good in (("good", True), ("bad", False))
    }
    return {name: arn("elasticfilesystem", f"file-system/{id_}") for name, id_ in made.items()}


@pytest.fixture(scope="module")
def told(account: AwsEmulator, file_systems: dict[str, str]) -> Told:
    assert file_systems
    return look(account, CHECKS, (HERE, EMPTY))


def _warehouses(emulator: AwsEmulator) -> None:
    redshift = emulator.client("redshift")
    for name, good in (("good", True), ("bad", False)):
        redshift.create_cluster(
            ClusterIdentifier=name,
            NodeType="ra3.large",
            MasterUsername="owner",
            MasterUserPassword="Emulated-1",
            Encrypted=good,
            PubliclyAccessible=not good,
            AutomatedSnapshotRetentionPeriod=7 if good else 1,
        )
    emulator.client("s3").create_bucket(Bucket="warehouse-logs")
    redshift.enable_logging(ClusterIdentifier="good", BucketName="warehouse-logs", S3KeyPrefix="audit/")


def _caches(emulator: AwsEmulator) -> None:
    elasticache = emulator.client("elasticache")
    settings: dict[str, Any] = {
        "AtRestEncryptionEnabled": True,
        "TransitEncryptionEnabled": True,
        "TransitEncryptionMode": "required",
        "AuthToken": "an-emulated-token-123",
        "SnapshotRetentionLimit": 7,
    }
    elasticache.create_replication_group(
        ReplicationGroupId="good", ReplicationGroupDescription="orders", Engine="redis", **settings
    )
    elasticache.create_replication_group(
        ReplicationGroupId="bad", ReplicationGroupDescription="pages", Engine="redis", SnapshotRetentionLimit=0
    )


def _tables(emulator: AwsEmulator) -> None:
    dynamodb = emulator.client("dynamodb")
    for name, more in (
        ("good", {"SSESpecification": {"Enabled": True, "SSEType": "KMS"}, "DeletionProtectionEnabled": True}),
        ("bad", {}),
    ):
        dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            **more,
        )
    dynamodb.update_continuous_backups(
        TableName="good", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )


def _domains(emulator: AwsEmulator) -> None:
    opensearch = emulator.client("opensearch")
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "es:*", "Resource": "*"}
    halves = {"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}}
    office = {"IpAddress": {"aws:SourceIp": ["198.51.100.0/24"]}}
    opensearch.create_domain(
        DomainName="good",
        EncryptionAtRestOptions={"Enabled": True},
        NodeToNodeEncryptionOptions={"Enabled": True},
        DomainEndpointOptions={"EnforceHTTPS": True, "TLSSecurityPolicy": TLS},
        AccessPolicies=json.dumps({"Statement": [{**statement, "Condition": office}]}),
    )
    opensearch.create_domain(
        DomainName="bad", AccessPolicies=json.dumps({"Statement": [{**statement, "Condition": halves}]})
    )
    opensearch.create_domain(DomainName="without-policy")


def _migration_hosts(emulator: AwsEmulator) -> None:
    dms = emulator.client("dms")
    for name in ("good", "bad"):
        dms.create_replication_instance(
            ReplicationInstanceIdentifier=name,
            ReplicationInstanceClass="dms.t3.micro",
            PubliclyAccessible=name == "bad",
        )


def _streams(emulator: AwsEmulator) -> None:
    kinesis = emulator.client("kinesis")
    for name in ("good", "bad"):
        kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.start_stream_encryption(StreamName="good", EncryptionType="KMS", KeyId="alias/aws/kinesis")


def _workgroups(emulator: AwsEmulator) -> None:
    athena = emulator.client("athena")
    encrypted = {"EncryptionConfiguration": {"EncryptionOption": "SSE_S3"}}
    for name, enforced in (("good", True), ("bad", False)):
        athena.create_work_group(
            Name=name,
            Configuration={"EnforceWorkGroupConfiguration": enforced, "ResultConfiguration": encrypted},
        )


def _catalogue(emulator: AwsEmulator) -> None:
    emulator.client("glue").create_database(DatabaseInput={"Name": "facts"})


def _backup(emulator: AwsEmulator) -> None:
    backup = emulator.client("backup")
    backup.create_backup_vault(BackupVaultName="good", EncryptionKeyArn=arn("kms", "key/one"))
    backup.put_backup_vault_lock_configuration(BackupVaultName="good", MinRetentionDays=7)
    backup.create_backup_vault(BackupVaultName="bad")
    backup.create_backup_plan(BackupPlan={"BackupPlanName": "daily", "Rules": [daily(35)]})


PLACES = {
    "redshift.cluster": ("redshift", "cluster:"),
    "elasticache.replication_group": ("elasticache", "replicationgroup:"),
    "dynamodb.table": ("dynamodb", "table/"),
    "opensearch.domain": ("es", "domain/"),
    "kinesis.stream": ("kinesis", "stream/"),
    "athena.workgroup": ("athena", "workgroup/"),
    "backup.vault": ("backup", "backup-vault:"),
}
BETWEEN_TWO = [
    check for check in CHECKS if check.rpartition(".")[0] in PLACES and check != "redshift.cluster.tls_required"
]


@pytest.mark.parametrize("check", BETWEEN_TWO)
def test_one_as_it_should_be_passes_and_one_that_is_not_fails(told: Told, check: str) -> None:
    service, kind = PLACES[check.rpartition(".")[0]]
    verdicts = {name: told[check].get(arn(service, f"{kind}{name}")) for name in ("good", "bad")}
    assert verdicts == {"good": "pass", "bad": "fail"}


def test_a_warehouse_under_default_parameters_takes_plain_connections(told: Told) -> None:
    assert told["redshift.cluster.tls_required"][arn("redshift", "cluster:good")] == "fail"


def test_a_search_domain_without_policy_and_network_stands_open(told: Told) -> None:
    assert told["opensearch.domain.not_public"][arn("es", "domain/without-policy")] == "fail"


def test_a_migration_host_with_a_public_address_fails(account: AwsEmulator, told: Told) -> None:
    hosts = account.client("dms").describe_replication_instances()["ReplicationInstances"]
    named = {host["ReplicationInstanceArn"]: host["ReplicationInstanceIdentifier"] for host in hosts}
    verdicts = {named.get(id_): verdict for id_, verdict in told["dms.replication_instance.not_public"].items()}
    assert (verdicts["good"], verdicts["bad"]) == ("pass", "fail")


def test_file_systems_are_judged_by_encryption_and_by_their_own_switch(
    told: Told, file_systems: dict[str, str]
) -> None:
    encrypted, backed_up = told["efs.file_system.encrypted"], told["efs.file_system.backed_up"]
    assert (encrypted[file_systems["good"]], encrypted[file_systems["bad"]]) == ("pass", "fail")
    # The emulator does not tell what AWS Backup copied, so that the other plan cannot be ruled out.
    assert (backed_up[file_systems["good"]], backed_up[file_systems["bad"]]) == ("pass", "unknown")


def test_a_catalogue_is_judged_where_it_holds_something(account: AwsEmulator, told: Told) -> None:
    assert told["glue.catalog.encrypted"] == {f"{ACCOUNT}/{HERE}": "fail", f"{ACCOUNT}/{EMPTY}": "not_applicable"}
    settings = {
        "EncryptionAtRest": {"CatalogEncryptionMode": "SSE-KMS"},
        "ConnectionPasswordEncryption": {"ReturnConnectionPasswordEncrypted": True},
    }
    account.client("glue").put_data_catalog_encryption_settings(DataCatalogEncryptionSettings=settings)
    assert look(account, ["glue.catalog.encrypted"])["glue.catalog.encrypted"] == {f"{ACCOUNT}/{HERE}": "pass"}


def test_an_empty_region_leaves_a_line_for_every_check(told: Told) -> None:
    assert all(any(EMPTY in resource for resource in told[check]) for check in CHECKS)


def test_a_plan_whose_selections_cannot_be_listed_is_neither_there_nor_missing(told: Told) -> None:
    verdicts = told["backup.plan.exists"]
    assert verdicts == {f"{ACCOUNT}/{HERE}": "unknown", f"{ACCOUNT}/{EMPTY}": "fail"}


def test_what_may_not_be_described_is_unknown_and_says_why(account: AwsEmulator) -> None:
    account.deny("dynamodb:DescribeContinuousBackups")
    try:
        said = reasons(account, ["dynamodb.table.pitr_enabled", "dynamodb.table.deletion_protected"])
    finally:
        account.clear_faults()
    assert "AccessDenied" in said["dynamodb.table.pitr_enabled"][arn("dynamodb", "table/good")]
    assert "AccessDenied" not in said["dynamodb.table.deletion_protected"][arn("dynamodb", "table/good")]


def test_stores_and_other_types_share_their_listings(account: AwsEmulator) -> None:
    account.reset_counts()
    looked(account, [check for check in CHECKS if check.startswith(("backup.", "docdb.", "efs."))])
    counts = account.counts()
    once = ("rds:DescribeDBInstances", "rds:DescribeDBClusters", "ec2:DescribeVolumes", "efs:DescribeFileSystems")
    assert {name: counts.get(name) for name in once} == dict.fromkeys(once, 1)


def test_each_store_is_held_to_its_own_recovery_points(started: AwsEmulator) -> None:
    region = "eu-central-1"
    ec2, dynamodb = started.client("ec2", region), started.client("dynamodb", region)
    started.set_clock(datetime.now(UTC) - timedelta(days=3))
    try:
        old = ec2.create_volume(AvailabilityZone=f"{region}a", Size=1)["VolumeId"]
        dynamodb.create_table(
            TableName="ledger",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    finally:
        started.set_clock(None)
    volume, table = arn("ec2", f"volume/{old}", region), arn("dynamodb", "table/ledger", region)
    # What AWS Backup copied is not told here: whether the volume has a copy there stays open.
    assert "ListProtectedResources" in reasons(started, [OF_VOLUMES], [region])[OF_VOLUMES][volume]
    ec2.create_snapshot(VolumeId=old)
    new = arn("ec2", f"volume/{ec2.create_volume(AvailabilityZone=f'{region}a', Size=1)['VolumeId']}", region)
    seen = look(started, [OF_VOLUMES, OF_TABLES], [region])
    assert seen[OF_VOLUMES] == {volume: "pass", new: "pass"}, "a new store has its time"
    assert seen[OF_TABLES] == {table: "unknown"}
    dynamodb.update_continuous_backups(
        TableName="ledger", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    assert look(started, [OF_TABLES], [region])[OF_TABLES] == {table: "pass"}


def stubbed(service: str, *answers: tuple[str, dict[str, Any]], region: str = HERE) -> Callable[[AwsCaller], None]:
    """What the emulator lacks, checked against the service's own model, in the order of the calls."""

    def stub(caller: AwsCaller) -> None:
        stubber = Stubber(caller._client(service, region))
        for operation, answer in answers:
            stubber.add_response(operation, answer)
        stubber.activate()

    return stub


def copies(*of: tuple[str, datetime], region: str = HERE) -> Callable[[AwsCaller], None]:
    rows = [{"ResourceArn": id_, "LastBackupTime": at} for id_, at in of]
    return stubbed("backup", ("list_protected_resources", {"Results": rows}), region=region)


def test_document_databases_are_found_among_relational_ones(account: AwsEmulator) -> None:
    rows = [
        {"Engine": "docdb", "DBClusterIdentifier": "good", "StorageEncrypted": True, "BackupRetentionPeriod": 7},
        {"Engine": "docdb", "DBClusterIdentifier": "bad", "StorageEncrypted": False, "BackupRetentionPeriod": 1},
        {"Engine": "aurora-mysql", "DBClusterIdentifier": "other", "StorageEncrypted": False},
    ]
    page = {
        "DBClusters": [{**row, "DBClusterArn": arn("rds", f"cluster:{row['DBClusterIdentifier']}")} for row in rows]
    }
    stub = stubbed("rds", ("describe_db_clusters", page))
    seen = told_of(looked(account, ["docdb.cluster.encrypted", "docdb.cluster.backed_up"], stub=stub))
    expected = {arn("rds", "cluster:good"): "pass", arn("rds", "cluster:bad"): "fail"}
    assert seen == {"docdb.cluster.encrypted": expected, "docdb.cluster.backed_up": expected}


@pytest.mark.parametrize(("selected", "kept", "verdict"), [(1, 35, "pass"), (0, 35, "fail"), (1, 34, "fail")])
def test_a_plan_counts_if_it_keeps_long_enough_and_names_something(
    account: AwsEmulator, selected: int, kept: int, verdict: str
) -> None:
    plan = {"BackupPlanArn": arn("backup", "backup-plan:p"), "BackupPlanId": "p", "BackupPlanName": "daily"}
    stub = stubbed(
        "backup",
        ("list_backup_plans", {"BackupPlansList": [plan]}),
        ("get_backup_plan", {"BackupPlan": {"BackupPlanName": "daily", "Rules": [daily(kept)]}}),
        ("list_backup_selections", {"BackupSelectionsList": [{"SelectionId": "s"}] * selected}),
    )
    seen = told_of(looked(account, ["backup.plan.exists"], stub=stub))["backup.plan.exists"]
    assert seen == {f"{ACCOUNT}/{HERE}": verdict}


def test_what_was_backed_up_once_is_held_to_its_last_copy(account: AwsEmulator) -> None:
    now = datetime.now(UTC)
    fresh, stale = arn("dynamodb", "table/good"), arn("dynamodb", "table/bad")
    stub = copies((fresh, now - timedelta(hours=47)), (stale, now - timedelta(hours=49)))
    check = "backup.resource.recent_recovery_point"
    assert told_of(looked(account, [check], as_of=now, stub=stub))[check] == {fresh: "pass", stale: "fail"}


def test_a_file_system_off_the_default_plan_needs_a_copy_by_another(
    account: AwsEmulator, file_systems: dict[str, str]
) -> None:
    check, bad = "efs.file_system.backed_up", file_systems["bad"]
    assert told_of(looked(account, [check], stub=copies()))[check][bad] == "fail"
    copied = copies((bad, datetime.now(UTC) - timedelta(days=3)))
    assert told_of(looked(account, [check], stub=copied))[check][bad] == "pass"


def test_a_store_without_any_copy_fails_until_it_has_one(started: AwsEmulator) -> None:
    region = "ap-southeast-2"
    volume = started.client("ec2", region).create_volume(AvailabilityZone=f"{region}a", Size=1)["VolumeId"]
    id_ = arn("ec2", f"volume/{volume}", region)
    later = datetime.now(UTC) + timedelta(days=3)
    bare = looked(started, [OF_VOLUMES], [region], as_of=later, stub=copies(region=region))
    assert told_of(bare)[OF_VOLUMES] == {id_: "fail"}
    copied = looked(started, [OF_VOLUMES], [region], as_of=later, stub=copies((id_, later), region=region))
    assert told_of(copied)[OF_VOLUMES] == {id_: "pass"}


def test_workgroups_beyond_the_first_answer_are_judged_too(account: AwsEmulator) -> None:
    """The client library knows no pages here, though the service hands out tokens."""
    configuration = {"WorkGroup": {"Name": "one", "Configuration": {}}}
    stub = stubbed(
        "athena",
        ("list_work_groups", {"WorkGroups": [{"Name": "one", "State": "DISABLED"}], "NextToken": "more"}),
        ("list_work_groups", {"WorkGroups": [{"Name": "two", "State": "DISABLED"}]}),
        ("get_work_group", configuration),
        ("get_work_group", configuration),
    )
    seen = told_of(looked(account, ["athena.workgroup.encrypted"], stub=stub))["athena.workgroup.encrypted"]
    assert seen == {arn("athena", f"workgroup/{name}"): "not_applicable" for name in ("one", "two")}
