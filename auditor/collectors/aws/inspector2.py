"""Amazon Inspector: whether what runs in a region is scanned for known weaknesses, and which serious ones are open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditor.collectors.aws._dated import dated
from auditor.collectors.aws._ec2 import holds
from auditor.collectors.aws._listed import listed
from auditor.collectors.aws._present import presence
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import Listing, Read, ResourceType

GONE = frozenset({"terminated", "shutting-down"})


@dataclass(frozen=True, slots=True)
class Scanning:
    """A region: what is scanned there, beside what there is to scan."""

    name: str
    instances_scanned: Reading[bool]
    images_scanned: Reading[bool]
    functions_scanned: Reading[bool]
    has_instances: Reading[bool]
    has_images: Reading[bool]
    has_functions: Reading[bool]


@dataclass(frozen=True, slots=True)
class Weakness:
    """A serious finding that is open; ``resource`` is what it was found on."""

    name: str
    title: Reading[str | None]
    severity: Reading[str]
    first_seen_at: Reading[datetime]
    resource: Reading[str | None]


def instances(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Instances that are still there."""
    for reservation in page.get("Reservations", ()):
        for instance in reservation.get("Instances", ()):
            if (instance.get("State") or {}).get("Name") not in GONE:
                yield instance


scanning = ResourceType(
    "aws.inspector2.scanning",
    version=1,
    title="Inspector scanning in a region",
    details={
        "status": Read(
            "inspector2:batch_get_account_status",
            accountIds=["{account}"],
            keep=(
                "accounts[].resourceState.ec2.status",
                "accounts[].resourceState.ecr.status",
                "accounts[].resourceState.lambda.status",
                "failedAccounts[].errorCode",
            ),
        ),
        "instances": presence("ec2:describe_instances", instances),
        "repositories": presence("ecr:describe_repositories", "repositories"),
        "functions": presence("lambda:list_functions", "Functions"),
    },
)

weakness = ResourceType(
    "aws.inspector2.finding",
    version=1,
    title="Inspector finding, high or critical, active",
    listing=Listing(
        "inspector2:list_findings",
        filterCriteria={
            "findingStatus": [{"comparison": "EQUALS", "value": "ACTIVE"}],
            "severity": [{"comparison": "EQUALS", "value": severity} for severity in ("CRITICAL", "HIGH")],
        },
        items="findings",
        id="findingArn",
        keep=("findingArn", "title", "severity", "firstObservedAt", "resources[].id"),
    ),
)


@scanning.document
def describe_scanning(seen: Readings) -> Scanning:
    """The region; an account that Inspector does not know is not scanned."""
    states = _states(seen["status"])
    return Scanning(
        name="Inspector",
        instances_scanned=_on(states, "ec2"),
        images_scanned=_on(states, "ecr"),
        functions_scanned=_on(states, "lambda"),
        has_instances=holds(seen["instances"]),
        has_images=holds(seen["repositories"]),
        has_functions=holds(seen["functions"]),
    )


@weakness.document
def describe_weakness(seen: Readings) -> Weakness:
    """The finding; what it was found on may be gone by now."""
    return Weakness(
        name=listed(seen["findingArn"]).rpartition("/")[2],
        title=seen["title"],
        severity=seen["severity"],
        first_seen_at=_first_seen(seen["firstObservedAt"]),
        resource=seen["resources"].map(lambda found: found[0].get("id") if found else None),
    )


def _states(status: Reading[Any]) -> Reading[Mapping[str, Any]]:
    match status:
        case Unseen() as hidden:
            return hidden
        case Seen(answer):
            told = answer or {}
    if not told.get("accounts") and told.get("failedAccounts"):
        return Unseen(f"{told['failedAccounts'][0].get('errorCode', 'unknown')} inspector2:BatchGetAccountStatus")
    return Seen(next((account.get("resourceState") or {} for account in told.get("accounts") or ()), {}))


def _first_seen(told: Reading[Any]) -> Reading[datetime]:
    match told:
        case Unseen() as hidden:
            return hidden
        case Seen(value):
            return dated(value)


def _on(states: Reading[Mapping[str, Any]], part: str) -> Reading[bool]:
    return states.map(lambda told: (told.get(part) or {}).get("status") == "ENABLED")
