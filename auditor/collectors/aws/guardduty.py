"""GuardDuty: whether threats are looked for in a region, in which sources, and which serious ones are still open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditor.collectors.aws._dated import dated
from auditor.collectors.aws._ec2 import holds, parts
from auditor.collectors.aws._listed import listed
from auditor.collectors.aws._present import presence
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Listing, Read, ResourceType

SERIOUS = 7
"""The least severity that GuardDuty calls high."""


@dataclass(frozen=True, slots=True)
class Threat:
    """A serious finding that nobody has archived; it keeps its first time when it recurs."""

    id: str
    kind: str
    severity: float
    created_at: Reading[datetime]


@dataclass(frozen=True, slots=True)
class Detector:
    """A detector with the sources it looks at, and what it found."""

    name: str
    enabled: Reading[bool]
    s3_events: Reading[bool]
    cluster_logs: Reading[bool]
    malware_scans: Reading[bool]
    has_clusters: Reading[bool]
    threats: Reading[tuple[Threat | Unseen, ...]]


@dataclass(frozen=True, slots=True)
class Detection:
    """A region and whether some detector is at work there."""

    name: str
    enabled: tuple[Reading[bool], ...]


def detectors(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The listed ids."""
    return ({"DetectorId": id} for id in page.get("DetectorIds", ()))  # noqa: A001  (the word people use)


def threat_ids(page: Mapping[str, Any]) -> Any:
    """The ids of findings, as listed."""
    return page.get("FindingIds", ())


def clusters(page: Mapping[str, Any]) -> Any:
    """The names of EKS clusters, as listed."""
    return page.get("clusters", ())


def _any_ids(seen: Readings) -> bool:
    ids = seen["threat_ids"]
    return isinstance(ids, Seen) and bool(ids.value) and all(isinstance(one, str) for one in ids.value)


detector = ResourceType(
    "aws.guardduty.detector",
    version=1,
    title="GuardDuty detector",
    listing=Listing(
        "guardduty:list_detectors",
        items=detectors,
        id="arn:{partition}:guardduty:{region}:{account}:detector/{DetectorId}",
        keep=("DetectorId",),
    ),
    details={
        "described": Read(
            "guardduty:get_detector",
            DetectorId="{DetectorId}",
            keep=("Status", "Features[].Name", "Features[].Status"),
        ),
        "clusters": presence("eks:list_clusters", clusters),
        "threat_ids": Read(
            "guardduty:list_findings",
            DetectorId="{DetectorId}",
            FindingCriteria={
                "Criterion": {
                    "service.archived": {"Equals": ["false"]},
                    "severity": {"GreaterThanOrEqual": SERIOUS},
                }
            },
            items=threat_ids,
            project=sorted,
        ),
        "threats": Read(
            "guardduty:get_findings",
            DetectorId="{DetectorId}",
            FindingIds="{threat_ids}",
            batch=("FindingIds", 50),
            when=_any_ids,
            items="Findings",
            keep=("Id", "Type", "Severity", "CreatedAt"),
        ),
    },
)

detection = DerivedType(
    "aws.guardduty.detection",
    version=1,
    title="Region and its GuardDuty detector",
    over="region",
    inputs=(detector,),
)


@detector.document
def describe_detector(seen: Readings) -> Detector:
    """The detector; a source that it does not mention is not looked at."""
    described = seen["described"].map(lambda answer: answer or {})
    features = described.map(
        lambda told: {feature["Name"] for feature in told.get("Features") or () if feature.get("Status") == "ENABLED"}
    )
    return Detector(
        name=listed(seen["DetectorId"]),
        enabled=described.map(lambda told: told.get("Status") == "ENABLED"),
        s3_events=features.map(lambda on: "S3_DATA_EVENTS" in on),
        cluster_logs=features.map(lambda on: "EKS_AUDIT_LOGS" in on),
        malware_scans=features.map(lambda on: "EBS_MALWARE_PROTECTION" in on),
        has_clusters=holds(seen["clusters"]),
        threats=_threats(seen),
    )


@detection.document
def describe_detection(joined: Joined) -> Detection:
    """The region with what its detectors say of themselves."""
    found = joined.of(detector)
    unseen = (Unseen(found.unseen),) if found.unseen else ()
    return Detection(joined.region, (*(member.document.enabled for member in found.members), *unseen))


def _threats(seen: Readings) -> Reading[tuple[Threat | Unseen, ...]]:
    """What was found, closed by what kept the rest from being seen; a list that broke off is not followed at all."""
    ids, hidden = parts(seen["threat_ids"])
    if hidden is not None or (ids and not seen.kept("threats")):
        return hidden or Unseen("the findings were not read")
    told, missing = parts(seen["threats"])
    found = tuple(
        Threat(one["Id"], one.get("Type", ""), one.get("Severity", 0), dated(one.get("CreatedAt"))) for one in told
    )
    return Seen(found if missing is None else (*found, missing))
