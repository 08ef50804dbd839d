"""EMR in a region: whether clusters may be started behind security groups that let the world in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Read, ResourceType


@dataclass(frozen=True, slots=True)
class Ports:
    """A range of ports that may be open to the world all the same."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Block:
    """The region's block on public clusters, and what it lets through; ``let_through`` is that in words."""

    name: str
    blocks: Reading[bool]
    permitted: Reading[tuple[Ports, ...]]
    let_through: Reading[tuple[str, ...]]


block = ResourceType(
    "aws.emr.account",
    version=1,
    title="EMR settings of a region",
    details={
        "block": Read(
            "emr:get_block_public_access_configuration",
            keep=(
                "BlockPublicAccessConfiguration.BlockPublicSecurityGroupRules",
                "BlockPublicAccessConfiguration.PermittedPublicSecurityGroupRuleRanges[].MinRange",
                "BlockPublicAccessConfiguration.PermittedPublicSecurityGroupRuleRanges[].MaxRange",
            ),
        ),
    },
)


@block.document
def describe_block(seen: Readings) -> Block:
    """The block; a range without an end is one port."""
    known = seen["block"].map(lambda answer: (answer or {}).get("BlockPublicAccessConfiguration") or {})
    permitted = known.map(lambda answer: tuple(map(_ports, answer.get("PermittedPublicSecurityGroupRuleRanges") or ())))
    return Block(
        name="EMR",
        blocks=known.map(lambda answer: bool(answer.get("BlockPublicSecurityGroupRules"))),
        permitted=permitted,
        let_through=permitted.map(lambda ranges: tuple(map(_told, ranges))),
    )


def _ports(told: Mapping[str, Any]) -> Ports:
    return Ports(first=told["MinRange"], last=told.get("MaxRange") or told["MinRange"])


def _told(ports: Ports) -> str:
    return str(ports.first) if ports.first == ports.last else f"{ports.first}-{ports.last}"
