"""IAM policies, managed and inline, and the question every principal is asked: through which of them is it administrator?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from auditor.collectors.aws._listed import listed
from auditor.domain.policy import grants_administrator, statements_of
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import Listing, Member, Population, ResourceType

ADMINISTRATOR_ACCESS = "::aws:policy/AdministratorAccess"
OWNED_BY_AWS = ("/aws-service-role/", "/aws-reserved/")
PRINCIPALS = (
    ("UserDetailList", "UserPolicyList"),
    ("GroupDetailList", "GroupPolicyList"),
    ("RoleDetailList", "RolePolicyList"),
)


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """A managed policy by its default version, which is the one that counts."""

    name: str
    customer_managed: bool
    attachments: Reading[int]
    full_admin: Reading[bool]


@dataclass(frozen=True, slots=True)
class InlinePolicy:
    """A policy that lives inside a user, group or role."""

    name: str
    principal: str
    owned_by_aws: bool
    full_admin: Reading[bool]


policy = ResourceType(
    "aws.iam.policy",
    version=1,
    title="Managed policy",
    place="account",
    listing=Listing(
        "iam:get_account_authorization_details",
        items="Policies",
        id="Arn",
        keep=(
            "Arn",
            "AttachmentCount",
            "DefaultVersionId",
            "PolicyVersionList[].VersionId",
            "PolicyVersionList[].IsDefaultVersion",
            "PolicyVersionList[].Document",
        ),
    ),
)


@policy.document
def describe_policy(seen: Readings) -> ManagedPolicy:
    """The policy with its rights weighed; policies that AWS owns are read too, since they can be attached."""
    arn = listed(seen["Arn"])
    return ManagedPolicy(
        name=arn.rsplit("/", 1)[-1],
        customer_managed="::aws:policy/" not in arn,
        attachments=seen["AttachmentCount"].map(lambda count: count or 0),
        full_admin=_default_version(seen["PolicyVersionList"]),
    )


def inline_policies(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every inline policy of a page of authorization details, with the principal that carries it."""
    for principals, policies in PRINCIPALS:
        for principal in page.get(principals) or ():
            for inline in principal.get(policies) or ():
                yield {**inline, "PrincipalArn": principal["Arn"], "Path": principal.get("Path", "/")}


inline_policy = ResourceType(
    "aws.iam.inline_policy",
    version=1,
    title="Inline policy",
    place="account",
    listing=Listing(
        "iam:get_account_authorization_details",
        items=inline_policies,
        id="{PrincipalArn}/{PolicyName}",
        keep=("PrincipalArn", "Path", "PolicyName", "PolicyDocument"),
    ),
)


@inline_policy.document
def describe_inline_policy(seen: Readings) -> InlinePolicy:
    """The inline policy with its rights weighed."""
    return InlinePolicy(
        name=listed(seen["PolicyName"]),
        principal=listed(seen["PrincipalArn"]),
        owned_by_aws=listed(seen["Path"]).startswith(OWNED_BY_AWS),
        full_admin=statements_of(seen["PolicyDocument"]).map(grants_administrator),
    )


def inline_administrators(policies: Reading[Any]) -> tuple[str | Unseen, ...]:
    """The names of those inline policies of one principal that make it administrator."""
    match policies:
        case Seen(value):
            return tuple(_granting((one["PolicyName"], _weighed(one["PolicyDocument"])) for one in value or ()))
        case Unseen():
            return (policies,)
        case _:
            assert_never(policies)


def attached_administrators(attached: Reading[tuple[str, ...]], known: Population) -> tuple[str | Unseen, ...]:
    """The ARNs of those attached policies that make their holder administrator, by their rights, not by their names."""
    match attached:
        case Seen(arns):
            return tuple(_granting((arn, _rights(arn, known)) for arn in arns))
        case Unseen():
            return (attached,)
        case _:
            assert_never(attached)


def attached_arns(policies: Reading[Any]) -> Reading[tuple[str, ...]]:
    """The ARNs of attached policies."""
    return policies.map(lambda found: tuple(one["PolicyArn"] for one in found or ()))


def _granting(weighed: Iterable[tuple[str, Reading[bool]]]) -> Iterator[str | Unseen]:
    for name, admin in weighed:
        match admin:
            case Seen(value=True):
                yield name
            case Unseen():
                yield admin
            case _:
                continue


def _rights(arn: str, known: Population) -> Reading[bool]:
    if arn.endswith(ADMINISTRATOR_ACCESS):
        return Seen(value=True)
    match known.find(arn):
        case Member(document=ManagedPolicy(full_admin=full_admin)):
            return full_admin
        case Unseen() as unseen:
            return unseen
        case _:
            return Unseen(f"{arn} is attached but was not listed")


def _default_version(versions: Reading[Any]) -> Reading[bool]:
    match versions:
        case Seen(value):
            default = next((one for one in value or () if one.get("IsDefaultVersion")), None)
            return Unseen("default version was not listed") if default is None else _weighed(default.get("Document"))
        case Unseen():
            return versions
        case _:
            assert_never(versions)


def _weighed(document: Any) -> Reading[bool]:
    return statements_of(Seen(document)).map(grants_administrator)
