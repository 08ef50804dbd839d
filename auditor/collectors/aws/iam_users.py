"""IAM users and groups: what people sign in with, and through what they are administrator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from auditor.collectors.aws._credential_report import (
    USES,
    AccessKey,
    Credential,
    active_keys,
    credentials,
    has_mfa,
    has_password,
    report,
    row,
)
from auditor.collectors.aws._listed import listed
from auditor.collectors.aws.iam_policies import attached_administrators, attached_arns, inline_administrators, policy
from auditor.domain.reading import Reading, Readings, Seen, Unseen, both
from auditor.domain.resource_type import DerivedType, Joined, Listing, Population, ResourceType


@dataclass(frozen=True, slots=True)
class User:
    """A user with every way to sign in, as the credential report knows it."""

    name: str
    console_password: Reading[bool]
    mfa: Reading[bool]
    active_keys: Reading[tuple[AccessKey, ...]]
    credentials: Reading[tuple[Credential, ...]]
    groups: Reading[tuple[str, ...]]
    attached: Reading[tuple[str, ...]]
    direct_policies: Reading[tuple[str, ...]]
    inline_admin: tuple[str | Unseen, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A group with the policies that its members get."""

    name: str
    attached: Reading[tuple[str, ...]]
    inline_admin: tuple[str | Unseen, ...]


@dataclass(frozen=True, slots=True)
class UserRights:
    """Through which policies, own or of a group, a user is administrator."""

    name: str
    administrator_by: tuple[str | Unseen, ...]


user = ResourceType(
    "aws.iam.user",
    version=2,
    title="IAM user",
    place="account",
    listing=Listing(
        "iam:get_account_authorization_details",
        items="UserDetailList",
        id="Arn",
        keep=(
            "UserName",
            "Arn",
            "CreateDate",
            "GroupList",
            "AttachedManagedPolicies[].PolicyArn",
            "UserPolicyList[].PolicyName",
            "UserPolicyList[].PolicyDocument",
        ),
    ),
    details={"report": report(arn="{Arn}")},
    volatile=tuple(f"report[].{column}" for column in USES),
)


@user.document
def describe_user(seen: Readings) -> User:
    """The user with the report's line read, so that a check never parses its words."""
    line = row(seen["report"])
    return User(
        name=listed(seen["UserName"]),
        console_password=line.map(has_password),
        mfa=line.map(has_mfa),
        active_keys=line.map(active_keys),
        credentials=line.map(credentials),
        groups=seen["GroupList"].map(lambda names: tuple(names or ())),
        attached=attached_arns(seen["AttachedManagedPolicies"]),
        direct_policies=_direct(seen),
        inline_admin=inline_administrators(seen["UserPolicyList"]),
    )


group = ResourceType(
    "aws.iam.group",
    version=1,
    title="IAM group",
    place="account",
    listing=Listing(
        "iam:get_account_authorization_details",
        items="GroupDetailList",
        id="Arn",
        keep=(
            "GroupName",
            "Arn",
            "AttachedManagedPolicies[].PolicyArn",
            "GroupPolicyList[].PolicyName",
            "GroupPolicyList[].PolicyDocument",
        ),
    ),
)


@group.document
def describe_group(seen: Readings) -> Group:
    """The group by what it grants."""
    return Group(
        name=listed(seen["GroupName"]),
        attached=attached_arns(seen["AttachedManagedPolicies"]),
        inline_admin=inline_administrators(seen["GroupPolicyList"]),
    )


user_rights = DerivedType(
    "aws.iam.user_rights",
    version=1,
    title="Rights of an IAM user",
    over=user,
    inputs=(user, group, policy),
)


@user_rights.document
def describe_user_rights(joined: Joined) -> UserRights:
    """The user's administrator rights, added up over its own policies and those of its groups."""
    if joined.member is None:
        raise RuntimeError("rights belong to a user")
    person: User = joined.member.document
    policies = joined.of(policy)
    own = (*person.inline_admin, *attached_administrators(person.attached, policies))
    return UserRights(person.name, (*own, *_through_groups(person.groups, joined.of(group), policies)))


def _through_groups(
    names: Reading[tuple[str, ...]], groups: Population, policies: Population
) -> Iterator[str | Unseen]:
    match names:
        case Seen(value):
            known: dict[str, Group] = {member.document.name: member.document for member in groups.members}
            for name in value:
                if name in known:
                    yield from known[name].inline_admin
                    yield from attached_administrators(known[name].attached, policies)
                else:
                    yield Unseen(groups.unseen or f"group {name} was not listed")
        case Unseen():
            yield names
        case _:
            assert_never(names)


def _direct(seen: Readings) -> Reading[tuple[str, ...]]:
    inline = seen["UserPolicyList"].map(lambda found: tuple(one["PolicyName"] for one in found or ()))
    return both(inline, attached_arns(seen["AttachedManagedPolicies"])).map(lambda lists: (*lists[0], *lists[1]))
