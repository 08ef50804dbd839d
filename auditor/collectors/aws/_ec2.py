"""What the EC2 and VPC declarations share: names from tags, lists that fell short, and what interfaces say about others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from auditor.domain.network import Opening
from auditor.domain.reading import Reading, Seen, Unseen, as_reading

Item: TypeAlias = Mapping[str, Any]

SHOWN = 8
"""Openings that a message names before it only counts the rest."""


def arn(kind: str, field: str) -> str:
    """The template of an EC2 resource's ARN."""
    return f"arn:{{partition}}:ec2:{{region}}:{{account}}:{kind}/{{{field}}}"


def tags_of(tags: list[Item] | None) -> dict[str, str]:
    """A list of key and value pairs as a mapping; no list is no tags."""
    return {str(tag["Key"]): str(tag.get("Value", "")) for tag in tags or ()}


def titled(id: Reading[str], tags: Reading[list[Item] | None]) -> Reading[str]:  # noqa: A002  (the word people use)
    """The id, with the name people gave in the tag ``Name`` behind it."""
    name = tags_of(tags.value).get("Name") if isinstance(tags, Seen) else None
    return id.map(lambda text: f"{text} ({name})" if name else str(text))


def parts(members: Reading[list[Any] | None]) -> tuple[tuple[Item, ...], Unseen | None]:
    """The seen members of a list, and the reason why there may be more."""
    if isinstance(members, Unseen):
        return (), members
    read = [as_reading(member) for member in members.value or ()]
    seen = tuple(member.value for member in read if isinstance(member, Seen))
    return seen, next((member for member in read if isinstance(member, Unseen)), None)


def holds(members: Reading[list[Any] | None], wanted: Callable[[Item], bool] = lambda _: True) -> Reading[bool]:
    """Whether some member is as wanted: one that was seen settles it, else what was not seen leaves it open."""
    seen, hidden = parts(members)
    if any(wanted(member) for member in seen):
        return Seen(value=True)
    return hidden or Seen(value=False)


def first(members: Reading[list[Any] | None]) -> Reading[Item]:
    """The first member, or an empty one where the list is complete and empty."""
    seen, hidden = parts(members)
    return Seen(seen[0]) if seen else hidden or Seen({})


def group_uses(page: Item) -> Iterator[Item]:
    """The security groups that interfaces of this page stand in, with the kind of interface, each pair once.

    Interfaces come and go by the minute; what matters is whether a group has any, so their ids are left out.
    """
    uses = {
        (group.get("GroupId"), interface.get("InterfaceType"))
        for interface in page.get("NetworkInterfaces", ())
        for group in interface.get("Groups") or ()
    }
    return ({"GroupId": group, "InterfaceType": kind} for group, kind in sorted(uses, key=str))


def vpc_uses(page: Item) -> Iterator[Item]:
    """The VPCs that interfaces of this page stand in, with the kind of interface, each pair once."""
    uses = {(each.get("VpcId"), each.get("InterfaceType")) for each in page.get("NetworkInterfaces", ())}
    return ({"VpcId": vpc, "InterfaceType": kind} for vpc, kind in sorted(uses, key=str))


def told(found: tuple[Opening, ...]) -> str:
    """Openings in words for a message, the first few by name."""
    shown = [f"{opening.transport} {_ports(opening)} from {_width(opening.prefix)}" for opening in found[:SHOWN]]
    more = len(found) - len(shown)
    return ", ".join([*shown, *([f"{more} more"] if more else [])]) or "nothing"


def _ports(opening: Opening) -> str:
    same = opening.from_port == opening.to_port
    return str(opening.from_port) if same else f"{opening.from_port}-{opening.to_port}"


def _width(prefix: Reading[int]) -> str:
    if isinstance(prefix, Unseen):
        return "a list that could not be read"
    return "everywhere" if prefix.value == 0 else f"a /{prefix.value}"
