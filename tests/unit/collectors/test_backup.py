"""Vaults, plans, and data stores beside their recovery points."""

from __future__ import annotations

from typing import Any

from auditor.collectors.aws import docdb
from auditor.collectors.aws.backup import Plan, Plans, Rule, plan, plans, resource, vault
from auditor.collectors.aws.dynamodb import table
from auditor.collectors.aws.ec2_storage import volume
from auditor.collectors.aws.efs import CopiedFileSystem, FileSystem, copied_file_system, file_system
from auditor.collectors.aws.rds import cluster, instance
from auditor.collectors.aws.recovery import STORES, Store
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


def points(unseen: str | None = None, **content: Any) -> Population:
    return Population((member(recovery_points, f"{ACCOUNT}/{REGION}", **content),), unseen)


def backed_up(id_: str, at: object = NEW) -> Member:
    return member(resource, id_, ResourceArn=id_, LastBackupTime=at)


def database(name: str, **content: Any) -> Member:
    return member(instance, arn("rds", f"db:{name}"), DBInstanceIdentifier=name, Engine="postgres", **content)


def store(kind: ResourceType, own: Member, told: Population) -> Store:
    derived = next(each for each in STORES if each.over is kind)
    document: Store = derived.describe(Joined(ACCOUNT, own.region, own, {recovery_points.name: told}))
    return document


def copied_by_backup(id_: str, at: object = NEW) -> dict[str, Any]:
    return {"ResourceArn": id_, "LastBackupTime": at}


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
    content: dict[str, Any] = {
        "instances": [{"DBInstanceIdentifier": "a", "InstanceCreateTime": OLD, "LatestRestorableTime": DAY}],
        "instance_snapshots": [{"Store": "a", "At": NEW}, {"Store": "a", "At": OLD}],
    }
    own = database("a")
    assert store(instance, own, points(**content)) == Store("db:a", YES, Seen(OLD), NO, (NEW,))
    assert store(instance, own, points(**content, copies=[copied_by_backup(own.id, DAY)])).points == (NEW, DAY)


def test_members_of_a_cluster_and_replicas_have_no_data_of_their_own() -> None:
    assert store(instance, database("inside", DBClusterIdentifier="c"), points()).has_own_data == NO
    assert store(instance, database("copy", ReadReplicaSourceDBInstanceIdentifier="a"), points()).has_own_data == NO
    assert store(instance, database("alone"), points()).has_own_data == YES


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
    assert (store(cluster, aurora, told).points, store(docdb.cluster, notes, told).points) == ((NEW,), (DAY,))


def test_a_volume_is_found_by_its_snapshots_and_has_none_without() -> None:
    told = points(volumes=[{"VolumeId": "vol-1", "CreateTime": OLD}], volume_snapshots=[{"Store": "vol-1", "At": DAY}])
    first, second = (member(volume, arn("ec2", f"volume/{name}"), VolumeId=name) for name in ("vol-1", "vol-2"))
    assert store(volume, first, told) == Store("volume/vol-1", YES, Seen(OLD), NO, (DAY,))
    assert store(volume, second, told) == Store("volume/vol-2", YES, Seen(None), NO, ())


def test_a_table_that_rolls_back_says_so() -> None:
    on = {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"}}}
    made = {"Table": {"CreationDateTime": OLD}}
    own = member(table, arn("dynamodb", "table/t"), TableName="t", table=made, backups=on)
    found = store(table, own, points(table_backups=[{"Store": "t", "At": DAY}]))
    assert found == Store("table/t", YES, Seen(OLD), YES, (DAY,))


def test_a_file_system_has_only_the_copies_of_backup_plans() -> None:
    assert store(file_system, files(), points(copies=[copied_by_backup(files().id)])).points == (NEW,)
    assert store(file_system, files(), points(copies=[copied_by_backup(files().id, None)])).points == ()


def test_what_hides_recovery_points_is_kept_beside_those_that_were_seen() -> None:
    throttled = {"$unseen": "Throttling ec2:DescribeSnapshots"}
    told = points(volume_snapshots=[{"Store": "vol-1", "At": DAY}, throttled], copies={"$unseen": NO_BACKUPS})
    own = member(volume, arn("ec2", "volume/vol-1"), VolumeId="vol-1")
    assert store(volume, own, told).points == (DAY, Unseen(throttled["$unseen"]), Unseen(NO_BACKUPS))


def test_without_recovery_points_of_the_run_nothing_is_said_to_be_uncopied() -> None:
    own = member(volume, arn("ec2", "volume/vol-1"), VolumeId="vol-1")
    lost = Unseen("not collected in eu-west-1")
    assert store(volume, own, Population((), lost.reason)) == Store("volume/vol-1", YES, lost, NO, (lost,))


def test_one_region_that_fails_leaves_the_stores_of_another_alone() -> None:
    own = member(volume, arn("ec2", "volume/vol-1"), VolumeId="vol-1")
    assert store(volume, own, points("denied in us-east-1")).points == ()


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
