"""Buckets and trails joined: who records what, and where the records lie."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.aws.cloudtrail import organization_trail, trail
from auditor.collectors.aws.s3 import bucket
from auditor.collectors.aws.trail_buckets import (
    ObjectRecording,
    TrailBucket,
    WatchedBucket,
    object_recording,
    trail_bucket,
    watched_bucket,
)
from auditor.domain.reading import Reading, Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Member, Population

YES, NO = Seen(value=True), Seen(value=False)
EVERY_OBJECT = {"eventCategory Equals": ["Data"], "resources.type Equals": ["AWS::S3::Object"]}
DENIED = "AccessDenied cloudtrail:DescribeTrails"


def a_bucket(name: str, region: str = "eu-west-1", *, log_target: str | None = None, **content: Any) -> Member:
    logging = {"LoggingEnabled": {"TargetBucket": log_target}} if log_target else {}
    return Member(f"arn:aws:s3:::{name}", region, bucket.describe({"Name": name, "logging": logging, **content}))


def advanced(*selectors: dict[str, list[str]]) -> dict[str, Any]:
    """Each selector as ``{"field operator": values}``."""
    return {
        "AdvancedEventSelectors": [
            {"FieldSelectors": [{"Field": k.split()[0], k.split()[1]: v} for k, v in one.items()]} for one in selectors
        ]
    }


def classic(*values: str, mode: str = "All") -> dict[str, Any]:
    resources = [{"Type": "AWS::S3::Object", "Values": list(values)}]
    return {"EventSelectors": [{"ReadWriteType": mode, "IncludeManagementEvents": False, "DataResources": resources}]}


def a_trail(selectors: dict[str, Any], name: str = "main", *, multi: bool = True, **content: Any) -> Member:
    arn = f"arn:aws:cloudtrail:eu-west-1:111122223333:trail/{name}"
    listed = {
        "TrailARN": arn,
        "Name": name,
        "HomeRegion": "eu-west-1",
        "IsMultiRegionTrail": multi,
        "S3BucketName": "logs",
    }
    document = trail.describe({**listed, "status": {"IsLogging": True}, "selectors": selectors, **content})
    return Member(arn, "eu-west-1", document)


def populations(
    trails: tuple[Member, ...] = (),
    buckets: tuple[Member, ...] = (),
    *,
    of_organization: tuple[Member, ...] = (),
    trails_unseen: str | None = None,
    buckets_unseen: str | None = None,
) -> dict[str, Population]:
    return {
        trail.name: Population(trails, trails_unseen),
        organization_trail.name: Population(of_organization),
        bucket.name: Population(buckets, buckets_unseen),
    }


def build(kind: DerivedType, member: Member | None, found: dict[str, Population]) -> Any:
    return kind.describe(Joined("111122223333", "global", member, found))


def watched(one: Member, *others: Member, trails: tuple[Member, ...] = (), **more: Any) -> WatchedBucket:
    document: WatchedBucket = build(watched_bucket, one, populations(trails, (one, *others), **more))
    return document


def recorded(selectors: dict[str, Any], **content: Any) -> Reading[bool]:
    return watched(a_bucket("data"), trails=(a_trail(selectors, **content),)).recorded


def account(*trails: Member, buckets: tuple[Member, ...] = (), **more: Any) -> ObjectRecording:
    document: ObjectRecording = build(object_recording, None, populations(trails, buckets, **more))
    return document


@pytest.mark.parametrize("value", ["arn:aws:s3", "arn:aws:s3:::", "arn:aws:s3:::data/"])
def test_a_classic_selector_over_the_whole_bucket_records_it(value: str) -> None:
    assert recorded(classic(value)) == YES


@pytest.mark.parametrize("value", ["arn:aws:s3:::data/reports/", "arn:aws:s3:::other/", "arn:aws:s3:::data-two/"])
def test_a_classic_selector_over_less_or_other_does_not(value: str) -> None:
    assert recorded(classic(value)) == NO


def test_a_selector_of_writes_only_leaves_the_reads_unrecorded() -> None:
    assert recorded(classic("arn:aws:s3", mode="WriteOnly")) == NO


def test_an_advanced_selector_without_a_place_records_every_bucket() -> None:
    assert recorded(advanced(EVERY_OBJECT)) == YES


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"resources.ARN StartsWith": ["arn:aws:s3:::data/"]}, YES),
        ({"resources.ARN StartsWith": ["arn:aws:s3:::other/"]}, NO),
        ({"resources.ARN StartsWith": ["arn:aws:s3:::data/reports/"]}, NO),
        ({"resources.ARN NotStartsWith": ["arn:aws:s3:::other/"]}, YES),
        ({"resources.ARN NotStartsWith": ["arn:aws:s3:::data/tmp/"]}, NO),
        ({"resources.ARN NotEquals": ["arn:aws:s3:::data/secret"]}, NO),
        ({"resources.ARN Equals": ["arn:aws:s3:::data/one"]}, NO),
        ({"resources.ARN EndsWith": [".csv"]}, NO),
        ({"eventName Equals": ["DeleteObject"]}, NO),
        ({"readOnly Equals": ["false"]}, NO),
        ({"userIdentity.arn NotEquals": ["arn:aws:iam::111122223333:user/ann"]}, NO),
    ],
)
def test_an_advanced_selector_counts_only_for_whole_buckets(more: dict[str, list[str]], expected: object) -> None:
    assert recorded(advanced({**EVERY_OBJECT, **more})) == expected


def test_a_trail_that_stands_still_records_nothing() -> None:
    assert recorded(advanced(EVERY_OBJECT), status={"IsLogging": False}) == NO


def test_a_trail_of_one_region_records_the_buckets_there() -> None:
    single = a_trail(advanced(EVERY_OBJECT), multi=False)
    assert watched(a_bucket("data", "eu-west-1"), trails=(single,)).recorded == YES
    assert watched(a_bucket("data", "us-east-1"), trails=(single,)).recorded == NO


def test_trails_are_added_together() -> None:
    reads = a_trail(classic("arn:aws:s3", mode="ReadOnly"), "reads")
    writes = a_trail(classic("arn:aws:s3", mode="WriteOnly"), "writes")
    assert watched(a_bucket("data"), trails=(reads, writes)).recorded == YES
    assert (account(reads, writes).reads, account(reads, writes).writes) == (YES, YES)
    assert (account(writes).reads, account(writes).writes) == (NO, YES)


def test_hidden_trails_leave_the_recording_unknown_unless_another_decides() -> None:
    one = a_bucket("data")
    assert watched(one, trails_unseen=DENIED).recorded == Unseen(DENIED)
    assert watched(one, trails=(a_trail(advanced(EVERY_OBJECT)),), trails_unseen=DENIED).recorded == YES
    hidden = a_trail({"$unseen": "AccessDenied x"})
    assert watched(one, trails=(hidden,)).recorded == Unseen("AccessDenied x")


def test_a_trail_of_the_organisation_records_buckets_here_too() -> None:
    assert watched(a_bucket("data"), of_organization=(a_trail(advanced(EVERY_OBJECT)),)).recorded == YES


def test_access_logs_count_when_they_lie_in_another_bucket() -> None:
    assert watched(a_bucket("data", log_target="logs")).logged_elsewhere == YES
    assert watched(a_bucket("data", log_target="data")).logged_elsewhere == NO
    assert watched(a_bucket("data")).logged_elsewhere == NO


def test_a_bucket_that_others_log_to_is_a_log_target() -> None:
    logs = a_bucket("logs")
    assert watched(logs, a_bucket("data", log_target="logs")).is_log_target == YES
    assert watched(logs, a_bucket("data")).is_log_target == NO
    unreadable = a_bucket("data", logging={"$unseen": "AccessDenied s3:GetBucketLogging"})
    assert watched(logs, unreadable).is_log_target == Unseen("AccessDenied s3:GetBucketLogging")
    assert watched(logs, buckets_unseen="Throttling s3:ListAllMyBuckets").is_log_target == Unseen(
        "Throttling s3:ListAllMyBuckets"
    )


def test_a_bucket_that_a_trail_writes_to_takes_audit_logs() -> None:
    writer = a_trail({})
    assert watched(a_bucket("logs"), trails=(writer,)).takes_trail_logs == YES
    assert watched(a_bucket("data"), trails=(writer,)).takes_trail_logs == NO
    assert watched(a_bucket("data"), trails_unseen=DENIED).takes_trail_logs == Unseen(DENIED)


def test_the_lock_of_a_bucket_is_told_in_days() -> None:
    retention = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 1}}}
    locked = watched(a_bucket("logs", object_lock={"ObjectLockConfiguration": retention}))
    assert (locked.lock_mode, locked.locked_days) == (Seen("COMPLIANCE"), Seen(365))
    plain = watched(a_bucket("logs"))
    assert (plain.lock_mode, plain.locked_days) == (Seen(None), Seen(0))
    hidden = watched(a_bucket("logs", object_lock={"$unseen": "AccessDenied y"}))
    assert (hidden.lock_mode, hidden.locked_days) == (Unseen("AccessDenied y"),) * 2


def test_a_trails_bucket_shows_its_guards() -> None:
    writer = a_trail({})
    grants = [{"Grantee": {"URI": "http://acs.amazonaws.com/groups/global/AllUsers"}, "Permission": "READ"}]
    opened: TrailBucket = build(
        trail_bucket, writer, populations((writer,), (a_bucket("logs", acl={"Grants": grants}),))
    )
    assert (opened.public, opened.logged_elsewhere) == (YES, NO)
    shut: TrailBucket = build(trail_bucket, writer, populations((writer,), (a_bucket("logs", log_target="more"),)))
    assert (shut.public, shut.logged_elsewhere) == (NO, YES)


def test_a_bucket_of_another_account_is_unknown_not_open() -> None:
    writer = a_trail({})
    away: TrailBucket = build(trail_bucket, writer, populations((writer,), (a_bucket("data"),)))
    assert away.public == Unseen("bucket logs is not among the account's own")
    hidden: TrailBucket = build(trail_bucket, writer, populations((writer,), buckets_unseen="AccessDenied z"))
    assert hidden.public == Unseen("AccessDenied z")


def test_an_account_without_a_trail_records_nothing_even_if_its_buckets_are_hidden() -> None:
    assert account().reads == NO
    assert account(buckets_unseen="AccessDenied z").writes == NO


def test_an_account_whose_every_bucket_is_named_is_recorded() -> None:
    data, more = a_bucket("data"), a_bucket("more", "us-east-1")
    first, second = a_trail(classic("arn:aws:s3:::data/"), "one"), a_trail(classic("arn:aws:s3:::more/"), "two")
    assert account(first, second, buckets=(data, more)).reads == YES
    assert account(first, buckets=(data, more)).reads == NO
    assert account(first, second, buckets=(data, more), buckets_unseen="AccessDenied z").reads == Unseen(
        "AccessDenied z"
    )
    assert account(first).reads == NO


def test_a_selector_that_leaves_a_bucket_out_is_not_over_all_of_them() -> None:
    partial = a_trail(advanced({**EVERY_OBJECT, "resources.ARN NotStartsWith": ["arn:aws:s3:::data/"]}))
    assert account(partial, buckets=(a_bucket("data"),)).reads == NO
    assert account(partial, buckets=(a_bucket("other"),)).reads == YES
