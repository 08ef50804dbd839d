from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.aws.s3 import Bucket, ObjectLock, Replica, bucket, either
from auditor.collectors.aws.s3_account import account
from auditor.collectors.aws.s3_links import BucketLinks, bucket_links
from auditor.domain.reading import Reading, Seen, Unseen
from auditor.domain.resource_type import Joined, Member, Population

ACCOUNT = "111122223333"
DENIED = {"$unseen": "AccessDenied s3:GetBucketAcl"}
HIDDEN = Unseen("AccessDenied s3:GetBucketAcl")
FLAGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
DETAILS = (
    "account_block block policy_status policy acl encryption versioning ownership lifecycle replication logging "
    "object_lock tags"
).split()
WORLD_ACL = {"Grants": [{"Grantee": {"URI": "http://acs.amazonaws.com/groups/global/AllUsers"}, "Permission": "READ"}]}
PUBLIC_POLICY = {"PolicyStatus": {"IsPublic": True}}


def flags(*on: str) -> dict[str, Any]:
    return {"PublicAccessBlockConfiguration": {flag: flag in on for flag in FLAGS}}


def content(**changes: Any) -> dict[str, Any]:
    return {"Name": "records", "BucketRegion": "eu-west-1", **dict.fromkeys(DETAILS), **changes}


def described(**changes: Any) -> Bucket:
    found = bucket.describe(content(**changes))
    assert isinstance(found, Bucket)
    return found


def linked(
    *others: Bucket,
    here: Bucket | None = None,
    unseen: str | None = None,
) -> BucketLinks:
    every = [here or described(), *others]
    members = [Member(f"arn:aws:s3:::{one.name}", "global", one) for one in every]
    joined = Joined(ACCOUNT, "global", members[0], {"aws.s3.bucket": Population(tuple(members), unseen)})
    found = bucket_links.describe(joined)
    assert isinstance(found, BucketLinks)
    return found


def replicating(target: str, *, status: str = "Enabled", owner: str | None = None) -> Bucket:
    destination = {"Bucket": f"arn:aws:s3:::{target}", **({"Account": owner} if owner else {})}
    rules = [{"Status": status, "Destination": destination}]
    return described(replication={"ReplicationConfiguration": {"Rules": rules}})


def test_an_account_without_a_block_blocks_nothing() -> None:
    found = account.describe({"account_block": None}).block
    assert (found.block_public_acls, found.restrict_public_buckets) == (Seen(False), Seen(False))


def test_the_block_of_the_account_covers_a_bare_bucket() -> None:
    found = described(account_block=flags(*FLAGS)).block
    assert {getattr(found, name) for name in found.__slots__} == {Seen(True)}


def test_each_switch_may_come_from_the_account_or_the_bucket() -> None:
    found = described(account_block=flags("BlockPublicAcls"), block=flags("BlockPublicPolicy")).block
    assert (found.block_public_acls, found.block_public_policy, found.ignore_public_acls) == (
        Seen(True),
        Seen(True),
        Seen(False),
    )


def test_a_hidden_account_block_matters_only_where_the_bucket_does_not_block() -> None:
    found = described(account_block=DENIED, block=flags("BlockPublicAcls")).block
    assert (found.block_public_acls, found.block_public_policy) == (Seen(True), HIDDEN)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Seen(False)),
        ({"policy_status": PUBLIC_POLICY}, Seen(True)),
        ({"acl": WORLD_ACL}, Seen(True)),
        ({"policy_status": PUBLIC_POLICY, "block": flags("RestrictPublicBuckets")}, Seen(False)),
        ({"policy_status": PUBLIC_POLICY, "account_block": flags("RestrictPublicBuckets")}, Seen(False)),
        ({"policy_status": PUBLIC_POLICY, "block": flags("IgnorePublicAcls")}, Seen(True)),
        ({"policy_status": PUBLIC_POLICY, "block": flags("BlockPublicPolicy")}, Seen(True)),
        ({"acl": WORLD_ACL, "account_block": flags("IgnorePublicAcls")}, Seen(False)),
        ({"acl": WORLD_ACL, "block": flags("BlockPublicAcls")}, Seen(True)),
        ({"acl": {"Grants": [{"Grantee": {"URI": "http://acs.amazonaws.com/groups/s3/LogDelivery"}}]}}, Seen(False)),
        ({"acl": {"Grants": [{"Permission": "FULL_CONTROL"}]}}, Seen(False)),
        ({"acl": DENIED}, HIDDEN),
        ({"acl": DENIED, "policy_status": PUBLIC_POLICY}, Seen(True)),
        ({"acl": DENIED, "block": flags("IgnorePublicAcls")}, Seen(False)),
        ({"policy_status": PUBLIC_POLICY, "account_block": DENIED}, HIDDEN),
        ({"account_block": DENIED}, Seen(False)),
    ],
)
def test_a_bucket_is_public_by_policy_or_acl_unless_a_switch_makes_it_void(
    changes: dict[str, Any], expected: Reading[bool]
) -> None:
    assert described(**changes).public == expected


def test_either_is_decided_by_a_seen_yes_and_by_nothing_less_than_all_seen_noes() -> None:
    assert either(HIDDEN, Seen(True)) == Seen(True)
    assert either(HIDDEN, Seen(False)) == HIDDEN
    assert either(Seen(False), Seen(False)) == Seen(False)
    assert either() == Seen(False)


def test_a_bucket_without_settings_has_none_of_them() -> None:
    found = described()
    assert (found.algorithm, found.versioning, found.ownership, found.log_target) == (Seen(None),) * 4
    assert (found.tls_only, found.expires, found.object_lock) == (Seen(False), Seen(False), Seen(None))
    assert (found.replicas, found.tags) == (Seen(()), Seen(()))


def test_every_setting_we_may_not_read_is_unseen() -> None:
    found = described(**dict.fromkeys(DETAILS, DENIED))
    block = found.block
    assert {getattr(found, name) for name in found.__slots__ if name not in {"name", "region", "block"}} == {HIDDEN}
    assert {getattr(block, name) for name in block.__slots__} == {HIDDEN}


def test_a_policy_that_denies_plain_text_makes_the_bucket_tls_only() -> None:
    policy = (
        '{"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::records", '
        '"arn:aws:s3:::records/*"], "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}'
    )
    assert described(policy={"Policy": policy}).tls_only == Seen(True)
    assert isinstance(described(policy={"Policy": "{"}).tls_only, Unseen)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"Status": "Enabled", "Expiration": {"Days": 30}}, True),
        ({"Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 30}}, True),
        ({"Status": "Disabled", "Expiration": {"Days": 30}}, False),
        ({"Status": "Enabled", "Expiration": {}}, False),
        ({"Status": "Enabled"}, False),
    ],
)
def test_objects_end_only_by_an_enabled_rule_with_a_date(rule: dict[str, Any], expected: bool) -> None:
    assert described(lifecycle={"Rules": [rule]}).expires == Seen(expected)


@pytest.mark.parametrize(
    ("retention", "expected"),
    [
        ({"Mode": "COMPLIANCE", "Years": 2}, ObjectLock("COMPLIANCE", 730)),
        ({"Mode": "GOVERNANCE", "Days": 400}, ObjectLock("GOVERNANCE", 400)),
    ],
)
def test_object_lock_counts_in_days(retention: dict[str, Any], expected: ObjectLock) -> None:
    lock = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}
    assert described(object_lock={"ObjectLockConfiguration": lock}).object_lock == Seen(expected)


def test_object_lock_without_a_default_retention_keeps_nothing_by_itself() -> None:
    found = described(object_lock={"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}})
    assert found.object_lock == Seen(ObjectLock(None, None))


def test_only_enabled_replication_rules_make_copies() -> None:
    assert replicating("copies").replicas == Seen((Replica("arn:aws:s3:::copies", None),))
    assert replicating("copies", status="Disabled").replicas == Seen(())


def test_a_bucket_takes_access_logs_if_another_sends_them() -> None:
    source = bucket.describe(content(Name="site", logging={"LoggingEnabled": {"TargetBucket": "records"}}))
    hidden = bucket.describe(content(Name="other", logging=DENIED))
    assert linked(source, hidden).takes_access_logs == Seen(True)
    assert linked(hidden).takes_access_logs == HIDDEN
    assert linked().takes_access_logs == Seen(False)
    assert linked(unseen="Throttled s3:ListBuckets").takes_access_logs == Unseen("Throttled s3:ListBuckets")


def test_a_copy_counts_if_it_lies_in_another_region_or_account() -> None:
    near = bucket.describe(content(Name="copies"))
    far = bucket.describe(content(Name="copies", BucketRegion="eu-central-1"))
    somewhere = bucket.describe(content(Name="copies", BucketRegion=None))
    here = replicating("copies")
    assert linked(far, here=here).replicated_elsewhere == Seen(True)
    assert linked(near, here=here).replicated_elsewhere == Seen(False)
    assert isinstance(linked(somewhere, here=here).replicated_elsewhere, Unseen)
    assert linked(here=replicating("theirs", owner="999988887777")).replicated_elsewhere == Seen(True)
    assert linked().replicated_elsewhere == Seen(False)


def test_a_destination_that_nobody_listed_is_unseen() -> None:
    assert isinstance(linked(here=replicating("gone")).replicated_elsewhere, Unseen)
    assert isinstance(linked(here=replicating("gone", owner=ACCOUNT)).replicated_elsewhere, Unseen)
    assert linked(here=described(replication=DENIED)).replicated_elsewhere == HIDDEN
