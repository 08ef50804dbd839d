"""Databases, clusters and snapshots as their evidence shows them, alone and joined."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.aws.rds import Instance, cluster, clusters, instance, instances, transport_parameters
from auditor.collectors.aws.rds_databases import Database, database
from auditor.collectors.aws.rds_snapshots import Snapshot, cluster_snapshot, snapshot
from auditor.domain.reading import Readings, Seen, Unseen
from auditor.domain.resource_type import Joined, Member, Population, ResourceType

PLACE = "arn:aws:rds:eu-west-1:111122223333"
DENIED = {"$unseen": "AccessDenied rds:DescribeDBParameters"}
ON = [{"ParameterName": "rds.force_ssl", "ParameterValue": "1", "ApplyType": "dynamic"}]
OFF = [{"ParameterName": "rds.force_ssl", "ParameterValue": "0", "ApplyType": "dynamic"}]


def described(engine: str = "postgres", version: str = "14.9", **content: Any) -> Instance:
    known = {"DBInstanceIdentifier": "db", "Engine": engine, "EngineVersion": version, "PubliclyAccessible": False}
    document: Instance = instance.describe({**known, "ParameterGroup": "group", "parameters": [], **content})
    return document


def member(name: str, **content: Any) -> Member:
    return Member(f"{PLACE}:db:{name}", "eu-west-1", described(DBInstanceIdentifier=name, **content))


def shared(name: str = "aurora", **content: Any) -> Member:
    known = {"DBClusterIdentifier": name, "Engine": "aurora-postgresql", "EngineVersion": "15.4", "parameters": OFF}
    return Member(f"{PLACE}:cluster:{name}", "eu-west-1", cluster.describe({**known, **content}))


def joined(*members: Member, with_clusters: Population | None = None, instances_unseen: str | None = None) -> Database:
    """The first member, joined with the others and the clusters."""
    populations = {instance.name: Population(members, instances_unseen)}
    populations[cluster.name] = with_clusters or Population(())
    document: Database = database.describe(Joined("111122223333", "eu-west-1", members[0], populations))
    return document


def test_an_instance_tells_its_own_settings() -> None:
    seen = described(StorageEncrypted=True, BackupRetentionPeriod=14, MultiAZ=True, AutoMinorVersionUpgrade=True)
    assert (seen.encrypted, seen.retention_days) == (Seen(value=True), Seen(14))
    assert (seen.multi_az, seen.minor_upgrades, seen.public) == (Seen(value=True), Seen(value=True), Seen(value=False))


def test_an_endpoint_that_is_not_told_to_be_private_was_not_seen() -> None:
    assert described(PubliclyAccessible=None).public == Unseen("PubliclyAccessible is not in the answer")


@pytest.mark.parametrize("field", ["ReadReplicaSourceDBInstanceIdentifier", "ReadReplicaSourceDBClusterIdentifier"])
def test_a_replica_of_an_instance_or_of_a_cluster_is_a_replica(field: str) -> None:
    assert described().is_replica == Seen(value=False)
    assert described(**{field: "source"}).is_replica == Seen(value=True)


def test_document_and_graph_databases_are_left_to_their_own_services() -> None:
    engines = ["postgres", "docdb", "neptune", "aurora-mysql"]
    assert [item["Engine"] for item in instances({"DBInstances": [{"Engine": engine} for engine in engines]})] == [
        "postgres",
        "aurora-mysql",
    ]
    assert [item["Engine"] for item in clusters({"DBClusters": [{"Engine": engine} for engine in engines]})] == [
        "postgres",
        "aurora-mysql",
    ]


def test_of_the_tags_only_the_environment_is_kept() -> None:
    tags = [{"Key": "Owner", "Value": "ann"}, {"Key": "Environment", "Value": " Dev "}]
    (item,) = instances({"DBInstances": [{"Engine": "postgres", "TagList": tags}]})
    assert item["EnvironmentTag"] == "Environment=Dev"
    assert not any("TagList" in path for read in instance.reads for path in read.keep)


def test_only_the_parameters_about_transport_are_looked_at() -> None:
    page = {"Parameters": [{"ParameterName": "rds.force_ssl"}, {"ParameterName": "max_connections"}]}
    assert [item["ParameterName"] for item in transport_parameters(page)] == ["rds.force_ssl"]


@pytest.mark.parametrize(
    ("engine", "version", "refused"),
    [
        ("postgres", "14.9", False),
        ("postgres", "15.2", True),
        ("postgres", "17", True),
        ("aurora-postgresql", "16.4", False),
        ("aurora-postgresql", "17.4", True),
        ("mariadb", "11.4.3", False),
        ("mariadb", "11.8.2", True),
        ("mysql", "8.4.3", False),
        ("aurora-mysql", "8.0.mysql_aurora.3.04.0", False),
        ("sqlserver-se", "15.00.4236.7.v1", False),
    ],
)
def test_an_absent_parameter_has_the_default_of_engine_and_version(engine: str, version: str, refused: bool) -> None:
    assert described(engine, version).refuses_plain == Seen(refused)


@pytest.mark.parametrize(("value", "refused"), [("1", True), ("ON", True), ("0", False), ("OFF", False)])
def test_a_parameter_that_is_set_decides_over_the_default(value: str, refused: bool) -> None:
    row = {"ParameterName": "require_secure_transport", "ParameterValue": value, "ApplyType": "dynamic"}
    assert described("mariadb", "11.8.2", parameters=[row]).refuses_plain == Seen(refused)


def test_the_parameter_of_another_family_does_not_count() -> None:
    assert described("mysql", "8.0.35", parameters=ON).refuses_plain == Seen(value=False)


@pytest.mark.parametrize("engine", ["oracle-ee", "db2-se", "custom-oracle-ee"])
def test_an_engine_without_such_a_parameter_is_unknown(engine: str) -> None:
    assert described(engine).refuses_plain == Unseen(f"{engine} has no parameter that requires TLS")


def test_hidden_parameters_are_unknown() -> None:
    hidden = Unseen("AccessDenied rds:DescribeDBParameters")
    assert described(parameters=DENIED).refuses_plain == hidden
    assert described("postgres", "15.2", parameters=[DENIED]).refuses_plain == hidden


def test_a_parameter_found_before_the_listing_broke_off_decides() -> None:
    assert described(parameters=[*ON, DENIED]).refuses_plain == Seen(value=True)


def test_a_static_parameter_that_waits_for_a_restart_is_not_yet_in_force() -> None:
    row = {"ParameterName": "rds.force_ssl", "ParameterValue": "1", "ApplyType": "static"}
    waiting = described("sqlserver-se", "15.00", parameters=[row], ParameterStatus="pending-reboot")
    assert waiting.refuses_plain == Unseen("the parameter group is pending-reboot")
    running = described("sqlserver-se", "15.00", parameters=[row], ParameterStatus="in-sync")
    assert running.refuses_plain == Seen(value=True)


def test_a_version_without_numbers_has_no_known_default() -> None:
    assert described("postgres", "next").refuses_plain == Unseen("the default of postgres next is not known")


def test_members_of_a_cluster_and_engines_without_the_parameter_are_not_asked_for_parameters() -> None:
    ask = instance.details["parameters"].when
    assert ask is not None

    def asked(**content: Any) -> bool:
        return ask(Readings({"Engine": "postgres", "ParameterGroup": "group", **content}, instance.names))

    assert asked()
    assert not asked(DBClusterIdentifier="aurora")
    assert not asked(Engine="oracle-ee")
    assert not asked(ParameterGroup=None)


def test_a_database_that_stands_alone_is_judged_by_its_own_settings() -> None:
    seen = joined(member("a", BackupRetentionPeriod=3, parameters=ON, EnabledCloudwatchLogsExports=["postgresql"]))
    assert (seen.retention_days, seen.refuses_plain) == (Seen(3), Seen(value=True))
    assert (seen.logs, seen.in_two_zones) == (Seen(("postgresql",)), Seen(value=False))


def test_a_member_is_judged_by_its_cluster() -> None:
    held = shared(
        BackupRetentionPeriod=21,
        DeletionProtection=True,
        parameters=ON,
        EnabledCloudwatchLogsExports=["postgresql"],
        IAMDatabaseAuthenticationEnabled=True,
    )
    seen = joined(member("a", DBClusterIdentifier="aurora", BackupRetentionPeriod=1), with_clusters=Population((held,)))
    assert (seen.retention_days, seen.deletion_protected) == (Seen(21), Seen(value=True))
    assert (seen.refuses_plain, seen.logs) == (Seen(value=True), Seen(("postgresql",)))
    assert seen.iam_auth == Seen(value=True)


def test_members_in_two_zones_stand_in_two_zones() -> None:
    def stand(first: str, second: str, unseen: str | None = None) -> object:
        members = [
            member(name, DBClusterIdentifier="aurora", AvailabilityZone=zone)
            for name, zone in (("a", first), ("b", second))
        ]
        other = member("c", DBClusterIdentifier="other", AvailabilityZone="z3")
        found = joined(*members, other, with_clusters=Population((shared(),)), instances_unseen=unseen)
        return found.in_two_zones

    assert stand("z1", "z2") == Seen(value=True)
    assert stand("z1", "z1") == Seen(value=False)
    assert stand("z1", "z1", unseen="Throttling rds:DescribeDBInstances") == Unseen(
        "Throttling rds:DescribeDBInstances"
    )
    assert stand("z1", "z2", unseen="Throttling rds:DescribeDBInstances") == Seen(value=True)


def test_a_cluster_we_could_not_list_hides_what_it_holds() -> None:
    hidden = Unseen("AccessDenied rds:DescribeDBClusters")
    alone = member("a", DBClusterIdentifier="aurora")
    seen = joined(alone, with_clusters=Population((), hidden.reason))
    assert (seen.retention_days, seen.deletion_protected, seen.refuses_plain, seen.logs) == (hidden,) * 4
    assert joined(alone).retention_days == Unseen("the cluster was not among those listed")


def test_an_instances_own_protection_decides_whatever_hides_its_cluster() -> None:
    protected = member("a", DBClusterIdentifier="aurora", DeletionProtection=True)
    seen = joined(protected, with_clusters=Population((), "AccessDenied rds:DescribeDBClusters"))
    assert seen.deletion_protected == Seen(value=True)


@pytest.mark.parametrize("kind", [snapshot, cluster_snapshot])
def test_a_snapshot_for_all_is_public(kind: ResourceType) -> None:
    assert snapshot_of(kind, ["all"]).public == Seen(value=True)
    assert snapshot_of(kind, ["444455556666"]).public == Seen(value=False)
    assert snapshot_of(kind, ["444455556666"]).shared_with == Seen(("444455556666",))
    assert snapshot_of(kind, []).public == Seen(value=False)


@pytest.mark.parametrize("kind", [snapshot, cluster_snapshot])
def test_a_snapshot_whose_sharing_is_hidden_is_unknown(kind: ResourceType) -> None:
    hidden: Snapshot = kind.describe({"SnapshotType": "manual", "sharing": {"$unseen": "AccessDenied x"}})
    assert hidden.public == Unseen("AccessDenied x")


@pytest.mark.parametrize("kind", [snapshot, cluster_snapshot])
def test_automated_snapshots_are_not_asked_who_shares_them(kind: ResourceType) -> None:
    ask = kind.details["sharing"].when
    assert ask is not None
    assert not ask(Readings({"SnapshotType": "automated"}, kind.names))
    assert ask(Readings({"SnapshotType": "manual"}, kind.names))
    assert ask(Readings({"SnapshotType": "awsbackup"}, kind.names))


def test_each_kind_of_snapshot_has_its_own_word_for_encryption() -> None:
    assert snapshot.describe({"Encrypted": True}).encrypted == Seen(value=True)
    assert cluster_snapshot.describe({"StorageEncrypted": True}).encrypted == Seen(value=True)


def snapshot_of(kind: ResourceType, accounts: list[str]) -> Snapshot:
    rows = [
        {"AttributeName": "restore", "AttributeValues": accounts},
        {"AttributeName": "other", "AttributeValues": ["all"]},
    ]
    name = "DBSnapshotAttributes" if kind is snapshot else "DBClusterSnapshotAttributes"
    document: Snapshot = kind.describe({"SnapshotType": "manual", "sharing": {f"{name}Result": {name: rows}}})
    return document
