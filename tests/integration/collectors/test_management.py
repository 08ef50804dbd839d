"""Systems Manager, secrets, sign-in pools, queues, stacks, tags, permission sets and sharing, in an account that answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from auditor.simulators.aws import ACCOUNT, AwsEmulator
from tests.integration.collectors.looking import Told, look, looked, reasons

HERE = "us-east-1"
FOREIGN = "210987654321"
DOCUMENT = {"schemaVersion": "1.0", "description": "Session settings", "sessionType": "Standard_Stream"}
COMMAND = {"schemaVersion": "2.2", "description": "Say hello", "mainSteps": []}


@pytest.fixture(scope="module")
def started() -> Iterator[AwsEmulator]:
    with AwsEmulator() as emulator:
        yield emulator


@pytest.fixture
def account(started: AwsEmulator) -> Iterator[AwsEmulator]:
    started.reset()
    started.clear_faults()
    yield started
    started.clear_faults()


def arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{HERE}:{ACCOUNT}:{rest}"


def open_policy(action: str) -> str:
    statement = {"Sid": "Everybody", "Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def managed_instance(account: AwsEmulator) -> str:
    ec2 = account.client("ec2")
    made = ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    account.supplement({"managed_instances": {HERE: {made: "Online"}}})
    return arn("ec2", f"instance/{made}")


def sessions(account: AwsEmulator, **inputs: str) -> None:
    account.client("ssm").create_document(
        Name="SSM-SessionManagerRunShell",
        DocumentType="Session",
        DocumentFormat="JSON",
        Content=json.dumps({**DOCUMENT, "inputs": inputs}),
    )


def test_a_plain_parameter_with_the_name_of_a_secret_is_found(account: AwsEmulator) -> None:
    ssm = account.client("ssm")
    for name, kind in (("/app/db_password", "String"), ("/app/api-key", "SecureString"), ("color", "String")):
        ssm.put_parameter(Name=name, Value="blue", Type=kind)
    assert look(account, ["ssm.parameter.secure_strings"]) == {
        "ssm.parameter.secure_strings": {
            arn("ssm", "parameter/app/db_password"): "fail",
            arn("ssm", "parameter/app/api-key"): "pass",
            arn("ssm", "parameter/color"): "not_applicable",
        }
    }


SESSION_CHECKS = ("ssm.session.idle_timeout", "ssm.session.logged")


def only(told: Told, check: str) -> str:
    (verdict,) = told[check].values()
    return verdict


def test_a_region_without_managed_instances_has_no_sessions_to_judge(account: AwsEmulator) -> None:
    told = look(account, SESSION_CHECKS)
    assert [only(told, check) for check in SESSION_CHECKS] == ["not_applicable", "not_applicable"]


def test_sessions_that_nobody_configured_idle_too_long_and_leave_no_record(account: AwsEmulator) -> None:
    managed_instance(account)
    told = look(account, SESSION_CHECKS)
    assert [only(told, check) for check in SESSION_CHECKS] == ["fail", "fail"]
    assert "after 20 minutes" in only(reasons(account, SESSION_CHECKS), "ssm.session.idle_timeout")


def test_sessions_that_end_and_are_recorded_are_fine(account: AwsEmulator) -> None:
    managed_instance(account)
    sessions(account, idleSessionTimeout="15", cloudWatchLogGroupName="sessions", s3BucketName="")
    told = look(account, SESSION_CHECKS)
    assert [only(told, check) for check in SESSION_CHECKS] == ["pass", "pass"]


def test_patch_states_that_cannot_be_read_are_unknown(account: AwsEmulator) -> None:
    instance = managed_instance(account)
    assert look(account, ["ssm.instance.patch_compliant"])["ssm.instance.patch_compliant"] == {instance: "unknown"}


def test_a_document_that_everybody_may_run_is_found(account: AwsEmulator) -> None:
    ssm = account.client("ssm")
    for name in ("shared", "kept"):
        ssm.create_document(Name=name, DocumentType="Command", DocumentFormat="JSON", Content=json.dumps(COMMAND))
    ssm.modify_document_permission(Name="shared", PermissionType="Share", AccountIdsToAdd=["all"])
    assert look(account, ["ssm.document.not_public"])["ssm.document.not_public"] == {
        arn("ssm", "document/shared"): "fail",
        arn("ssm", "document/kept"): "pass",
    }


def test_secrets_are_judged_by_rotation_and_by_whom_they_let_in(account: AwsEmulator) -> None:
    secrets = account.client("secretsmanager")
    handed_out = secrets.create_secret(Name="handed-out", SecretString="one")["ARN"]
    kept = secrets.create_secret(Name="kept", SecretString="two")["ARN"]
    secrets.put_resource_policy(SecretId=handed_out, ResourcePolicy=open_policy("secretsmanager:GetSecretValue"))
    told = look(account, ["secretsmanager.secret.rotated", "secretsmanager.secret.policy_restricted"])
    assert told["secretsmanager.secret.policy_restricted"] == {handed_out: "fail", kept: "pass"}
    assert told["secretsmanager.secret.rotated"] == {handed_out: "fail", kept: "fail"}


def test_a_hidden_secret_policy_is_unknown_while_rotation_is_judged(account: AwsEmulator) -> None:
    kept = account.client("secretsmanager").create_secret(Name="kept", SecretString="one")["ARN"]
    account.deny("secretsmanager:GetResourcePolicy")
    told = look(account, ["secretsmanager.secret.rotated", "secretsmanager.secret.policy_restricted"])
    assert told["secretsmanager.secret.policy_restricted"] == {kept: "unknown"}
    assert told["secretsmanager.secret.rotated"] == {kept: "fail"}


def test_a_pool_with_optional_factors_lets_people_in_by_password(account: AwsEmulator) -> None:
    cognito = account.client("cognito-idp")
    pools = {name: cognito.create_user_pool(PoolName=name)["UserPool"]["Id"] for name in ("on", "optional", "off")}
    for name in ("on", "optional"):
        cognito.set_user_pool_mfa_config(
            UserPoolId=pools[name],
            MfaConfiguration=name.upper(),
            SoftwareTokenMfaConfiguration={"Enabled": True},
        )
    assert look(account, ["cognito.user_pool.mfa_required"])["cognito.user_pool.mfa_required"] == {
        arn("cognito-idp", f"userpool/{pools['on']}"): "pass",
        arn("cognito-idp", f"userpool/{pools['optional']}"): "fail",
        arn("cognito-idp", f"userpool/{pools['off']}"): "fail",
    }


def test_queues_are_judged_by_key_policy_and_dead_letters(account: AwsEmulator) -> None:
    sqs = account.client("sqs")
    failed, orders, loose = (arn("sqs", name) for name in ("failed", "orders", "loose"))
    sqs.create_queue(QueueName="failed", Attributes={"KmsMasterKeyId": "alias/aws/sqs"})
    redrive = json.dumps({"deadLetterTargetArn": failed, "maxReceiveCount": "5"})
    sqs.create_queue(QueueName="orders", Attributes={"RedrivePolicy": redrive})
    sqs.create_queue(
        QueueName="loose", Attributes={"SqsManagedSseEnabled": "false", "Policy": open_policy("sqs:SendMessage")}
    )
    told = look(account, ["sqs.queue.encrypted", "sqs.queue.not_public", "sqs.queue.dead_letter_set"])
    assert told["sqs.queue.encrypted"] == {failed: "pass", orders: "pass", loose: "fail"}
    assert told["sqs.queue.not_public"] == {failed: "pass", orders: "pass", loose: "fail"}
    assert told["sqs.queue.dead_letter_set"] == {failed: "not_applicable", orders: "pass", loose: "fail"}


def test_a_stack_whose_drift_nobody_looked_for_is_unknown(account: AwsEmulator) -> None:
    template = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    cloudformation = account.client("cloudformation")
    stack = cloudformation.create_stack(StackName="web", TemplateBody=template)["StackId"]
    cloudformation.create_stack(StackName="gone", TemplateBody=template)
    cloudformation.delete_stack(StackName="gone")
    assert look(account, ["cloudformation.stack.no_drift"])["cloudformation.stack.no_drift"] == {stack: "unknown"}


TAGGED = tuple(f"tagging.{kind}.data_class_tagged" for kind in ("bucket", "table", "file_system", "volume"))
TAGS = [{"Key": "Owner", "Value": "care"}, {"Key": "data-class", "Value": "ephi"}]


def test_each_store_answers_for_its_own_tags(account: AwsEmulator) -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket="charts-1")
    s3.put_bucket_tagging(Bucket="charts-1", Tagging={"TagSet": TAGS})
    files = account.client("efs").create_file_system(CreationToken="scans", Tags=TAGS)["FileSystemId"]
    key = {"AttributeName": "id", "KeyType": "HASH"}
    account.client("dynamodb").create_table(
        TableName="visits",
        KeySchema=[key],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=TAGS,
    )
    bare = account.client("ec2").create_volume(Size=1, AvailabilityZone=f"{HERE}a")["VolumeId"]
    assert look(account, TAGGED) == {
        "tagging.bucket.data_class_tagged": {"arn:aws:s3:::charts-1": "pass"},
        "tagging.table.data_class_tagged": {arn("dynamodb", "table/visits"): "pass"},
        "tagging.file_system.data_class_tagged": {arn("elasticfilesystem", f"file-system/{files}"): "pass"},
        "tagging.volume.data_class_tagged": {arn("ec2", f"volume/{bare}"): "fail"},
    }


def test_tags_that_may_not_be_read_are_unknown(account: AwsEmulator) -> None:
    account.client("s3").create_bucket(Bucket="charts-2")
    account.deny("resourcegroupstaggingapi:GetResources")
    assert only(look(account, [TAGGED[0]]), TAGGED[0]) == "unknown"


def permission_set(account: AwsEmulator, name: str, *policies: str) -> str:
    iam = account.client("iam")
    role = f"AWSReservedSSO_{name}_0123456789abcdef"
    made = iam.create_role(
        RoleName=role,
        Path="/aws-reserved/sso.amazonaws.com/eu-west-1/",
        AssumeRolePolicyDocument=open_policy("sts:AssumeRoleWithSAML"),
    )
    for policy in policies:
        iam.attach_role_policy(RoleName=role, PolicyArn=policy)
    return str(made["Role"]["Arn"])


def test_permission_sets_are_judged_by_the_rights_of_their_roles(account: AwsEmulator) -> None:
    admin = permission_set(account, "Admin", "arn:aws:iam::aws:policy/AdministratorAccess")
    power = permission_set(account, "Power_Users", "arn:aws:iam::aws:policy/PowerUserAccess")
    reader = permission_set(account, "Reader", "arn:aws:iam::aws:policy/ReadOnlyAccess")
    account.client("iam").create_role(RoleName="app", AssumeRolePolicyDocument=open_policy("sts:AssumeRole"))
    check = "sso.permission_set.no_admin"
    assert look(account, [check])[check] == {admin: "fail", power: "fail", reader: "pass"}
    assert reasons(account, [check])[check][power].startswith("Permission set Power_Users holds administrator rights")


SHARED = ("ec2.snapshot.not_shared_outside", "ec2.image.not_shared_outside", "kms.key.not_shared_outside")


def share(account: AwsEmulator, who: str) -> dict[str, str]:
    """A snapshot, an image and a key, each shared with that account; check -> resource."""
    ec2 = account.client("ec2")
    volume = ec2.create_volume(Size=1, AvailabilityZone=f"{HERE}a")["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    ec2.modify_snapshot_attribute(
        SnapshotId=snapshot, Attribute="createVolumePermission", OperationType="add", UserIds=[who]
    )
    instance = managed_instance(account).rsplit("/", 1)[-1]
    image = ec2.create_image(InstanceId=instance, Name="golden")["ImageId"]
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": who}]})
    principals = [f"arn:aws:iam::{account_id}:root" for account_id in (ACCOUNT, who)]
    statement = {"Effect": "Allow", "Principal": {"AWS": principals}, "Action": "kms:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    key = account.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]
    resources = (f"arn:aws:ec2:{HERE}::snapshot/{snapshot}", f"arn:aws:ec2:{HERE}::image/{image}", key)
    return dict(zip(SHARED, resources, strict=True))


def verdicts(account: AwsEmulator, shared: dict[str, str]) -> list[str]:
    told: dict[str, dict[str, Any]] = look(account, SHARED)
    return [told[check][resource] for check, resource in shared.items()]


def test_without_an_organisation_every_other_account_stands_outside(account: AwsEmulator) -> None:
    shared = share(account, FOREIGN)
    assert verdicts(account, shared) == ["fail"] * 3
    told = reasons(account, SHARED)
    assert all(
        told[check][resource].endswith(f"outside the organisation: {FOREIGN}") for check, resource in shared.items()
    )


def test_sharing_with_a_member_of_the_organisation_is_fine(account: AwsEmulator) -> None:
    organizations = account.client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    made = organizations.create_account(AccountName="Backup", Email="backup@example.com")["CreateAccountStatus"]
    assert verdicts(account, share(account, made["AccountId"])) == ["pass"] * 3


def test_a_foreign_account_is_unknown_while_the_organisation_may_not_be_asked(account: AwsEmulator) -> None:
    account.client("organizations").create_organization(FeatureSet="ALL")
    account.deny("organizations:ListAccounts")
    shared = share(account, FOREIGN)
    assert verdicts(account, shared) == ["unknown"] * 3
    told = reasons(account, SHARED)
    assert all("organizations:ListAccounts" in told[check][resource] for check, resource in shared.items())


def test_no_value_of_a_parameter_or_secret_is_in_the_evidence(account: AwsEmulator) -> None:
    account.client("ssm").put_parameter(Name="/app/password", Value="canary-value", Type="String")
    account.client("secretsmanager").create_secret(Name="db", SecretString="canary-value")
    sessions(account, idleSessionTimeout="5", kmsKeyId="canary-value")
    managed_instance(account)
    checks = ("ssm.parameter.secure_strings", *SESSION_CHECKS, "secretsmanager.secret.rotated")
    kept = [seen.content for part in looked(account, checks).collections for seen in part.evidence]
    assert len(kept) > 3
    assert "canary-value" not in json.dumps(kept)
