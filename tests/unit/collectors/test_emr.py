"""The region's block on public EMR clusters as its evidence shows it."""

from __future__ import annotations

from typing import Any

from auditor.collectors.aws.emr import Block, Ports, block
from auditor.domain.reading import Seen, Unseen


def described(*ranges: dict[str, int], blocks: bool = True) -> Block:
    settings = {"BlockPublicSecurityGroupRules": blocks, "PermittedPublicSecurityGroupRuleRanges": list(ranges)}
    return shown({"BlockPublicAccessConfiguration": settings})


def shown(answer: dict[str, Any]) -> Block:
    document: Block = block.describe({"block": answer})
    return document


def test_a_range_without_an_end_is_one_port() -> None:
    assert described({"MinRange": 22}).permitted == Seen((Ports(22, 22),))


def test_ranges_are_told_in_words() -> None:
    seen = described({"MinRange": 22, "MaxRange": 22}, {"MinRange": 8000, "MaxRange": 9000})
    assert seen.let_through == Seen(("22", "8000-9000"))


def test_a_block_that_is_off_is_off() -> None:
    assert described(blocks=False).blocks == Seen(value=False)


def test_a_block_that_may_not_be_read_is_unseen() -> None:
    hidden = shown({"$unseen": "AccessDenied elasticmapreduce:GetBlockPublicAccessConfiguration"})
    reason = Unseen("AccessDenied elasticmapreduce:GetBlockPublicAccessConfiguration")
    assert hidden.blocks == hidden.permitted == hidden.let_through == reason
