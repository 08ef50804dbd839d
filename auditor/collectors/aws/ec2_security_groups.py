"""EC2 security groups, the prefix lists they name, and what the world reaches through the two together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from auditor.collectors.aws._ec2 import Item, arn, group_uses, holds, parts, told
from auditor.domain.network import Addresses, Opening, Rule, openings
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Listing, Population, Read, ResourceType


@dataclass(frozen=True, slots=True)
class Permission:
    """One rule of a security group as far as it names addresses; rules that name other groups let no stranger in."""

    protocol: str
    from_port: int | None
    to_port: int | None
    ranges: tuple[str, ...]
    prefix_lists: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """A security group with its rules. ``known_idle``: its interfaces were listed and there is none.

    Where they could not be listed it counts as in use: that turns no verdict and lets the severity err upwards.
    """

    name: Reading[str]
    is_default: Reading[bool]
    ingress: Reading[tuple[Permission, ...]]
    ingress_rules: Reading[int]
    egress_rules: Reading[int]
    known_idle: bool


@dataclass(frozen=True, slots=True)
class PrefixList:
    """A managed list of ranges that some security group names."""

    name: Reading[str]
    ranges: Reading[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ExposedGroup:
    """What public addresses reach through a security group, its prefix lists resolved and its rules added up."""

    name: Reading[str]
    known_idle: bool
    openings: Reading[tuple[Opening, ...]]
    reach: Reading[str]


def named_prefix_lists(page: Item) -> Iterator[Item]:
    """The prefix lists that incoming rules of this page's groups name, each once.

    Only these are read. Listing what exists would ask for every list that AWS keeps in every region.
    """
    named = {
        prefix_list["PrefixListId"]
        for group in page.get("SecurityGroups", ())
        for permission in group.get("IpPermissions") or ()
        for prefix_list in permission.get("PrefixListIds") or ()
    }
    return ({"PrefixListId": id_} for id_ in sorted(named))


security_group = ResourceType(
    "aws.ec2.security_group",
    version=2,
    title="Security group",
    listing=Listing(
        "ec2:describe_security_groups",
        items="SecurityGroups",
        id=arn("security-group", "GroupId"),
        keep=(
            "GroupId",
            "GroupName",
            "VpcId",
            "IpPermissions[].IpProtocol",
            "IpPermissions[].FromPort",
            "IpPermissions[].ToPort",
            "IpPermissions[].IpRanges[].CidrIp",
            "IpPermissions[].Ipv6Ranges[].CidrIpv6",
            "IpPermissions[].PrefixListIds[].PrefixListId",
            "IpPermissions[].UserIdGroupPairs[].GroupId",
            "IpPermissionsEgress[].IpProtocol",
        ),
    ),
    details={
        "interfaces": Read(
            "ec2:describe_network_interfaces",
            items=group_uses,
            match={"GroupId": "{GroupId}"},
            keep=("InterfaceType",),
        ),
    },
)

# A list may belong to another account, which the rule does not tell: its id alone names it.
prefix_list = ResourceType(
    "aws.ec2.prefix_list",
    version=1,
    title="Prefix list named by a security group",
    listing=Listing(
        "ec2:describe_security_groups", items=named_prefix_lists, id="PrefixListId", keep=("PrefixListId",)
    ),
    details={
        "entries": Read(
            "ec2:get_managed_prefix_list_entries", PrefixListId="{PrefixListId}", items="Entries", keep=("Cidr",)
        ),
    },
)

exposed_group = DerivedType(
    "aws.ec2.exposed_group",
    version=2,
    title="Security group as the world meets it",
    over=security_group,
    inputs=(security_group, prefix_list),
)


@security_group.document
def describe_security_group(seen: Readings) -> SecurityGroup:
    """The group's rules as written; what they amount to is told by ``exposed_group``."""
    group_name = seen["GroupName"]
    return SecurityGroup(
        name=seen["GroupId"].map(lambda id_: f"{id_} ({group_name.value})" if isinstance(group_name, Seen) else id_),
        is_default=group_name.map(lambda name: name == "default"),
        ingress=seen["IpPermissions"].map(lambda rules: tuple(_permission(rule) for rule in rules or ())),
        ingress_rules=seen["IpPermissions"].map(lambda rules: len(rules or ())),
        egress_rules=seen["IpPermissionsEgress"].map(lambda rules: len(rules or ())),
        known_idle=holds(seen["interfaces"]) == Seen(value=False),
    )


@prefix_list.document
def describe_prefix_list(seen: Readings) -> PrefixList:
    """The list's ranges; a list that was read in part is unseen, since the rest may be the world."""
    entries, hidden = parts(seen["entries"])
    return PrefixList(name=seen["PrefixListId"], ranges=hidden or Seen(tuple(str(entry["Cidr"]) for entry in entries)))


@exposed_group.document
def describe_exposed_group(joined: Joined) -> ExposedGroup:
    """The group's openings; a prefix list that was not read leaves the ports of its rule open to question."""
    if joined.member is None:
        raise RuntimeError("an exposed group stands over a security group")
    group: SecurityGroup = joined.member.document
    lists = joined.of(prefix_list)
    found = group.ingress.map(lambda rules: openings([part for rule in rules for part in _resolved(rule, lists)]))
    return ExposedGroup(name=group.name, known_idle=group.known_idle, openings=found, reach=found.map(told))


def _permission(rule: Item) -> Permission:
    return Permission(
        protocol=str(rule.get("IpProtocol", "-1")),
        from_port=rule.get("FromPort"),
        to_port=rule.get("ToPort"),
        ranges=(
            *(str(each["CidrIp"]) for each in rule.get("IpRanges") or ()),
            *(str(each["CidrIpv6"]) for each in rule.get("Ipv6Ranges") or ()),
        ),
        prefix_lists=tuple(str(each["PrefixListId"]) for each in rule.get("PrefixListIds") or ()),
    )


def _resolved(rule: Permission, lists: Population) -> Iterator[Rule]:
    yield Rule(rule.protocol, rule.from_port, rule.to_port, Seen(Addresses.of(rule.ranges)))
    for id_ in rule.prefix_lists:
        yield Rule(rule.protocol, rule.from_port, rule.to_port, _ranges_of(id_, lists).map(Addresses.of))


def _ranges_of(id_: str, lists: Population) -> Reading[tuple[str, ...]]:
    found = lists.find(id_)
    if found is None:
        return Unseen(f"NotListed ec2:GetManagedPrefixListEntries {id_}")
    if isinstance(found, Unseen):
        return found
    ranges: Reading[tuple[str, ...]] = found.document.ranges
    return ranges
