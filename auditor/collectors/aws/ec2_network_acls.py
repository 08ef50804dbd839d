"""EC2 network ACLs: what public addresses reach past entries that are asked in the order of their numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from auditor.collectors.aws._ec2 import Item, arn, told
from auditor.domain.network import Addresses, Opening, Rule, openings
from auditor.domain.reading import Reading, Readings, Seen
from auditor.domain.resource_type import Listing, ResourceType


@dataclass(frozen=True, slots=True)
class NetworkAcl:
    """What public addresses reach through a network ACL, its entries walked in order."""

    name: Reading[str]
    is_default: Reading[bool]
    openings: Reading[tuple[Opening, ...]]
    reach: Reading[str]


network_acl = ResourceType(
    "aws.ec2.network_acl",
    version=1,
    title="Network ACL",
    listing=Listing(
        "ec2:describe_network_acls",
        items="NetworkAcls",
        id=arn("network-acl", "NetworkAclId"),
        keep=(
            "NetworkAclId",
            "VpcId",
            "IsDefault",
            "Entries[].Egress",
            "Entries[].RuleNumber",
            "Entries[].RuleAction",
            "Entries[].Protocol",
            "Entries[].PortRange.From",
            "Entries[].PortRange.To",
            "Entries[].CidrBlock",
            "Entries[].Ipv6CidrBlock",
        ),
    ),
)


@network_acl.document
def describe_network_acl(seen: Readings) -> NetworkAcl:
    """The ACL's openings: entries are asked by number, and the first that matches decides."""
    found = seen["Entries"].map(
        lambda entries: openings(
            [
                _entry(entry)
                for entry in sorted(entries or (), key=lambda entry: int(entry["RuleNumber"]))
                if not entry.get("Egress")
            ]
        )
    )
    return NetworkAcl(
        name=seen["NetworkAclId"],
        is_default=seen["IsDefault"].map(bool),
        openings=found,
        reach=found.map(told),
    )


def _entry(entry: Item) -> Rule:
    ports: dict[str, Any] = entry.get("PortRange") or {}
    ranges = [str(entry[name]) for name in ("CidrBlock", "Ipv6CidrBlock") if entry.get(name)]
    return Rule(
        protocol=str(entry.get("Protocol", "-1")),
        from_port=ports.get("From"),
        to_port=ports.get("To"),
        addresses=Seen(Addresses.of(ranges)),
        allow=entry.get("RuleAction") == "allow",
    )
