"""The account itself: whether the provider knows whom to tell of a security problem. Names and numbers are not kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Read, ResourceType


@dataclass(frozen=True, slots=True)
class SecurityContact:
    """Which ways to reach the security contact are on file."""

    name: str
    has_email: Reading[bool]
    has_phone: Reading[bool]


def ways(answer: Mapping[str, Any]) -> dict[str, bool]:
    """Whether an address and a number are there; neither leaves this function."""
    contact = answer.get("AlternateContact") or {}
    return {"email": bool(contact.get("EmailAddress")), "phone": bool(contact.get("PhoneNumber"))}


security_contact = ResourceType(
    "aws.account.security_contact",
    version=1,
    title="Security contact of an account",
    place="account",
    details={
        "contact": Read(
            "account:get_alternate_contact",
            AlternateContactType="SECURITY",
            absent=("ResourceNotFoundException",),
            project=ways,
        )
    },
)


@security_contact.document
def describe_security_contact(seen: Readings) -> SecurityContact:
    """The contact; without one neither way is there."""
    contact = seen["contact"].map(lambda told: told or {})
    return SecurityContact(
        name="Security contact",
        has_email=contact.map(lambda told: bool(told.get("email"))),
        has_phone=contact.map(lambda told: bool(told.get("phone"))),
    )
