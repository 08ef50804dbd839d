"""Classic load balancers: what their listeners serve, and whether they log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from auditor.collectors.aws._ec2 import Item
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import Listing, Read, ResourceType

ENCRYPTED = frozenset(("HTTPS", "SSL"))


@dataclass(frozen=True, slots=True)
class ClassicLoadBalancer:
    """A classic load balancer; ``clear_listeners`` serve HTTP or plain TCP."""

    name: Reading[str]
    listeners: Reading[int]
    clear_listeners: Reading[tuple[str, ...]]
    access_logged: Reading[bool]


load_balancer = ResourceType(
    "aws.elb.load_balancer",
    version=1,
    title="Classic load balancer",
    listing=Listing(
        "elb:describe_load_balancers",
        items="LoadBalancerDescriptions",
        id="arn:{partition}:elasticloadbalancing:{region}:{account}:loadbalancer/{LoadBalancerName}",
        keep=(
            "LoadBalancerName",
            "ListenerDescriptions[].Listener.Protocol",
            "ListenerDescriptions[].Listener.LoadBalancerPort",
        ),
    ),
    details={
        "attributes": Read(
            "elb:describe_load_balancer_attributes",
            LoadBalancerName="{LoadBalancerName}",
            keep=("LoadBalancerAttributes.AccessLog.Enabled",),
        ),
    },
)


@load_balancer.document
def describe_load_balancer(seen: Readings) -> ClassicLoadBalancer:
    """The load balancer with the listeners that serve in the clear named."""
    listeners = seen["ListenerDescriptions"].map(lambda found: [each.get("Listener") or {} for each in found or ()])
    logged = seen["attributes"]
    return ClassicLoadBalancer(
        name=seen["LoadBalancerName"],
        listeners=listeners.map(len),
        clear_listeners=listeners.map(
            lambda found: tuple(_called(each) for each in found if each.get("Protocol", "").upper() not in ENCRYPTED)
        ),
        access_logged=logged if isinstance(logged, Unseen) else _logged(logged.value),
    )


def _called(listener: Item) -> str:
    return f"{listener.get('Protocol')}:{listener.get('LoadBalancerPort')}"


def _logged(answer: Any) -> Reading[bool]:
    """Whether access logs are on; an answer without them is no answer to the question."""
    enabled = ((answer or {}).get("LoadBalancerAttributes") or {}).get("AccessLog", {}).get("Enabled")
    return Unseen("AccessLog is not in the answer") if enabled is None else Seen(bool(enabled))
