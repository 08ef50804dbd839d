"""Application, network and gateway load balancers: what their listeners serve, what they log, who filters before them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from auditor.collectors.aws._ec2 import Item, holds, parts
from auditor.collectors.aws._offenders import offenders
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import Listing, Read, ResourceType

JUDGED = (
    "access_logs.s3.enabled",
    "deletion_protection.enabled",
    "routing.http.drop_invalid_header_fields.enabled",
)
ENCRYPTED = frozenset(("HTTPS", "TLS"))


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """A load balancer with its listeners; ``clear_listeners`` serve requests over plain HTTP.

    ``kind`` is ``application``, ``network`` or ``gateway``; ``tls_policies`` are those of all listeners with TLS.
    """

    name: Reading[str]
    kind: Reading[str]
    internet_facing: Reading[bool]
    access_logged: Reading[bool]
    deletion_protected: Reading[bool]
    drops_bad_headers: Reading[bool]
    has_listeners: Reading[bool]
    has_tls_listeners: Reading[bool]
    clear_listeners: tuple[str | Unseen, ...]
    tls_policies: tuple[str | Unseen, ...]
    behind_waf: Reading[bool]


def judged_attributes(page: Item) -> Iterator[Item]:
    """The attributes that checks ask for; others come and go with the vendor's features."""
    return (each for each in page.get("Attributes", ()) if each.get("Key") in JUDGED)


def takes_web_acl(seen: Readings) -> bool:
    """Whether the question about a web firewall makes sense: a public application load balancer."""
    return seen["Type"] == Seen("application") and seen["Scheme"] == Seen("internet-facing")


load_balancer = ResourceType(
    "aws.elbv2.load_balancer",
    version=1,
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
            "elbv2:describe_listeners",
            LoadBalancerArn="{LoadBalancerArn}",
            items="Listeners",
            keep=(
                "ListenerArn",
                "Port",
                "Protocol",
                "SslPolicy",
                "DefaultActions[].Type",
                "DefaultActions[].RedirectConfig.Protocol",
                "DefaultActions[].FixedResponseConfig.StatusCode",
            ),
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
    """The load balancer with its listeners weighed; one that cannot have a web firewall has none."""
    attributes, listeners = seen["attributes"], seen["listeners"]
    return LoadBalancer(
        name=seen["LoadBalancerName"],
        kind=seen["Type"],
        internet_facing=seen["Scheme"].map(lambda scheme: scheme == "internet-facing"),
        access_logged=_switched_on(attributes, "access_logs.s3.enabled"),
        deletion_protected=_switched_on(attributes, "deletion_protection.enabled"),
        drops_bad_headers=_switched_on(attributes, "routing.http.drop_invalid_header_fields.enabled"),
        has_listeners=holds(listeners),
        has_tls_listeners=holds(listeners, _encrypted),
        clear_listeners=offenders(listeners, _clear),
        tls_policies=offenders(listeners, _policy),
        behind_waf=seen["web_acl"].map(lambda answer: bool(answer and answer.get("WebACL"))),
    )


def _switched_on(attributes: Reading[list[Any] | None], key: str) -> Reading[bool]:
    found, hidden = parts(attributes)
    for each in found:
        if each.get("Key") == key:
            return Seen(each.get("Value") == "true")
    return hidden or Unseen(f"{key} is not in the answer")


def _encrypted(listener: Item) -> bool:
    return listener.get("Protocol") in ENCRYPTED


def _called(listener: Item) -> str:
    return f"{listener.get('Protocol')}:{listener.get('Port')}"


def _clear(listener: Item) -> Reading[str | None]:
    """The listener's name if it serves plain HTTP.

    One whose default action turns callers away may still serve some of them by a rule. Rules are asked for listener by
    listener, which a declaration over load balancers cannot do, so what they say was not seen.
    """
    if listener.get("Protocol") != "HTTP":
        return Seen(None)
    actions = listener.get("DefaultActions") or ()
    if actions and all(_turns_away(action) for action in actions):
        return Unseen(f"the rules of listener {_called(listener)} are not read: elasticloadbalancing:DescribeRules")
    return Seen(_called(listener))


def _turns_away(action: Item) -> bool:
    """Whether the action serves nothing in the clear: a redirect to HTTPS, or a refusal."""
    match action.get("Type"):
        case "redirect":
            return bool((action.get("RedirectConfig") or {}).get("Protocol") == "HTTPS")
        case "fixed-response":
            return str((action.get("FixedResponseConfig") or {}).get("StatusCode", "")).startswith("4")
        case _:
            return False


def _policy(listener: Item) -> Reading[str | None]:
    if not _encrypted(listener):
        return Seen(None)
    policy = listener.get("SslPolicy")
    return Seen(policy) if policy else Unseen(f"listener {_called(listener)} was listed without its policy")
