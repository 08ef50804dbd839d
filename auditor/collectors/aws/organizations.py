"""The organisation around an account, and the guardrails that its management account wrote."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.collectors.aws._ec2 import holds
from auditor.collectors.aws._listed import listed
from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Listing, Read, ResourceType
from auditor.domain.scope import ORGANISATION_ACCOUNT

ALONE = ("AWSOrganizationsNotInUseException",)
OPEN_POLICY = "p-FullAWSAccess"
"""The service control policy that every organisation begins with; it guards against nothing."""


@dataclass(frozen=True, slots=True)
class Membership:
    """An account's organisation; guardrails are seen only from the management account or one it delegates to."""

    name: str
    organized: Reading[bool]
    all_features: Reading[bool]
    has_guardrails: Reading[bool]


membership = ResourceType(
    "aws.organizations.membership",
    version=1,
    title="Account in its organisation",
    place="account",
    details={
        "organization": Read(
            "organizations:describe_organization",
            absent=ALONE,
            keep=("Organization.Id", "Organization.FeatureSet", "Organization.MasterAccountId"),
        ),
        "policies": Read(
            "organizations:list_policies",
            Filter="SERVICE_CONTROL_POLICY",
            absent=ALONE,
            items="Policies",
            keep=("Id", "Name"),
        ),
    },
)


@dataclass(frozen=True, slots=True)
class Account:
    """An account as its organisation lists it; ``status`` is ``ACTIVE``, ``SUSPENDED`` or ``PENDING_CLOSURE``."""

    id: str
    name: Reading[str]
    status: Reading[str]


account = ResourceType(
    ORGANISATION_ACCOUNT,
    version=1,
    title="Account that the organisation lists",
    place="account",
    listing=Listing(
        "organizations:list_accounts",
        items="Accounts",
        id="Arn",
        keep=("Id", "Name", "Status"),
        unsupported=ALONE,
    ),
)


@account.document
def describe_account(seen: Readings) -> Account:
    """The account; who holds it by e-mail is not kept."""
    return Account(id=listed(seen["Id"]), name=seen["Name"], status=seen["Status"])


@membership.document
def describe_membership(seen: Readings) -> Membership:
    """The organisation; an account that stands alone has none."""
    organization = seen["organization"].map(lambda answer: (answer or {}).get("Organization") or {})
    return Membership(
        name="Organisation of the account",
        organized=organization.map(bool),
        all_features=organization.map(lambda told: told.get("FeatureSet") == "ALL"),
        has_guardrails=holds(seen["policies"], lambda policy: policy.get("Id") != OPEN_POLICY),
    )
