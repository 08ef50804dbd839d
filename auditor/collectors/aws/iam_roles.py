"""IAM roles: who may become one, for how long, who still does, and which are kept for emergencies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

from auditor.collectors.aws._listed import listed
from auditor.collectors.aws.iam_policies import attached_administrators, attached_arns, inline_administrators, policy
from auditor.domain.policy import statements_of
from auditor.domain.reading import Reading, Readings, Seen, Unseen, both
from auditor.domain.resource_type import DerivedType, Joined, Listing, Read, ResourceType
from auditor.domain.trust_policy import trust
from auditor.proof.canonical import instant


@dataclass(frozen=True, slots=True)
class Role:
    """A role with its door read: whom it lets in and what they must show.

    ``outside_accounts`` are other accounts that are trusted without a condition or an external id.
    """

    name: str
    service_linked: bool
    reserved: bool
    sso: bool
    open_trust: Reading[tuple[str, ...]]
    trusted_by_people: Reading[bool]
    outside_accounts: Reading[tuple[str, ...]]
    demands_mfa: Reading[bool]
    max_session_seconds: Reading[int]
    idle_since: Reading[datetime]
    tags: Reading[tuple[str, ...]]
    attached: Reading[tuple[str, ...]]
    inline_admin: tuple[str | Unseen, ...]


@dataclass(frozen=True, slots=True)
class RoleRights:
    """Through which policies a role is administrator."""

    name: str
    service_linked: bool
    sso: bool
    administrator_by: tuple[str | Unseen, ...]


@dataclass(frozen=True, slots=True)
class EmergencyRole:
    """A role as an emergency needs it: its tags, and whether it asks for a second factor."""

    name: str
    tags: Reading[tuple[str, ...]]
    demands_mfa: Reading[bool]


@dataclass(frozen=True, slots=True)
class EmergencyAccess:
    """All roles of the account, asked whether one of them is kept for emergencies."""

    name: str
    roles: tuple[EmergencyRole | Unseen, ...]


role = ResourceType(
    "aws.iam.role",
    version=2,
    title="IAM role",
    place="account",
    listing=Listing(
        "iam:get_account_authorization_details",
        items="RoleDetailList",
        id="Arn",
        keep=(
            "RoleName",
            "Arn",
            "Path",
            "CreateDate",
            "AssumeRolePolicyDocument",
            "RoleLastUsed.LastUsedDate",
            "AttachedManagedPolicies[].PolicyArn",
            "RolePolicyList[].PolicyName",
            "RolePolicyList[].PolicyDocument",
            "Tags[].Key",
        ),
    ),
    # The authorization details leave the session length out; one more bulk call has it.
    details={
        "session": Read("iam:list_roles", items="Roles", match={"Arn": "{Arn}"}, keep=("Arn", "MaxSessionDuration"))
    },
    volatile=("RoleLastUsed.LastUsedDate",),
)


@role.document
def describe_role(seen: Readings) -> Role:
    """The role with its trust policy weighed; one that was never used counts its idle days from its making."""
    path = listed(seen["Path"])
    own = listed(seen["Arn"]).split(":")[4]
    trusts = statements_of(seen["AssumeRolePolicyDocument"]).map(trust)
    return Role(
        name=listed(seen["RoleName"]),
        service_linked=path.startswith("/aws-service-role/"),
        reserved=path.startswith("/aws-reserved/"),
        sso=path.startswith("/aws-reserved/sso.amazonaws.com/"),
        open_trust=trusts.map(lambda found: found.open_to),
        trusted_by_people=trusts.map(lambda found: found.people),
        outside_accounts=trusts.map(lambda found: tuple(one for one in found.accounts if one != own)),
        demands_mfa=trusts.map(lambda found: found.mfa),
        max_session_seconds=_session(seen["session"]),
        idle_since=both(seen["CreateDate"], seen["RoleLastUsed"]).map(_idle_since),
        tags=seen["Tags"].map(lambda tags: tuple(tag["Key"] for tag in tags or ())),
        attached=attached_arns(seen["AttachedManagedPolicies"]),
        inline_admin=inline_administrators(seen["RolePolicyList"]),
    )


role_rights = DerivedType(
    "aws.iam.role_rights",
    version=1,
    title="Rights of an IAM role",
    over=role,
    inputs=(role, policy),
)


@role_rights.document
def describe_role_rights(joined: Joined) -> RoleRights:
    """The role's administrator rights, over its inline and its attached policies."""
    if joined.member is None:
        raise RuntimeError("rights belong to a role")
    holder: Role = joined.member.document
    attached = attached_administrators(holder.attached, joined.of(policy))
    return RoleRights(holder.name, holder.service_linked, holder.sso, (*holder.inline_admin, *attached))


emergency_access = DerivedType(
    "aws.iam.emergency_access",
    version=1,
    title="Emergency access to an account",
    over="account",
    inputs=(role,),
)


@emergency_access.document
def describe_emergency_access(joined: Joined) -> EmergencyAccess:
    """Every role reduced to what an emergency asks of it."""
    return EmergencyAccess(
        name=f"Account {joined.account}",
        roles=tuple(
            one if isinstance(one, Unseen) else EmergencyRole(one.name, one.tags, one.demands_mfa)
            for one in joined.of(role).documents()
        ),
    )


def _session(sessions: Reading[Any]) -> Reading[int]:
    match sessions:
        case Seen(value):
            found = value[0].get("MaxSessionDuration") if value else None
            return Unseen("session length was not listed") if found is None else Seen(found)
        case Unseen():
            return sessions
        case _:
            assert_never(sessions)


def _idle_since(moments: tuple[Any, Any]) -> datetime:
    created, used = moments
    return instant((used or {}).get("LastUsedDate") or created)
