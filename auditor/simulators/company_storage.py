"""Meadowbrook's buckets, keys and trails."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditor.simulators.aws import ACCOUNT, AwsEmulator

PREFIX = "meadowbrook-"
ALL_BLOCKED = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}


@dataclass(frozen=True)
class Bucket:
    """A bucket and how well it is kept; what is not said is done well."""

    name: str
    region: str = "us-east-1"
    kms: bool = True
    versioned: bool = True
    logged: bool = True
    tls: bool = True
    blocked: bool = True
    acls_off: bool = True
    expires: bool = True
    public: str = ""
    """``policy`` or ``acl``, how the world may read it."""
    critical: bool = False
    locked: bool = False


BUCKETS = (
    Bucket("access-logs", kms=False, logged=False, acls_off=False),
    Bucket("audit-trail", locked=True),
    Bucket("patient-records", critical=True),
    Bucket("lab-results", critical=True),
    Bucket("imaging-archive", logged=False),
    Bucket("claims-exports", versioned=False),
    Bucket("intake-forms"),
    Bucket("billing-statements", tls=False),
    Bucket("research-deidentified", kms=False),
    Bucket("backups-primary", critical=True),
    Bucket("backups-replica", region="us-west-2", logged=False),
    Bucket("website-assets", kms=False, logged=False, tls=False, blocked=False, public="policy", versioned=False),
    Bucket("marketing-campaigns", kms=False, blocked=False, acls_off=False, public="acl", logged=False),
    Bucket("legacy-fax", kms=False, versioned=False, logged=False, tls=False, blocked=False, expires=False),
    Bucket("terraform-state", expires=False),
    Bucket("scratch-etl", kms=False, versioned=False, logged=False, expires=False),
    Bucket("telehealth-eu", region="eu-central-1", logged=False),
    Bucket("consents-eu", region="eu-central-1", logged=False, versioned=False),
)


def bucket_name(name: str) -> str:
    """The full, globally unique name of one of Meadowbrook's buckets."""
    return PREFIX + name


def encrypt_with(emulator: AwsEmulator, name: str, region: str, key: str | None) -> None:
    """Set a bucket's default encryption to a key, or take the setting away."""
    s3 = emulator.client("s3", region)
    if key is None:
        s3.delete_bucket_encryption(Bucket=bucket_name(name))
        return
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    s3.put_bucket_encryption(Bucket=bucket_name(name), ServerSideEncryptionConfiguration={"Rules": [rule]})


def open_policy(name: str) -> str:
    """A bucket policy that lets the world read."""
    allow = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket_name(name)}/*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [allow]})


def tls_policy(name: str) -> str:
    """A bucket policy that refuses plain HTTP."""
    arn = f"arn:aws:s3:::{bucket_name(name)}"
    deny = {
        "Sid": "OnlyOverTls",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},  # the bare star means the same, but moto trips over it on a log bucket
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [deny]})


def build_buckets(emulator: AwsEmulator, key: str) -> None:
    """All buckets with their settings; one is replicated to another region."""
    for bucket in BUCKETS:
        _build_bucket(emulator, bucket, key)
    replica = {
        "Role": f"arn:aws:iam::{ACCOUNT}:role/replication",
        "Rules": [
            {
                "ID": "to-the-west",
                "Status": "Enabled",
                "Priority": 1,
                "Filter": {"Prefix": ""},
                "DeleteMarkerReplication": {"Status": "Disabled"},
                "Destination": {"Bucket": f"arn:aws:s3:::{bucket_name('backups-replica')}"},
            }
        ],
    }
    s3 = emulator.client("s3")
    s3.put_bucket_replication(Bucket=bucket_name("backups-primary"), ReplicationConfiguration=replica)


def _build_bucket(emulator: AwsEmulator, bucket: Bucket, key: str) -> None:
    s3, name = emulator.client("s3", bucket.region), bucket_name(bucket.name)
    place: dict[str, Any] = {}
    if bucket.region != "us-east-1":
        place = {"CreateBucketConfiguration": {"LocationConstraint": bucket.region}}
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=bucket.locked, **place)
    if bucket.locked:
        retention = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 400}}
        lock = {"ObjectLockEnabled": "Enabled", "Rule": retention}
        s3.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=lock)
    if bucket.kms:
        encrypt_with(emulator, bucket.name, bucket.region, key)
    _keep(s3, bucket)
    _guard(s3, bucket)


def _keep(s3: Any, bucket: Bucket) -> None:
    """How long and how traceably its objects are kept."""
    name = bucket_name(bucket.name)
    if bucket.versioned:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    if bucket.name == "access-logs":
        s3.put_bucket_acl(Bucket=name, ACL="log-delivery-write")
    if bucket.logged:
        target = {"TargetBucket": bucket_name("access-logs"), "TargetPrefix": f"{bucket.name}/"}
        s3.put_bucket_logging(Bucket=name, BucketLoggingStatus={"LoggingEnabled": target})
    if bucket.expires:
        rule = {"ID": "age-out", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 2555}}
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [rule]})
    level = "high" if bucket.critical else "low"
    tags = [{"Key": "owner", "Value": "data-platform"}, {"Key": "criticality", "Value": level}]
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})


def _guard(s3: Any, bucket: Bucket) -> None:
    """Who may reach it, and how."""
    name = bucket_name(bucket.name)
    if bucket.tls:
        s3.put_bucket_policy(Bucket=name, Policy=tls_policy(bucket.name))
    if bucket.blocked:
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=ALL_BLOCKED)
    if bucket.acls_off:
        rules = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=rules)
    if bucket.public == "policy":
        s3.put_bucket_policy(Bucket=name, Policy=open_policy(bucket.name))
    if bucket.public == "acl":
        s3.put_bucket_acl(Bucket=name, ACL="public-read")


def build_keys(emulator: AwsEmulator, region: str) -> Mapping[str, str]:
    """The region's keys, good ones by their role (``phi``, ``backup``, ``trail``) and some bad ones; answers name → ARN."""
    kms = emulator.client("kms", region)
    keys = {role: _key(kms, role, rotated=True) for role in ("phi", "backup", "trail")}
    keys["legacy"] = _key(kms, "legacy", rotated=False)
    if region == "us-west-2":
        keys["partner"] = _key(kms, "partner", rotated=True, principal="*")
    if region == "eu-central-1":
        retired = _key(kms, "retired", rotated=False)
        kms.schedule_key_deletion(KeyId=retired.rpartition("/")[2], PendingWindowInDays=30)
    if region == "us-east-1":
        kms.create_key(Description="signs discharge letters", KeyUsage="SIGN_VERIFY", KeySpec="RSA_2048")
    return keys


def _key(kms: Any, role: str, *, rotated: bool, principal: str | None = None) -> str:
    who: Any = principal or {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    statement = {"Effect": "Allow", "Principal": who, "Action": "kms:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    key: str = kms.create_key(Description=f"Meadowbrook {role}", Policy=document)["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName=f"alias/meadowbrook-{role}", TargetKeyId=key)
    if rotated:
        kms.enable_key_rotation(KeyId=key)
    return key


def build_trails(emulator: AwsEmulator, key: str) -> None:
    """The company trail as it should be, and a forgotten one in a single region."""
    trails = emulator.client("cloudtrail")
    trails.create_trail(
        Name="meadowbrook-trail",
        S3BucketName=bucket_name("audit-trail"),
        IsMultiRegionTrail=True,
        IncludeGlobalServiceEvents=True,
        EnableLogFileValidation=True,
        KmsKeyId=key,
        CloudWatchLogsLogGroupArn=f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:meadowbrook-trail:*",
        CloudWatchLogsRoleArn=f"arn:aws:iam::{ACCOUNT}:role/trail-to-logs",
    )
    everything = {
        "ReadWriteType": "All",
        "IncludeManagementEvents": True,
        "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}],
    }
    trails.put_event_selectors(TrailName="meadowbrook-trail", EventSelectors=[everything])
    trails.start_logging(Name="meadowbrook-trail")
    old = emulator.client("cloudtrail", "us-west-2")
    old.create_trail(Name="legacy-trail", S3BucketName=bucket_name("legacy-fax"), IncludeGlobalServiceEvents=False)
    old.start_logging(Name="legacy-trail")
