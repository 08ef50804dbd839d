"""Vaults, plans, and the data stores of a region beside their recovery points."""

from __future__ import annotations

from typing import Any

from auditor.collectors.aws import docdb
from auditor.collectors.aws.backup import Plan, Plans, Rule, plan, plans, resource, vault
from auditor.collectors.aws.dynamodb import table
from auditor.collectors.aws.ec2_storage import volume
from auditor.collectors.aws.efs import CopiedFileSystem, FileSystem, copied_file_system, file_system
from auditor.collectors.aws.rds import cluster, instance
from auditor.collectors.aws.recovery import STORES, Store, Stores, stores
from auditor.collectors.aws.recovery_points import recovery_points
from auditor.domain.reading import Seen, Unseen
from auditor.domain.resource_type import Joined, Member, Population, ResourceType

ACCOUNT, REGION = "111122223333", "eu-west-1"
YES, NO = Seen(value=True), Seen(value=False)
OLD: Any = "2025-01-01T00:00:00Z"  # evidence holds times as text
DAY: Any = "2026-01-01T00:00:00Z"
NEW: Any = "2026-01-02T00:00:00Z"
NO_BACKUPS = "AccessDenied backup:ListProtectedResources in eu-west-1"


def arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}"


def member(kind: ResourceType, id_: str, **content: Any) -> Member:
    return Member(id_, REGION, kind.describe(content))


def points(**content: Any) -> Population:
    return Population((member(recovery_points, f"{ACCOUNT}/{REGION}", **content),))


def backed_up(id_: str, at: object = NEW) -> Member:
    return member(resource, id_, ResourceArn=id_, LastBackupTime=at)


def database(name: str, **content: Any) -> Member:
    return member(instance, arn("rds", f"db:{name}"), DBInstanceIdentifier=name, Engine="postgres", **content)


def region(*members: tuple[ResourceType, Member], **populations: Population) -> Stores:
    """The stores of a region in which everything else is complete and empty."""
    known = {kind.name: Population(()) for kind in (*STORES, resource)}
    for kind, one in members:
        known[kind.name] = Population((*known[kind.name].members, one))
    known[recovery_points.name] = populations.pop("points", points())
    known |= {name.replace("_", "."): population for name, population in populations.items()}
    document: Stores = stores.describe(Joined(ACCOUNT, REGION, None, known))
    return document


def only(found: Stores) -> Store:
    (store,) = found.stores
    assert isinstance(store, Store)
    return store


def test_a_vault_tells_its_key_and_how_long_its_lock_holds() -> None:
    seen = vault.describe({"BackupVaultName": "v", "EncryptionKeyArn": "key", "Locked": True, "MinRetentionDays": 7})
    assert (seen.key, seen.locked, seen.locked_days) == (Seen("key"), YES, Seen(7))
    assert vault.describe({"BackupVaultName": "v", "Locked": True}).locked_days == Seen(0)


def planned(**content: Any) -> Plan:
    rules = [{"RuleName": "daily", "ScheduleExpression": "cron(0 5 * * ? *)", "Lifecycle": {"DeleteAfterDays": 35}}]
    known = {"BackupPlanName": "p", "plan": {"BackupPlan": {"Rules": rules}}, "selections": [{"SelectionId": "s"}]}
    document: Plan = plan.describe({**known, **content})
    return document


def test_a_plan_tells_its_rules_and_whether_it_selects_anything() -> None:
    assert (planned().rules, planned().selects) == (Seen((Rule("daily", scheduled=True, keeps_days=35),)), YES)
    assert planned(selections=[]).selects == NO
    endless = planned(plan={"BackupPlan": {"Rules": [{"RuleName": "by hand"}]}})
    assert endless.rules == Seen((Rule("by hand", scheduled=False, keeps_days=None),))


def test_selections_that_may_not_be_listed_are_not_missing() -> None:
    hidden = {"$unseen": "AccessDenied backup:ListBackupSelections"}
    assert planned(selections=hidden).selects == Unseen("AccessDenied backup:ListBackupSelections")


def test_a_region_holds_its_plans_and_a_place_for_those_that_could_not_be_listed() -> None:
    found: Plans = plans.describe(
        Joined(
            ACCOUNT, REGION, None, {plan.name: Population((Member("p", REGION, planned()),), "Throttling in eu-west-1")}
        )
    )
    assert (found.name, found.plans) == (REGION, (planned(), Unseen("Throttling in eu-west-1")))


def files(**content: Any) -> Member:
    known = {"FileSystemId": "fs-1", "CreationTime": OLD, "backup": {"BackupPolicy": {"Status": "DISABLED"}}}
    return member(file_system, arn("elasticfilesystem", "file-system/fs-1"), **{**known, **content})


def copied(population: Population) -> CopiedFileSystem:
    joined = Joined(ACCOUNT, REGION, files(), {file_system.name: Population((files(),)), resource.name: population})
    document: CopiedFileSystem = copied_file_system.describe(joined)
    return document


def test_a_file_system_without_a_backup_policy_does_not_back_itself_up() -> None:
    bare: FileSystem = files(backup=None, Name="home").document
    assert (bare.backs_itself_up, bare.name, bare.encrypted) == (NO, Seen("fs-1 (home)"), NO)
    assert files(backup={"BackupPolicy": {"Status": "ENABLED"}}).document.backs_itself_up == YES


def test_a_file_system_knows_the_last_copy_of_any_plan() -> None:
    assert copied(Population((backed_up(files().id),))).last_backup_at == Seen(NEW)
    assert copied(Population(())).last_backup_at == Seen(None)
    assert copied(Population((), NO_BACKUPS)).last_backup_at == Unseen(NO_BACKUPS)


def test_a_database_is_recoverable_to_its_log_to_a_snapshot_or_to_a_copy() -> None:
    told = points(
        instances=[{"DBInstanceIdentifier": "a", "InstanceCreateTime": OLD, "LatestRestorableTime": DAY}],
        instance_snapshots=[{"Store": "a", "At": NEW}, {"Store": "a", "At": OLD}],
    )
    own = database("a")
    assert only(region((instance, own), points=told)) == Store(own.id, Seen(OLD), NO, (NEW,))
    assert only(region((instance, own), (resource, backed_up(own.id, DAY)), points=told)).points == (NEW, DAY)


def test_members_of_a_cluster_and_replicas_are_no_stores_of_their_own() -> None:
    found = region(
        (instance, database("inside", DBClusterIdentifier="c")),
        (instance, database("copy", ReadReplicaSourceDBInstanceIdentifier="a")),
    )
    assert found.stores == ()


def test_clusters_of_both_kinds_are_looked_up_in_one_listing() -> None:
    told = points(
        clusters=[
            {"DBClusterIdentifier": "c", "ClusterCreateTime": OLD, "LatestRestorableTime": NEW},
            {"DBClusterIdentifier": "d", "ClusterCreateTime": OLD},
        ],
        cluster_snapshots=[{"Store": "d", "At": DAY}],
    )
    aurora = member(cluster, arn("rds", "cluster:c"), DBClusterIdentifier="c", Engine="aurora-mysql", EngineVersion="8")
    notes = member(docdb.cluster, arn("rds", "cluster:d"), DBClusterIdentifier="d")
    found = region((cluster, aurora), (docdb.cluster, notes), points=told)
    assert [store.points for store in found.stores if isinstance(store, Store)] == [(NEW,), (DAY,)]
    assert found.never_copied == ()


def test_a_volume_is_found_by_its_snapshots_and_named_if_it_has_none() -> None:
    told = points(volumes=[{"VolumeId": "vol-1", "CreateTime": OLD}], volume_snapshots=[{"Store": "vol-1", "At": DAY}])
    first, second = (member(volume, arn("ec2", f"volume/{name}"), VolumeId=name) for name in ("vol-1", "vol-2"))
    found = region((volume, first), (volume, second), points=told)
    assert found.stores == (Store(first.id, Seen(OLD), NO, (DAY,)), Store(second.id, Seen(None), NO, ()))
    assert found.never_copied == (second.id,)


def test_a_table_that_rolls_back_needs_no_copy() -> None:
    on = {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"}}}
    made = {"Table": {"CreationDateTime": OLD}}
    own = member(table, arn("dynamodb", "table/t"), TableName="t", table=made, backups=on)
    found = region((table, own), points=points(table_backups=[{"Store": "t", "At": DAY}]))
    assert only(found) == Store(own.id, Seen(OLD), YES, (DAY,))


def test_a_file_system_has_only_the_copies_of_backup_plans() -> None:
    assert only(region((file_system, files()), (resource, backed_up(files().id)))).points == (NEW,)
    assert region((file_system, files()), (resource, backed_up(files().id, None))).never_copied == (files().id,)


def test_what_hides_recovery_points_is_kept_beside_those_that_were_seen() -> None:
    told = points(volume_snapshots=[{"Store": "vol-1", "At": DAY}, {"$unseen": "Throttling ec2:DescribeSnapshots"}])
    own = member(volume, arn("ec2", "volume/vol-1"), VolumeId="vol-1")
    found = region((volume, own), points=told, aws_backup_resource=Population((), NO_BACKUPS))
    assert only(found).points == (DAY, Unseen(NO_BACKUPS), Unseen("Throttling ec2:DescribeSnapshots"))
    assert found.never_copied == ()


def test_without_recovery_points_of_the_run_nothing_is_said_to_be_uncopied() -> None:
    own = member(volume, arn("ec2", "volume/vol-1"), VolumeId="vol-1")
    lost = Unseen("not collected in eu-west-1")
    found = region((volume, own), points=Population((), lost.reason))
    assert only(found) == Store(own.id, lost, NO, (lost,))
    assert found.never_copied == ()


def test_stores_that_could_not_be_listed_leave_an_unseen_one_behind() -> None:
    found = region(aws_ec2_volume=Population((), "AccessDenied ec2:DescribeVolumes in eu-west-1"))
    assert found.stores == (Unseen("AccessDenied ec2:DescribeVolumes in eu-west-1"),)


def test_of_each_page_only_the_last_finished_snapshot_of_a_volume_is_kept() -> None:
    items = recovery_points.details["volume_snapshots"].items
    assert callable(items)
    page = {
        "Snapshots": [
            {"VolumeId": "vol-1", "State": "completed", "StartTime": OLD},
            {"VolumeId": "vol-1", "State": "completed", "StartTime": DAY},
            {"VolumeId": "vol-1", "State": "pending", "StartTime": NEW},
            {"VolumeId": "vol-2", "State": "error", "StartTime": NEW},
            {"State": "completed", "StartTime": NEW},
        ]
    }
    assert list(items(page)) == [{"Store": "vol-1", "At": DAY}]


def test_a_copied_database_snapshot_is_as_old_as_the_data_in_it() -> None:
    items = recovery_points.details["instance_snapshots"].items
    assert callable(items)
    row = {
        "DBInstanceIdentifier": "a",
        "Status": "available",
        "SnapshotCreateTime": NEW,
        "OriginalSnapshotCreateTime": OLD,
    }
    assert list(items({"DBSnapshots": [row]})) == [{"Store": "a", "At": OLD}]
