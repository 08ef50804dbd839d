"""Listeners of load balancers: what they serve in the clear, by their default action and every rule, and with which TLS."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.collectors.aws._ec2 import Item, parts
from auditor.collectors.aws._listed import listed
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import Listing, Read, ResourceType

ENCRYPTED = frozenset(("HTTPS", "TLS"))


@dataclass(frozen=True, slots=True)
class Listener:
    """A listener; ``serves_clear`` says whether somebody gets more over plain HTTP than a redirect or a refusal."""

    name: str
    protocol: Reading[str | None]
    encrypted: Reading[bool]
    serves_clear: Reading[bool]
    tls_policy: Reading[str | None]


def turns_away_by_default(seen: Readings) -> bool:
    """Whether rules matter: plain HTTP that serves nothing by default. Elsewhere the answer stands without them."""
    match seen["DefaultActions"]:
        case Seen(actions):
            return seen["Protocol"] == Seen("HTTP") and _all_turn_away(actions)
        case _:
            return False


listener = ResourceType(
    "aws.elbv2.listener",
    version=1,
    title="Load balancer listener",
    listing=Listing(
        "elbv2:describe_listeners",
        LoadBalancerArn="{LoadBalancerArn}",
        within=(Read("elbv2:describe_load_balancers", items="LoadBalancers", keep=("LoadBalancerArn",)),),
        items="Listeners",
        id="ListenerArn",
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
    details={
        "rules": Read(
            "elbv2:describe_rules",
            ListenerArn="{ListenerArn}",
            when=turns_away_by_default,
            items="Rules",
            keep=("Actions[].Type", "Actions[].RedirectConfig.Protocol", "Actions[].FixedResponseConfig.StatusCode"),
        ),
    },
)


@listener.document
def describe_listener(seen: Readings) -> Listener:
    """The listener under its load balancer's name, which its ARN holds (``…:listener/app/<name>/<id>/<id>``)."""
    protocol = seen["Protocol"]
    return Listener(
        name=f"{listed(seen['ListenerArn']).split('/')[2]} {_ends(protocol, seen['Port'])}",
        protocol=protocol,
        encrypted=protocol.map(lambda word: word in ENCRYPTED),
        serves_clear=_serves_clear(seen),
        tls_policy=_policy(seen),
    )


def _ends(protocol: Reading[str | None], port: Reading[int | None]) -> str:
    """What people call a listener by; those of gateway load balancers have neither protocol nor port."""
    if isinstance(protocol, Seen) and isinstance(port, Seen) and protocol.value:
        return f"{protocol.value}:{port.value}"
    return "listener"


def _serves_clear(seen: Readings) -> Reading[bool]:
    if seen["Protocol"] != Seen("HTTP"):
        return seen["Protocol"].map(lambda _: False)
    if not turns_away_by_default(seen):
        return Seen(value=True)
    rules, hidden = parts(seen["rules"])
    if not all(_all_turn_away(rule.get("Actions")) for rule in rules):
        return Seen(value=True)
    if hidden is None and not rules:
        return Unseen("the rules of the listener were not read: elasticloadbalancing:DescribeRules")
    return hidden or Seen(value=False)


def _all_turn_away(actions: list[Item] | None) -> bool:
    return bool(actions) and all(_turns_away(action) for action in actions or ())


def _turns_away(action: Item) -> bool:
    """Whether the action serves nothing in the clear: a redirect to HTTPS, or a refusal."""
    match action.get("Type"):
        case "redirect":
            return bool((action.get("RedirectConfig") or {}).get("Protocol") == "HTTPS")
        case "fixed-response":
            return str((action.get("FixedResponseConfig") or {}).get("StatusCode", "")).startswith("4")
        case _:
            return False


def _policy(seen: Readings) -> Reading[str | None]:
    """The policy's name; a listener with TLS always has one, so a missing one was not seen."""
    if seen["Protocol"] not in {Seen(word) for word in ENCRYPTED}:
        return seen["Protocol"].map(lambda _: None)
    return seen["SslPolicy"] if seen["SslPolicy"] != Seen(None) else Unseen("SslPolicy is not in the listing")
