"""Auto Scaling groups: over how many zones they spread, and whom they ask whether an instance is well."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.domain.reading import Reading, Readings, both
from auditor.domain.resource_type import Listing, ResourceType

BALANCERS = frozenset(("elb", "elbv2"))


@dataclass(frozen=True, slots=True)
class Group:
    """A group; ``balanced`` says whether a load balancer sends it traffic."""

    name: Reading[str]
    zones: Reading[tuple[str, ...]]
    balanced: Reading[bool]
    health_checks: Reading[tuple[str, ...]]


group = ResourceType(
    "aws.autoscaling.group",
    version=1,
    title="Auto Scaling group",
    listing=Listing(
        "autoscaling:describe_auto_scaling_groups",
        items="AutoScalingGroups",
        id="AutoScalingGroupARN",
        keep=(
            "AutoScalingGroupARN",
            "AutoScalingGroupName",
            "AvailabilityZones",
            "HealthCheckType",
            "LoadBalancerNames",
            "TargetGroupARNs",
            "TrafficSources[].Type",
        ),
    ),
)


@group.document
def describe_group(seen: Readings) -> Group:
    """The group with its zones, each once, and its health checks, which AWS writes as one text with commas."""
    attached = both(seen["LoadBalancerNames"], seen["TargetGroupARNs"]).map(any)
    sources = seen["TrafficSources"].map(lambda found: any(each.get("Type") in BALANCERS for each in found or ()))
    return Group(
        name=seen["AutoScalingGroupName"],
        zones=seen["AvailabilityZones"].map(lambda zones: tuple(sorted(set(zones or ())))),
        balanced=both(attached, sources).map(any),
        health_checks=seen["HealthCheckType"].map(
            lambda told: tuple(word.strip() for word in str(told or "").split(",") if word.strip())
        ),
    )
