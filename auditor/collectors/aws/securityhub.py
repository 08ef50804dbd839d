"""Security Hub in a region: on or off, and the standards it measures against."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.collectors.aws._ec2 import holds
from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Read, ResourceType

OFF = ("InvalidAccessException", "ResourceNotFoundException")
"""How a region answers that never subscribed."""


@dataclass(frozen=True, slots=True)
class Hub:
    """The hub of a region."""

    name: str
    enabled: Reading[bool]
    standard_ready: Reading[bool]


hub = ResourceType(
    "aws.securityhub.hub",
    version=1,
    title="Security Hub in a region",
    details={
        "hub": Read("securityhub:describe_hub", absent=OFF, keep=("HubArn",)),
        "standards": Read(
            "securityhub:get_enabled_standards",
            absent=OFF,
            items="StandardsSubscriptions",
            keep=("StandardsArn", "StandardsStatus"),
        ),
    },
)


@hub.document
def describe_hub(seen: Readings) -> Hub:
    """The hub; a standard counts once it is ready."""
    return Hub(
        name="Security Hub",
        enabled=seen["hub"].map(lambda answer: answer is not None),
        standard_ready=holds(seen["standards"], lambda standard: standard.get("StandardsStatus") == "READY"),
    )
