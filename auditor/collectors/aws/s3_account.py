"""The account's own block against public access, which stands above every bucket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Read, ResourceType

BLOCK_FLAGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
ACCOUNT_BLOCK = Read(
    "s3control:get_public_access_block",
    AccountId="{account}",
    absent=("NoSuchPublicAccessBlockConfiguration",),
    keep=tuple(f"PublicAccessBlockConfiguration.{flag}" for flag in BLOCK_FLAGS),
)


@dataclass(frozen=True, slots=True)
class Block:
    """The four switches against public access."""

    block_public_acls: Reading[bool]
    ignore_public_acls: Reading[bool]
    block_public_policy: Reading[bool]
    restrict_public_buckets: Reading[bool]


@dataclass(frozen=True, slots=True)
class Account:
    """An account's own block, which stands above every bucket."""

    name: str
    block: Block


account = ResourceType(
    "aws.s3.account",
    version=1,
    title="S3 in an account",
    place="account",
    details={"account_block": ACCOUNT_BLOCK},
)


@account.document
def describe_account(seen: Readings) -> Account:
    """The account-wide block; without one nothing is blocked."""
    return Account(name="S3 account settings", block=block_of(seen["account_block"]))


def block_of(answer: Reading[Any]) -> Block:
    """The switches of one level; a level without them has them all off."""
    flags = answer.map(lambda found: (found or {}).get("PublicAccessBlockConfiguration") or {})
    acls, ignore, policy, restrict = (_flag(flags, name) for name in BLOCK_FLAGS)
    return Block(acls, ignore, policy, restrict)


def _flag(flags: Reading[Mapping[str, Any]], name: str) -> Reading[bool]:
    return flags.map(lambda found: bool(found.get(name)))
