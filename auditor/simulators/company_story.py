"""Six weeks at Meadowbrook Health: what its people do to the account, day by day.

The driver sets the account's clock to the day, acts its events, and lets a run look. Some turns have no event: a key
grows too old on day 31, a contractor has been idle too long on day 16, a certificate ends on day 20.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from auditor.simulators.aws import ACCOUNT, AwsEmulator
from auditor.simulators.company_compute import Machine, launch
from auditor.simulators.company_network import WORLD, group_id, ports
from auditor.simulators.company_people import STRONG_PASSWORDS, give_mfa, trust
from auditor.simulators.company_storage import ALL_BLOCKED, bucket_name, encrypt_with, open_policy, tls_policy

DAYS = 42
HIDDEN_ACTION = "s3:GetEncryptionConfiguration"
OPENED_BUCKET = "intake-forms"
DELETED_BUCKET = "scratch-etl"


@dataclass(frozen=True)
class Event:
    """Something that happens in the account on a day of the story."""

    day: int
    title: str
    act: Callable[[AwsEmulator], None]


def events_on(day: int) -> tuple[Event, ...]:
    """What happens on a day, in order."""
    return tuple(event for event in STORY if event.day == day)


def _open_bucket(emulator: AwsEmulator) -> None:
    s3, name = emulator.client("s3"), bucket_name(OPENED_BUCKET)
    s3.delete_public_access_block(Bucket=name)
    s3.put_bucket_policy(Bucket=name, Policy=open_policy(OPENED_BUCKET))


def _close_bucket(emulator: AwsEmulator) -> None:
    s3, name = emulator.client("s3"), bucket_name(OPENED_BUCKET)
    s3.put_bucket_policy(Bucket=name, Policy=tls_policy(OPENED_BUCKET))
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=ALL_BLOCKED)


def _rotation(*, on: bool) -> Callable[[AwsEmulator], None]:
    def act(emulator: AwsEmulator) -> None:
        kms = emulator.client("kms")
        key = kms.describe_key(KeyId="alias/meadowbrook-backup")["KeyMetadata"]["KeyId"]
        (kms.enable_key_rotation if on else kms.disable_key_rotation)(KeyId=key)

    return act


def _bucket_key(name: str, *, on: bool) -> Callable[[AwsEmulator], None]:
    def act(emulator: AwsEmulator) -> None:
        key = emulator.client("kms").describe_key(KeyId="alias/meadowbrook-phi")["KeyMetadata"]["Arn"] if on else None
        encrypt_with(emulator, name, "us-east-1", key)

    return act


def _stop_trail(emulator: AwsEmulator) -> None:
    emulator.client("cloudtrail").stop_logging(Name="meadowbrook-trail")


def _start_trail(emulator: AwsEmulator) -> None:
    emulator.client("cloudtrail").start_logging(Name="meadowbrook-trail")


def _ssh(*, opened: bool) -> Callable[[AwsEmulator], None]:
    def act(emulator: AwsEmulator) -> None:
        ec2 = emulator.client("ec2")
        change = ec2.authorize_security_group_ingress if opened else ec2.revoke_security_group_ingress
        change(GroupId=group_id(emulator, "us-east-1", "app"), IpPermissions=[ports(22, 22, WORLD)])

    return act


def _scheduling_database(*, public: bool) -> Callable[[AwsEmulator], None]:
    def act(emulator: AwsEmulator) -> None:
        rds = emulator.client("rds")
        rds.modify_db_instance(DBInstanceIdentifier="scheduling", PubliclyAccessible=public, ApplyImmediately=True)

    return act


def _lose_permission(emulator: AwsEmulator) -> None:
    emulator.deny(HIDDEN_ACTION)


def _regain_permission(emulator: AwsEmulator) -> None:
    emulator.allow(HIDDEN_ACTION)


def _delete_bucket(emulator: AwsEmulator) -> None:
    emulator.client("s3").delete_bucket(Bucket=bucket_name(DELETED_BUCKET))


def _new_instance(emulator: AwsEmulator) -> None:
    launch(emulator, "us-east-1", Machine("triage-pilot", imdsv2=False, managed=False))


def _harden_instance(emulator: AwsEmulator) -> None:
    ec2 = emulator.client("ec2")
    named = {"Name": "tag:Name", "Values": ["triage-pilot"]}
    found = ec2.describe_instances(Filters=[named])["Reservations"][0]["Instances"][0]
    ec2.modify_instance_metadata_options(InstanceId=found["InstanceId"], HttpTokens="required")
    emulator.supplement({"managed_instances": {"us-east-1": {found["InstanceId"]: "Online"}}})


def _strengthen_passwords(emulator: AwsEmulator) -> None:
    emulator.client("iam").update_account_password_policy(**STRONG_PASSWORDS)


def _second_factor(emulator: AwsEmulator) -> None:
    give_mfa(emulator.client("iam"), "ben.tanaka")


def _root_signs_in(emulator: AwsEmulator) -> None:
    now = datetime.fromisoformat(emulator.control("GET", "health")["now"]).astimezone(UTC)
    emulator.supplement({"root": {"password_last_used": now.isoformat(timespec="seconds")}})


def _make_admin(emulator: AwsEmulator) -> None:
    emulator.client("iam").attach_user_policy(
        UserName="grace.lindqvist", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
    )


def _unmake_admin(emulator: AwsEmulator) -> None:
    emulator.client("iam").detach_user_policy(
        UserName="grace.lindqvist", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
    )


def _narrow_partner(emulator: AwsEmulator) -> None:
    emulator.client("iam").update_assume_role_policy(
        RoleName="partner-integration",
        PolicyDocument=trust({"AWS": "arn:aws:iam::345678901234:root"}, StringEquals={"sts:ExternalId": "partner-9"}),
    )


def _flow_logs_in_europe(emulator: AwsEmulator) -> None:
    ec2 = emulator.client("ec2", "eu-central-1")
    vpcs = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["clinical"]}])["Vpcs"]
    ec2.create_flow_logs(
        ResourceIds=[vpcs[0]["VpcId"]],
        ResourceType="VPC",
        TrafficType="ALL",
        LogDestinationType="s3",
        LogDestination=f"arn:aws:s3:::{bucket_name('access-logs')}",
    )


def _unshare_snapshot(emulator: AwsEmulator) -> None:
    emulator.client("rds", "us-west-2").modify_db_snapshot_attribute(
        DBSnapshotIdentifier="reporting-before-upgrade", AttributeName="restore", ValuesToRemove=["all"]
    )


def _block_account(emulator: AwsEmulator) -> None:
    emulator.client("s3control").put_public_access_block(AccountId=ACCOUNT, PublicAccessBlockConfiguration=ALL_BLOCKED)


STORY: tuple[Event, ...] = (
    Event(3, "Intake opens its forms bucket for a partner, and for everyone else", _open_bucket),
    Event(5, "A second factor for ben.tanaka", _second_factor),
    Event(6, "The forms bucket is closed again", _close_bucket),
    Event(8, "Key rotation is switched off on the backup key", _rotation(on=False)),
    Event(9, "Lab results lose their default encryption key during a migration", _bucket_key("lab-results", on=False)),
    Event(11, "Lab results are encrypted under the company's key again", _bucket_key("lab-results", on=True)),
    Event(12, "Someone stops the company trail", _stop_trail),
    Event(15, "The company trail records again", _start_trail),
    Event(17, "SSH to the application servers is opened to the world", _ssh(opened=True)),
    Event(18, "SSH is closed again", _ssh(opened=False)),
    Event(19, "The auditor's right to read bucket encryption is lost", _lose_permission),
    Event(21, "The auditor may read bucket encryption again", _regain_permission),
    Event(22, "The scheduling database is made reachable from the internet", _scheduling_database(public=True)),
    Event(23, "Rotation of the backup key is switched on again", _rotation(on=True)),
    Event(24, "The scheduling database is private again", _scheduling_database(public=False)),
    Event(25, "The scratch bucket is deleted", _delete_bucket),
    Event(26, "A pilot instance is launched without the session-token metadata service", _new_instance),
    Event(27, "The root user signs in", _root_signs_in),
    Event(29, "The pilot instance is hardened and enrolled", _harden_instance),
    Event(30, "The password policy is tightened", _strengthen_passwords),
    Event(33, "grace.lindqvist becomes an administrator for a release night", _make_admin),
    Event(34, "grace.lindqvist is an engineer again", _unmake_admin),
    Event(35, "The partner role trusts only the partner's account", _narrow_partner),
    Event(37, "Flow logs are switched on in Frankfurt", _flow_logs_in_europe),
    Event(39, "The shared database snapshot is made private", _unshare_snapshot),
    Event(41, "Public access to S3 is blocked for the whole account", _block_account),
)
