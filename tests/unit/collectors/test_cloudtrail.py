"""Trails as their evidence shows them, and the account with all of them."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.collectors.aws.cloudtrail import (
    Recorder,
    Trail,
    organization_trail,
    organization_trails,
    recording,
    trail,
)
from auditor.domain.reading import Seen, Unseen
from auditor.domain.resource_type import Joined, Member, Population, ResourceType

ALL = {"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": True}]}


def arn(name: str, account: str = "111122223333") -> str:
    return f"arn:aws:cloudtrail:eu-west-1:{account}:trail/{name}"


def described(name: str = "main", **content: Any) -> Trail:
    listed = {"TrailARN": arn(name), "Name": name, "HomeRegion": "eu-west-1", "S3BucketName": "logs"}
    document: Trail = trail.describe({**listed, "status": {"IsLogging": True}, "selectors": ALL, **content})
    return document


def advanced(*selectors: dict[str, list[str]]) -> dict[str, Any]:
    """Each selector as ``{"field operator": values}``."""
    return {
        "AdvancedEventSelectors": [
            {"FieldSelectors": [{"Field": k.split()[0], k.split()[1]: v} for k, v in one.items()]} for one in selectors
        ]
    }


def account_with(own: Population, organization: Population | None = None) -> tuple[Any, ...]:
    populations = {trail.name: own, organization_trail.name: organization or Population(())}
    trails: tuple[Any, ...] = recording.describe(Joined("111122223333", "global", None, populations)).trails
    return trails


def population(*names: str, unseen: str | None = None, account: str = "111122223333") -> Population:
    return Population(tuple(Member(arn(name, account), "eu-west-1", described(name)) for name in names), unseen)


def management(answer: dict[str, Any]) -> tuple[str, ...]:
    match described(selectors=answer).management:
        case Seen(modes):
            return modes
        case Unseen(reason):
            raise AssertionError(reason)


def test_a_trail_with_classic_selectors_records_what_they_say() -> None:
    assert management(ALL) == ("read", "write")
    assert management({"EventSelectors": [{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": True}]}) == (
        "write",
    )
    assert management({"EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": False}]}) == ()


def test_selectors_of_one_trail_are_added_together() -> None:
    reads = {"eventCategory Equals": ["Management"], "readOnly Equals": ["true"]}
    writes = {"eventCategory Equals": ["Management"], "readOnly Equals": ["false"]}
    assert management(advanced(reads)) == ("read",)
    assert management(advanced(reads, writes)) == ("read", "write")


def test_leaving_out_the_noisy_sources_still_records_management_events() -> None:
    quiet = {"eventCategory Equals": ["Management"], "eventSource NotEquals": ["kms.amazonaws.com"]}
    assert management(advanced(quiet)) == ("read", "write")


@pytest.mark.parametrize(
    "narrowing",
    [
        {"eventSource NotEquals": ["iam.amazonaws.com"]},
        {"eventSource Equals": ["iam.amazonaws.com"]},
        {"eventName Equals": ["CreateUser"]},
        {"userIdentity.arn NotStartsWith": ["arn:aws:iam::111122223333:role/admin"]},
    ],
)
def test_a_selector_that_narrows_otherwise_records_nothing_to_lean_on(narrowing: dict[str, list[str]]) -> None:
    assert management(advanced({"eventCategory Equals": ["Management"], **narrowing})) == ()


def test_a_data_selector_records_no_management_events() -> None:
    assert management(advanced({"eventCategory Equals": ["Data"], "resources.type Equals": ["AWS::S3::Object"]})) == ()


def test_what_the_status_hides_stays_hidden() -> None:
    hidden = described(status={"$unseen": "AccessDenied cloudtrail:GetTrailStatus"})
    assert hidden.logging == Unseen("AccessDenied cloudtrail:GetTrailStatus")
    assert hidden.delivered_to_logs_at == Unseen("AccessDenied cloudtrail:GetTrailStatus")
    assert hidden.management == Seen(("read", "write"))


def test_a_trail_without_key_group_or_digests_says_so() -> None:
    plain = described()
    assert (plain.kms_key, plain.log_group, plain.validates_files) == (Seen(None), Seen(None), Seen(value=False))


def test_trails_are_listed_in_their_home_region_only() -> None:
    assert trail.listing is not None
    assert trail.listing.params == {"includeShadowTrails": False}
    assert trail.place == "region"


def test_only_trails_of_the_organisation_are_looked_for_among_the_shadows() -> None:
    page = {"trailList": [{"Name": "a", "IsOrganizationTrail": True}, {"Name": "b", "IsOrganizationTrail": False}]}
    assert [item["Name"] for item in organization_trails(page)] == ["a"]


def test_an_account_without_trails_has_none() -> None:
    assert account_with(population()) == ()


def test_a_trail_of_the_organisation_counts_in_its_member_accounts() -> None:
    trails = account_with(population(), population("org", account="999988887777"))
    assert [one.name for one in trails] == [Seen("org")]


def test_the_management_accounts_own_trail_is_not_counted_twice() -> None:
    assert len(account_with(population("org"), population("org"))) == 1


@pytest.mark.parametrize("which", [trail, organization_trail])
def test_a_listing_that_fell_short_leaves_room_for_more_trails(which: ResourceType) -> None:
    short = population(unseen="AccessDenied cloudtrail:DescribeTrails")
    trails = account_with(short) if which is trail else account_with(population(), short)
    assert trails == (Unseen("AccessDenied cloudtrail:DescribeTrails"),)


def test_the_time_of_the_last_delivery_does_not_change_the_account() -> None:
    later = described(status={"IsLogging": True, "LatestCloudWatchLogsDeliveryTime": "2026-01-02T00:00:00Z"})
    members = Population((Member(arn("main"), "eu-west-1", later),))
    assert account_with(members) == account_with(population("main"))
    assert isinstance(account_with(members)[0], Recorder)
