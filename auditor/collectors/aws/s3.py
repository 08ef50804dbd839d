"""S3 buckets and the account's block: who can get in, how objects are kept, and how they come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditor.collectors.aws._listed import listed
from auditor.collectors.aws.s3_account import ACCOUNT_BLOCK, BLOCK_FLAGS, Block, block_of
from auditor.domain.policy import requires_tls, statements_of
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import Listing, Population, Read, ResourceType

STRANGERS = (
    "http://acs.amazonaws.com/groups/global/AllUsers",
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
)


@dataclass(frozen=True, slots=True)
class ObjectLock:
    """The retention that new objects get, in days."""

    mode: str | None
    days: int | None


@dataclass(frozen=True, slots=True)
class Replica:
    """Where an enabled replication rule sends copies."""

    bucket: str
    account: str | None


@dataclass(frozen=True, slots=True)
class Tag:
    """A label that people gave."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket as its guards stand, the account's block included."""

    name: str
    region: Reading[str]
    public: Reading[bool]
    block: Block
    algorithm: Reading[str | None]
    tls_only: Reading[bool]
    versioning: Reading[str | None]
    ownership: Reading[str | None]
    expires: Reading[bool]
    replicas: Reading[tuple[Replica, ...]]
    log_target: Reading[str | None]
    object_lock: Reading[ObjectLock | None]
    tags: Reading[tuple[Tag, ...]]


bucket = ResourceType(
    "aws.s3.bucket",
    version=1,
    title="S3 bucket",
    place="account",
    listing=Listing(
        "s3:list_buckets",
        items="Buckets",
        id="arn:{partition}:s3:::{Name}",
        region="BucketRegion",
        keep=("Name", "BucketRegion", "CreationDate"),
        MaxBuckets=1000,  # the regions are told only to those who ask with a parameter
    ),
    details={
        "account_block": ACCOUNT_BLOCK,
        "block": Read(
            "s3:get_public_access_block",
            Bucket="{Name}",
            absent=("NoSuchPublicAccessBlockConfiguration",),
            keep=tuple(f"PublicAccessBlockConfiguration.{flag}" for flag in BLOCK_FLAGS),
        ),
        "policy_status": Read(
            "s3:get_bucket_policy_status",
            Bucket="{Name}",
            absent=("NoSuchBucketPolicy",),
            keep=("PolicyStatus.IsPublic",),
        ),
        "policy": Read("s3:get_bucket_policy", Bucket="{Name}", absent=("NoSuchBucketPolicy",), keep=("Policy",)),
        "acl": Read("s3:get_bucket_acl", Bucket="{Name}", keep=("Grants[].Grantee.URI", "Grants[].Permission")),
        "encryption": Read(
            "s3:get_bucket_encryption",
            Bucket="{Name}",
            absent=("ServerSideEncryptionConfigurationNotFoundError",),
            keep=("ServerSideEncryptionConfiguration.Rules[].ApplyServerSideEncryptionByDefault.SSEAlgorithm",),
        ),
        "versioning": Read("s3:get_bucket_versioning", Bucket="{Name}", keep=("Status",)),
        "ownership": Read(
            "s3:get_bucket_ownership_controls",
            Bucket="{Name}",
            absent=("OwnershipControlsNotFoundError",),
            keep=("OwnershipControls.Rules[].ObjectOwnership",),
        ),
        "lifecycle": Read(
            "s3:get_bucket_lifecycle_configuration",
            Bucket="{Name}",
            absent=("NoSuchLifecycleConfiguration",),
            keep=(
                "Rules[].ID",
                "Rules[].Status",
                "Rules[].Expiration.Days",
                "Rules[].Expiration.Date",
                "Rules[].NoncurrentVersionExpiration.NoncurrentDays",
            ),
        ),
        "replication": Read(
            "s3:get_bucket_replication",
            Bucket="{Name}",
            absent=("ReplicationConfigurationNotFoundError",),
            keep=(
                "ReplicationConfiguration.Rules[].Status",
                "ReplicationConfiguration.Rules[].Destination.Bucket",
                "ReplicationConfiguration.Rules[].Destination.Account",
            ),
        ),
        "logging": Read(
            "s3:get_bucket_logging",
            Bucket="{Name}",
            keep=("LoggingEnabled.TargetBucket", "LoggingEnabled.TargetPrefix"),
        ),
        "object_lock": Read(
            "s3:get_object_lock_configuration",
            Bucket="{Name}",
            absent=("ObjectLockConfigurationNotFoundError",),
            keep=(
                "ObjectLockConfiguration.ObjectLockEnabled",
                "ObjectLockConfiguration.Rule.DefaultRetention.Mode",
                "ObjectLockConfiguration.Rule.DefaultRetention.Days",
                "ObjectLockConfiguration.Rule.DefaultRetention.Years",
            ),
        ),
        "tags": Read(
            "s3:get_bucket_tagging",
            Bucket="{Name}",
            absent=("NoSuchTagSet",),
            keep=("TagSet[].Key", "TagSet[].Value"),
        ),
    },
)


@bucket.document
def describe_bucket(seen: Readings) -> Bucket:
    """The bucket with the account's block laid over its own, so that a check never has to."""
    block = _over(block_of(seen["account_block"]), block_of(seen["block"]))
    return Bucket(
        name=listed(seen["Name"]),
        region=_region(seen["BucketRegion"]),
        public=_public(seen, block),
        block=block,
        algorithm=seen["encryption"].map(_algorithm),
        tls_only=statements_of(seen["policy"].map(lambda answer: (answer or {}).get("Policy"))).map(requires_tls),
        versioning=seen["versioning"].map(lambda answer: (answer or {}).get("Status")),
        ownership=seen["ownership"].map(_ownership),
        expires=seen["lifecycle"].map(_expires),
        replicas=seen["replication"].map(_replicas),
        log_target=seen["logging"].map(lambda answer: _inner(answer, "LoggingEnabled").get("TargetBucket")),
        object_lock=seen["object_lock"].map(_object_lock),
        tags=seen["tags"].map(lambda answer: tuple(Tag(tag["Key"], tag["Value"]) for tag in _list(answer, "TagSet"))),
    )


def either(*readings: Reading[bool]) -> Reading[bool]:
    """Whether one of them holds; what could not be seen counts only if no other decides."""
    hidden: Unseen | None = None
    for reading in readings:
        if isinstance(reading, Unseen):
            hidden = hidden or reading
        elif reading.value:
            return Seen(value=True)
    return hidden or Seen(value=False)


def takes_logs_of(name: str, everyone: Population) -> Reading[bool]:
    """Whether server access logs of one of these buckets go to the bucket of that name."""
    targets, hidden = everyone.once(_log_targets)
    return Seen(value=True) if name in targets else hidden or Seen(value=False)


def _log_targets(everyone: Population) -> tuple[frozenset[str | None], Unseen | None]:
    targets = [one if isinstance(one, Unseen) else one.log_target for one in everyone.documents()]
    hidden = next((target for target in targets if isinstance(target, Unseen)), None)
    return frozenset(target.value for target in targets if isinstance(target, Seen)), hidden


def _region(named: Reading[Any]) -> Reading[str]:
    return Unseen("the listing names no region") if named == Seen(None) else named


def _public(seen: Readings, block: Block) -> Reading[bool]:
    """Open to strangers by policy or ACL, unless a switch makes that one void."""
    policy = seen["policy_status"].map(lambda answer: bool(_inner(answer, "PolicyStatus").get("IsPublic")))
    acl = seen["acl"].map(
        lambda answer: any(_inner(one, "Grantee").get("URI") in STRANGERS for one in _list(answer, "Grants"))
    )
    return either(_unless(policy, block.restrict_public_buckets), _unless(acl, block.ignore_public_acls))


def _unless(opened: Reading[bool], void: Reading[bool]) -> Reading[bool]:
    shut = either(opened.map(lambda value: not value), void)
    return shut.map(lambda value: not value)


def _over(upper: Block, lower: Block) -> Block:
    return Block(
        either(upper.block_public_acls, lower.block_public_acls),
        either(upper.ignore_public_acls, lower.ignore_public_acls),
        either(upper.block_public_policy, lower.block_public_policy),
        either(upper.restrict_public_buckets, lower.restrict_public_buckets),
    )


def _algorithm(answer: Any) -> str | None:
    rules = _list(_inner(answer, "ServerSideEncryptionConfiguration"), "Rules")
    found = (_inner(rule, "ApplyServerSideEncryptionByDefault").get("SSEAlgorithm") for rule in rules)
    return next((name for name in found if name), None)


def _ownership(answer: Any) -> str | None:
    rules = _list(_inner(answer, "OwnershipControls"), "Rules")
    return rules[0].get("ObjectOwnership") if rules else None


def _expires(answer: Any) -> bool:
    """Whether something ends objects or old versions; sweeping up broken uploads or delete markers does not."""
    return any(
        rule.get("Status") == "Enabled" and (_inner(rule, "Expiration") or _inner(rule, "NoncurrentVersionExpiration"))
        for rule in _list(answer, "Rules")
    )


def _replicas(answer: Any) -> tuple[Replica, ...]:
    rules = _list(_inner(answer, "ReplicationConfiguration"), "Rules")
    targets = [_inner(rule, "Destination") for rule in rules if rule.get("Status") == "Enabled"]
    return tuple(Replica(target["Bucket"], target.get("Account")) for target in targets)


def _object_lock(answer: Any) -> ObjectLock | None:
    found = _inner(answer, "ObjectLockConfiguration")
    if found.get("ObjectLockEnabled") != "Enabled":
        return None
    retention = _inner(_inner(found, "Rule"), "DefaultRetention")
    years = retention.get("Years")
    return ObjectLock(mode=retention.get("Mode"), days=years * 365 if years else retention.get("Days"))


def _inner(answer: Any, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (answer or {}).get(name) or {}
    return found


def _list(answer: Any, name: str) -> list[Any]:
    return list((answer or {}).get(name) or ())
