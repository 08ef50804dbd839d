"""CloudTrail trails: what they record, where it goes, and whether a trail of the account sees every region.

A trail is read in its home region, where its listing is asked without shadow copies. Trails that an organisation's
management account put into this one exist here only as such copies; they are listed once, as a type of their own,
and count wherever the question is whether anything records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditor.collectors.aws.cloudtrail_selectors import ObjectSelector, management_modes, object_selectors
from auditor.domain.reading import Reading, Readings, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Listing, Member, Read, ResourceType

LISTED = (
    "TrailARN",
    "Name",
    "HomeRegion",
    "S3BucketName",
    "KmsKeyId",
    "LogFileValidationEnabled",
    "IsMultiRegionTrail",
    "IncludeGlobalServiceEvents",
    "IsOrganizationTrail",
    "CloudWatchLogsLogGroupArn",
)
DETAILS = {
    "status": Read(
        "cloudtrail:get_trail_status",
        Name="{TrailARN}",
        keep=("IsLogging", "LatestCloudWatchLogsDeliveryTime"),
    ),
    "selectors": Read(
        "cloudtrail:get_event_selectors",
        TrailName="{TrailARN}",
        keep=(
            "EventSelectors[].ReadWriteType",
            "EventSelectors[].IncludeManagementEvents",
            "EventSelectors[].ExcludeManagementEventSources",
            "EventSelectors[].DataResources",
            "AdvancedEventSelectors[].FieldSelectors",
        ),
    ),
}
VOLATILE = ("status.LatestCloudWatchLogsDeliveryTime",)


@dataclass(frozen=True, slots=True)
class Trail:
    """A trail with what it records; ``management`` holds ``read`` and ``write``, ``objects`` the S3 object selectors."""

    name: Reading[str]
    arn: Reading[str]
    home_region: Reading[str]
    bucket: Reading[str | None]
    kms_key: Reading[str | None]
    validates_files: Reading[bool]
    multi_region: Reading[bool]
    global_events: Reading[bool]
    of_organization: Reading[bool]
    log_group: Reading[str | None]
    delivered_to_logs_at: Reading[datetime | None]
    logging: Reading[bool]
    management: Reading[tuple[str, ...]]
    objects: Reading[tuple[ObjectSelector, ...]]


@dataclass(frozen=True, slots=True)
class Recorder:
    """Of a trail what says how much of the account it records; times of delivery would change it with every look."""

    name: Reading[str]
    multi_region: Reading[bool]
    global_events: Reading[bool]
    logging: Reading[bool]
    management: Reading[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Recording:
    """An account and every trail that records it, the organisation's included."""

    name: str
    trails: tuple[Recorder | Unseen, ...]


def organization_trails(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Trails of the organisation, own and foreign, as this region shows them."""
    return (item for item in page.get("trailList", ()) if item.get("IsOrganizationTrail"))


def multi_region_trails(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Trails of all regions, own and foreign: each shows in every region, so one region's answer is enough."""
    return (item for item in page.get("trailList", ()) if item.get("IsMultiRegionTrail"))


trail = ResourceType(
    "aws.cloudtrail.trail",
    version=2,
    title="CloudTrail trail",
    listing=Listing(
        "cloudtrail:describe_trails", items="trailList", id="TrailARN", keep=LISTED, includeShadowTrails=False
    ),
    details=DETAILS,
    volatile=VOLATILE,
)

organization_trail = ResourceType(
    "aws.cloudtrail.organization_trail",
    version=2,
    title="CloudTrail trail of the organisation",
    place="account",
    listing=Listing(
        "cloudtrail:describe_trails",
        items=organization_trails,
        id="TrailARN",
        region="HomeRegion",
        keep=LISTED,
        includeShadowTrails=True,
    ),
    details=DETAILS,
    volatile=VOLATILE,
)

multi_region_trail = ResourceType(
    "aws.cloudtrail.multi_region_trail",
    version=2,
    title="CloudTrail trail of all regions",
    place="account",
    listing=Listing(
        "cloudtrail:describe_trails",
        items=multi_region_trails,
        id="TrailARN",
        region="HomeRegion",
        keep=LISTED,
        includeShadowTrails=True,
    ),
    details=DETAILS,
    volatile=VOLATILE,
)

recording = DerivedType(
    "aws.cloudtrail.recording",
    version=1,
    title="Account and the trails that record it",
    over="account",
    inputs=(trail, organization_trail),
)


@trail.document
def describe_trail(seen: Readings) -> Trail:
    """The trail with its selectors in one form, whichever way they were written."""
    return _trail(seen)


@organization_trail.document
def describe_organization_trail(seen: Readings) -> Trail:
    """The organisation's trail, in the same form as an own one."""
    return _trail(seen)


@multi_region_trail.document
def describe_multi_region_trail(seen: Readings) -> Trail:
    """A trail that records every region, in the same form, wherever its home is."""
    return _trail(seen)


def _trail(seen: Readings) -> Trail:
    status = seen["status"].map(lambda answer: answer or {})
    selectors = seen["selectors"].map(lambda answer: answer or {})
    return Trail(
        name=seen["Name"],
        arn=seen["TrailARN"],
        home_region=seen["HomeRegion"],
        bucket=seen["S3BucketName"],
        kms_key=seen["KmsKeyId"],
        validates_files=seen["LogFileValidationEnabled"].map(bool),
        multi_region=seen["IsMultiRegionTrail"].map(bool),
        global_events=seen["IncludeGlobalServiceEvents"].map(bool),
        of_organization=seen["IsOrganizationTrail"].map(bool),
        log_group=seen["CloudWatchLogsLogGroupArn"],
        delivered_to_logs_at=status.map(lambda answer: answer.get("LatestCloudWatchLogsDeliveryTime")),
        logging=status.map(lambda answer: bool(answer.get("IsLogging"))),
        management=selectors.map(management_modes),
        objects=selectors.map(object_selectors),
    )


@recording.document
def describe_recording(joined: Joined) -> Recording:
    """The account with all its trails, each once."""
    return Recording(name=joined.account, trails=tuple(_recorder(one) for one in trails_of(joined)))


def _recorder(one: Trail | Unseen) -> Recorder | Unseen:
    if isinstance(one, Unseen):
        return one
    return Recorder(one.name, one.multi_region, one.global_events, one.logging, one.management)


def trails_of(joined: Joined) -> Iterator[Trail | Unseen]:
    """Every trail that may record this account, each once, closed by an ``Unseen`` where a listing fell short."""
    own, organization = joined.of(trail), joined.of(organization_trail)
    found: dict[str, Member] = {member.id: member for member in (*organization.members, *own.members)}
    yield from (found[arn].document for arn in sorted(found))
    reason = own.unseen or organization.unseen
    if reason is not None:
        yield Unseen(reason)
