"""IAM Identity Center as an account feels it: the roles that permission sets become there, and what those may do.

A permission set gives nobody anything until it is provisioned: then every account in its reach holds a reserved role with
its policies. Read there, rights are judged where they work, in member accounts too, which may not ask Identity Center itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auditor.collectors.aws._listed import listed
from auditor.collectors.aws.iam_policies import attached_administrators, attached_arns, inline_administrators, policy
from auditor.domain.reading import Reading, Readings, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Listing, ResourceType

RESERVED = "/aws-reserved/sso.amazonaws.com/"
ROLE_NAME = re.compile(r"AWSReservedSSO_(?P<set>.+)_[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class ProvisionedRole:
    """A reserved role under the name of its permission set."""

    name: str
    attached: Reading[tuple[str, ...]]
    inline_admin: tuple[str | Unseen, ...]


@dataclass(frozen=True, slots=True)
class PermissionSet:
    """A permission set in this account, and through which of its policies it is administrator."""

    name: str
    administrator_by: tuple[str | Unseen, ...]


def provisioned(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The roles of a page of authorization details that Identity Center made."""
    return (item for item in page.get("RoleDetailList", ()) if str(item.get("Path", "")).startswith(RESERVED))


provisioned_role = ResourceType(
    "aws.sso.provisioned_role",
    version=1,
    title="Role of a permission set",
    place="account",
    listing=Listing(
        "iam:get_account_authorization_details",
        items=provisioned,
        id="Arn",
        keep=(
            "RoleName",
            "AttachedManagedPolicies[].PolicyArn",
            "RolePolicyList[].PolicyName",
            "RolePolicyList[].PolicyDocument",
        ),
    ),
)
permission_set = DerivedType(
    "aws.sso.permission_set",
    version=1,
    title="Permission set in an account",
    over=provisioned_role,
    inputs=(provisioned_role, policy),
)


@provisioned_role.document
def describe_provisioned_role(seen: Readings) -> ProvisionedRole:
    """The role; a name of another form is shown as it is."""
    role = listed(seen["RoleName"])
    found = ROLE_NAME.fullmatch(role)
    return ProvisionedRole(
        name=found["set"] if found else role,
        attached=attached_arns(seen["AttachedManagedPolicies"]),
        inline_admin=inline_administrators(seen["RolePolicyList"]),
    )


@permission_set.document
def describe_permission_set(joined: Joined) -> PermissionSet:
    """The set's administrator rights, over its inline and its attached policies."""
    if joined.member is None:
        raise RuntimeError("rights belong to a permission set")
    own: ProvisionedRole = joined.member.document
    attached = attached_administrators(own.attached, joined.of(policy))
    return PermissionSet(own.name, (*own.inline_admin, *attached))
