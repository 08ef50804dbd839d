"""Application, network and gateway load balancers: what they log, how they are set, and who filters before them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from auditor.collectors.aws._ec2 import Item, holds, parts
from auditor.collectors.aws.elbv2_listeners import ENCRYPTED
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import Listing, Read, ResourceType

JUDGED = (
    "access_logs.s3.enabled",
    "deletion_protection.enabled",
    "routing.http.drop_invalid_header_fields.enabled",
)


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """A load balancer; ``kind`` is ``application``, ``network`` or ``gateway``."""

    name: Reading[str]
    kind: Reading[str]
    internet_facing: Reading[bool]
    access_logged: Reading[bool]
    deletion_protected: Reading[bool]
    drops_bad_headers: Reading[bool]
    has_tls_listeners: Reading[bool]
    behind_waf: Reading[bool]


def judged_attributes(page: Item) -> Iterator[Item]:
    """The attributes that checks ask for; others come and go with the vendor's features."""
    return (each for each in page.get("Attributes", ()) if each.get("Key") in JUDGED)


def takes_web_acl(seen: Readings) -> bool:
    """Whether the question about a web firewall makes sense: a public application load balancer."""
    return seen["Type"] == Seen("application") and seen["Scheme"] == Seen("internet-facing")


load_balancer = ResourceType(
    "aws.elbv2.load_balancer",
    version=2,
    title="Load balancer",
    listing=Listing(
        "elbv2:describe_load_balancers",
        items="LoadBalancers",
        id="LoadBalancerArn",
        keep=("LoadBalancerArn", "LoadBalancerName", "Type", "Scheme"),
    ),
    details={
        "attributes": Read(
            "elbv2:describe_load_balancer_attributes",
            LoadBalancerArn="{LoadBalancerArn}",
            items=judged_attributes,
            keep=("Key", "Value"),
        ),
        "listeners": Read(
            "elbv2:describe_listeners", LoadBalancerArn="{LoadBalancerArn}", items="Listeners", keep=("Protocol",)
        ),
        "web_acl": Read(
            "wafv2:get_web_acl_for_resource",
            ResourceArn="{LoadBalancerArn}",
            when=takes_web_acl,
            absent=("WAFNonexistentItemException",),
            keep=("WebACL.ARN",),
        ),
    },
)


@load_balancer.document
def describe_load_balancer(seen: Readings) -> LoadBalancer:
    """The load balancer with its attributes; one that cannot have a web firewall has none."""
    attributes = seen["attributes"]
    return LoadBalancer(
        name=seen["LoadBalancerName"],
        kind=seen["Type"],
        internet_facing=seen["Scheme"].map(lambda scheme: scheme == "internet-facing"),
        access_logged=_switched_on(attributes, "access_logs.s3.enabled"),
        deletion_protected=_switched_on(attributes, "deletion_protection.enabled"),
        drops_bad_headers=_switched_on(attributes, "routing.http.drop_invalid_header_fields.enabled"),
        has_tls_listeners=holds(seen["listeners"], lambda listener: listener.get("Protocol") in ENCRYPTED),
        behind_waf=seen["web_acl"].map(lambda answer: bool(answer and answer.get("WebACL"))),
    )


def _switched_on(attributes: Reading[list[Any] | None], key: str) -> Reading[bool]:
    found, hidden = parts(attributes)
    for each in found:
        if each.get("Key") == key:
            return Seen(each.get("Value") == "true")
    return hidden or Unseen(f"{key} is not in the answer")
