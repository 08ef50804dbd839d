"""The emulated AWS account: a process that counts, refuses, turns its clock and ends with its parent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError
from botocore.parsers import ResponseParserError

from auditor.simulators.answers import NOT_IMPLEMENTED
from auditor.simulators.aws import ACCOUNT, AwsEmulator, EmulatorError
from auditor.simulators.company import LATE_KEY_AGE, REGIONS, build
from auditor.simulators.company_people import LATE_KEY_USER
from auditor.simulators.company_storage import BUCKETS, bucket_name
from auditor.simulators.company_story import DAYS, DELETED_BUCKET, HIDDEN_ACTION, OPENED_BUCKET, STORY, events_on
from auditor.simulators.faults import Fault
from auditor.simulators.large import large

AT = datetime(2026, 3, 5, 6, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def process() -> Iterator[AwsEmulator]:
    with AwsEmulator() as emulator:
        yield emulator


@pytest.fixture
def emulator(process: AwsEmulator) -> AwsEmulator:
    process.reset()
    return process


@pytest.fixture
def fresh() -> Iterator[AwsEmulator]:
    """A process that nobody else has asked: a request of theirs that is answered late would take an id away."""
    with AwsEmulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def company() -> Iterator[AwsEmulator]:
    """Built once and only read; the story changes an account of its own."""
    with AwsEmulator() as emulator:
        build(emulator, AT)
        yield emulator


def refusal(call: Any, **parameters: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]


def report(emulator: AwsEmulator) -> dict[str, dict[str, str]]:
    iam = emulator.client("iam")
    while iam.generate_credential_report()["State"] != "COMPLETE":
        pass
    header, *rows = iam.get_credential_report()["Content"].decode().splitlines()
    names = header.split(",")
    return {row.split(",")[0]: dict(zip(names, row.split(","), strict=True)) for row in rows}


def test_requests_are_counted_per_operation_whatever_the_protocol(emulator: AwsEmulator) -> None:
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="bucket-one")
    emulator.reset_counts()
    s3.list_buckets()
    for _ in range(2):
        s3.get_bucket_versioning(Bucket="bucket-one")
    s3.list_objects_v2(Bucket="bucket-one")
    emulator.client("iam").list_users()
    emulator.client("kms").list_keys()
    emulator.client("ec2", "eu-central-1").describe_volumes()
    emulator.client("cloudwatch").describe_alarms()
    emulator.client("lambda").list_functions()
    assert emulator.counts() == {
        "cloudwatch:DescribeAlarms": 1,
        "ec2:DescribeVolumes": 1,
        "iam:ListUsers": 1,
        "kms:ListKeys": 1,
        "lambda:ListFunctions": 1,
        "s3:GetBucketVersioning": 2,
        "s3:ListBuckets": 1,
        "s3:ListObjectsV2": 1,
    }


def test_a_denied_bucket_read_is_worded_as_aws_words_it(emulator: AwsEmulator) -> None:
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="bucket-one")
    emulator.deny("s3:GetEncryptionConfiguration")
    emulator.reset_counts()
    code, status, message = refusal(s3.get_bucket_encryption, Bucket="bucket-one")
    assert (code, status) == ("AccessDenied", 403)
    assert "not authorized to perform: s3:GetEncryptionConfiguration on resource: arn:aws:s3:::bucket-one" in message
    assert emulator.client("sts").get_caller_identity()["Arn"] in message
    assert emulator.counts() == {"s3:GetBucketEncryption": 1, "sts:GetCallerIdentity": 1}
    assert "Status" not in s3.get_bucket_versioning(Bucket="bucket-one")
    emulator.allow("s3:GetEncryptionConfiguration")
    assert s3.get_bucket_encryption(Bucket="bucket-one")["ServerSideEncryptionConfiguration"]["Rules"]


@pytest.mark.parametrize(
    ("service", "method", "action", "code", "status"),
    [
        ("s3", "list_buckets", "s3:ListAllMyBuckets", "AccessDenied", 403),
        ("iam", "list_users", "iam:ListUsers", "AccessDenied", 403),
        ("rds", "describe_db_instances", "rds:DescribeDBInstances", "AccessDenied", 403),
        ("ec2", "describe_instances", "ec2:DescribeInstances", "UnauthorizedOperation", 403),
        ("kms", "list_keys", "kms:ListKeys", "AccessDeniedException", 400),
        ("cloudtrail", "describe_trails", "cloudtrail:DescribeTrails", "AccessDeniedException", 400),
        ("eks", "list_clusters", "eks:ListClusters", "AccessDeniedException", 403),
        ("cloudwatch", "describe_alarms", "cloudwatch:DescribeAlarms", "AccessDeniedException", 400),
    ],
)
def test_a_denial_has_the_code_of_its_protocol_and_names_the_action(
    emulator: AwsEmulator, service: str, method: str, action: str, code: str, status: int
) -> None:
    emulator.deny(action)
    seen = refusal(getattr(emulator.client(service), method))
    assert seen[:2] == (code, status)
    assert f"not authorized to perform: {action}" in seen[2]


def test_a_denial_may_be_narrowed_to_a_resource_or_a_region(emulator: AwsEmulator) -> None:
    s3 = emulator.client("s3")
    for name in ("bucket-one", "bucket-two"):
        s3.create_bucket(Bucket=name)
    emulator.deny("s3:GetBucketVersioning", resource="bucket-two")
    emulator.deny("rds:*", region="us-west-2")
    s3.get_bucket_versioning(Bucket="bucket-one")
    assert refusal(s3.get_bucket_versioning, Bucket="bucket-two")[0] == "AccessDenied"
    assert emulator.client("rds").describe_db_instances()["DBInstances"] == []
    assert refusal(emulator.client("rds", "us-west-2").describe_db_instances)[0] == "AccessDenied"


def test_what_the_emulator_lacks_is_a_bad_request_that_no_client_repeats(emulator: AwsEmulator) -> None:
    lacking: list[Any] = [
        emulator.client("ec2").get_image_block_public_access_state,  # an operation moto does not know
        lambda: emulator.client("ssm").describe_sessions(State="Active"),
        emulator.client("macie2").list_findings,  # a path moto answers with a web page
        emulator.client("artifact").list_reports,  # a service moto does not know
    ]
    for call in lacking:
        assert refusal(call)[:2] == (NOT_IMPLEMENTED, 400)
    assert sorted(emulator.counts().values()) == [1, 1, 1, 1]


def test_a_throttled_call_is_repeated_by_the_client_and_then_answered(emulator: AwsEmulator) -> None:
    emulator.throttle("kms:ListKeys", times=1)
    assert emulator.client("kms").list_keys()["Keys"] == []
    assert emulator.counts() == {"kms:ListKeys": 2}


def test_a_connection_can_be_closed_before_an_answer_or_in_the_middle_of_one(emulator: AwsEmulator) -> None:
    emulator.fault(Fault("iam:ListUsers", "cut"))
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        emulator.client("iam").list_users()
    emulator.fault(Fault("iam:ListRoles", "truncate"))
    with pytest.raises(ResponseParserError):
        emulator.client("iam").list_roles()


def test_a_bucket_read_can_be_answered_with_nothing_at_all(emulator: AwsEmulator) -> None:
    emulator.fault(Fault("s3:ListBuckets", "empty"))
    assert "Buckets" not in emulator.client("s3").list_buckets()


def test_a_failure_of_the_service_has_the_code_and_status_asked_for(emulator: AwsEmulator) -> None:
    emulator.fault(Fault("rds:DescribeDBInstances", "error", code="InternalFailure", status=500))
    assert refusal(emulator.client("rds").describe_db_instances)[:2] == ("InternalFailure", 500)


def test_latency_is_added_to_every_answer(emulator: AwsEmulator) -> None:
    iam = emulator.client("iam")
    iam.list_users()
    emulator.latency(0.3)
    began = time.monotonic()
    iam.list_users()
    assert time.monotonic() - began >= 0.3


def test_an_unknown_fault_is_refused_by_the_control_desk(emulator: AwsEmulator) -> None:
    with pytest.raises(EmulatorError, match="a fault's action is one of"):
        emulator.control("POST", "faults", [{"calls": "s3:*", "action": "explode"}])


def test_what_is_made_and_reported_follows_the_clock(emulator: AwsEmulator) -> None:
    iam = emulator.client("iam")
    emulator.set_clock(AT)
    iam.create_user(UserName="early")
    iam.create_access_key(UserName="early")
    emulator.set_clock(AT + timedelta(days=40))
    iam.create_user(UserName="late")
    made = {user["UserName"]: user["CreateDate"] for user in iam.list_users()["Users"]}
    assert abs(made["late"] - made["early"] - timedelta(days=40)) < timedelta(minutes=1)
    rows = report(emulator)
    assert rows["early"]["access_key_1_last_rotated"].startswith("2026-03-05T06:00")
    assert abs(iam.get_credential_report()["GeneratedTime"] - (AT + timedelta(days=40))) < timedelta(minutes=1)
    assert rows["<root_account>"]["arn"] == f"arn:aws:iam::{ACCOUNT}:root"


def test_temporary_credentials_live_in_real_time_whatever_the_clock_says(emulator: AwsEmulator) -> None:
    emulator.set_clock(AT - timedelta(days=400))
    role = emulator.client("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/reader", RoleSessionName="test")
    assert role["Credentials"]["Expiration"] > datetime.now(UTC)


def test_s3_control_is_reached_under_the_emulators_own_address(emulator: AwsEmulator) -> None:
    control = emulator.client("s3control")
    assert refusal(control.get_public_access_block, AccountId=ACCOUNT)[0] == "NoSuchPublicAccessBlockConfiguration"
    control.put_public_access_block(AccountId=ACCOUNT, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    assert control.get_public_access_block(AccountId=ACCOUNT)["PublicAccessBlockConfiguration"]["BlockPublicAcls"]
    emulator.deny("s3:GetAccountPublicAccessBlock")
    assert refusal(control.get_public_access_block, AccountId=ACCOUNT)[:2] == ("AccessDenied", 403)


def test_a_bucket_without_a_rule_of_its_own_is_encrypted_as_on_aws(emulator: AwsEmulator) -> None:
    emulator.client("s3").create_bucket(Bucket="bucket-one")
    rules = emulator.client("s3").get_bucket_encryption(Bucket="bucket-one")["ServerSideEncryptionConfiguration"][
        "Rules"
    ]
    assert rules[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_only_snapshots_of_the_asked_owner_and_public_reach_are_listed(emulator: AwsEmulator) -> None:
    ec2 = emulator.client("ec2")
    assert ec2.describe_snapshots()["Snapshots"] == []
    volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    shared, private = (ec2.create_snapshot(VolumeId=volume)["SnapshotId"] for _ in range(2))
    ec2.modify_snapshot_attribute(
        SnapshotId=shared, Attribute="createVolumePermission", OperationType="add", GroupNames=["all"]
    )

    def listed(**asked: Any) -> set[str]:
        return {row["SnapshotId"] for row in ec2.describe_snapshots(**asked)["Snapshots"]}

    assert listed(OwnerIds=["self"]) == {shared, private}
    assert listed(OwnerIds=["111122223333"]) == set()
    assert listed(OwnerIds=["self"], RestorableByUserIds=["all"]) == {shared}


def test_region_settings_that_moto_lacks_are_kept_per_region(emulator: AwsEmulator) -> None:
    ec2, west = emulator.client("ec2"), emulator.client("ec2", "us-west-2")
    assert ec2.get_snapshot_block_public_access_state()["State"] == "unblocked"
    ec2.enable_snapshot_block_public_access(State="block-all-sharing")
    ec2.modify_instance_metadata_defaults(HttpTokens="required")
    assert ec2.get_snapshot_block_public_access_state()["State"] == "block-all-sharing"
    assert west.get_snapshot_block_public_access_state()["State"] == "unblocked"
    assert ec2.get_instance_metadata_defaults()["AccountLevel"] == {"HttpTokens": "required"}


def test_a_terminated_instance_leaves_systems_manager(emulator: AwsEmulator) -> None:
    ec2, ssm = emulator.client("ec2"), emulator.client("ssm")
    made = ec2.run_instances(ImageId="ami-12345678", MinCount=2, MaxCount=2)["Instances"]
    first, second = (instance["InstanceId"] for instance in made)
    emulator.supplement({"managed_instances": {"us-east-1": {first: "Online", second: "ConnectionLost"}}})
    ec2.terminate_instances(InstanceIds=[first])
    rows = ssm.describe_instance_information()["InstanceInformationList"]
    assert [(row["InstanceId"], row["PingStatus"]) for row in rows] == [(second, "ConnectionLost")]


def test_a_clock_told_to_stand_still_does_so(emulator: AwsEmulator) -> None:
    emulator.set_clock(AT, tick=False)
    iam = emulator.client("iam")
    for name in ("first", "second"):
        iam.create_user(UserName=name)
    assert {user["CreateDate"] for user in iam.list_users()["Users"]} == {AT}


def test_a_large_account_holds_what_was_asked_for(emulator: AwsEmulator) -> None:
    made = large(
        emulator,
        buckets=6,
        users=4,
        roles=2,
        policies=1,
        keys=2,
        trails=1,
        instances=3,
        volumes=2,
        snapshots=2,
        security_groups=3,
        vpcs=1,
        databases=2,
        database_snapshots=1,
    )
    assert made == 30
    assert len(emulator.client("s3").list_buckets()["Buckets"]) == 6
    assert len(emulator.client("rds").describe_db_instances()["DBInstances"]) == 2


def test_the_server_ends_when_its_parent_closes_the_pipe() -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "auditor.simulators.aws_server", "--clock", AT.isoformat()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert server.stdin is not None
    assert server.stdout is not None
    with server.stdin, server.stdout:
        url = json.loads(server.stdout.readline())["url"]
        with urlopen(f"{url}/_emulator/health", timeout=10) as health:
            assert datetime.fromisoformat(json.load(health)["now"]) - AT < timedelta(minutes=1)
        server.stdin.close()
        assert server.wait(timeout=10) == 0


def test_the_company_lives_in_three_regions_with_good_and_bad(company: AwsEmulator) -> None:
    assert {row["RegionName"] for row in company.client("ec2").describe_regions()["Regions"]} == set(REGIONS)
    assert len(company.client("s3").list_buckets()["Buckets"]) == len(BUCKETS)
    for region in REGIONS:
        ec2 = company.client("ec2", region)
        reservations = ec2.describe_instances()["Reservations"]
        tokens = {i["MetadataOptions"]["HttpTokens"] for row in reservations for i in row["Instances"]}
        assert tokens == {"required", "optional"}
        assert bool(ec2.describe_flow_logs()["FlowLogs"]) == (region != "eu-central-1")
        assert company.client("rds", region).describe_db_instances()["DBInstances"]
        assert company.client("kms", region).list_keys()["Keys"]
    status = company.client("cloudtrail").get_trail_status(Name="meadowbrook-trail")
    assert status["IsLogging"]
    assert abs(status["LatestCloudWatchLogsDeliveryTime"] - AT) < timedelta(minutes=5)
    assert company.client("iam").get_account_summary()["SummaryMap"]["AccountMFAEnabled"] == 1


def test_the_companys_people_have_the_pasts_they_were_given(company: AwsEmulator) -> None:
    rows = report(company)
    moment = datetime.fromisoformat(rows[LATE_KEY_USER]["access_key_1_last_rotated"])
    assert timedelta() <= moment - (AT - LATE_KEY_AGE) < timedelta(minutes=1)
    assert datetime.fromisoformat(rows["hugo.martin"]["password_last_used"]) == AT - timedelta(days=30)
    assert rows["ben.tanaka"]["mfa_active"] == "false"
    ends = company.client("iam").list_server_certificates()["ServerCertificateMetadataList"]
    assert sorted(row["Expiration"] < AT + timedelta(days=20) for row in ends) == [False, True]


def ids(emulator: AwsEmulator) -> set[str]:
    found = {row["VpcId"] for row in emulator.client("ec2").describe_vpcs()["Vpcs"]}
    found |= {row["VolumeId"] for row in emulator.client("ec2", "us-west-2").describe_volumes()["Volumes"]}
    return found | {row["KeyId"] for row in emulator.client("kms", "eu-central-1").list_keys()["Keys"]}


def test_every_event_of_the_story_acts_on_a_second_company_with_the_ids_of_the_first(
    company: AwsEmulator, fresh: AwsEmulator
) -> None:
    build(fresh, AT)
    assert ids(fresh) == ids(company)
    s3 = fresh.client("s3")
    assert len(STORY) >= 14
    acted = 0
    public: set[int] = set()
    blind: set[tuple[int, bool]] = set()
    names: set[str] = set()
    for day in range(DAYS):
        fresh.set_clock(AT + timedelta(days=day))
        for event in events_on(day):
            event.act(fresh)
            acted += 1
        names = {row["Name"] for row in s3.list_buckets()["Buckets"]}
        status = s3.get_bucket_policy_status(Bucket=bucket_name(OPENED_BUCKET))["PolicyStatus"]
        public |= {day} if status["IsPublic"] else set()
        try:
            s3.get_bucket_encryption(Bucket=bucket_name(OPENED_BUCKET))
        except ClientError as refused:
            blind.add((day, HIDDEN_ACTION in refused.response["Error"]["Message"]))
    assert acted == len(STORY)
    assert public == {3, 4, 5}
    assert blind == {(19, True), (20, True)}
    assert bucket_name(DELETED_BUCKET) not in names
    assert fresh.client("s3control").get_public_access_block(AccountId=ACCOUNT)
