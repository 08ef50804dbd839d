"""IAM Identity Center itself: how long its sessions last, and which people hold assignments of their own.

Answers come from the account and the region that Identity Center lives in, or from an account it delegates to; elsewhere
there is no instance to list, or it may not be asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auditor.collectors.aws._ec2 import parts
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import Listing, Read, ResourceType

DURATION = re.compile(r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?")
DEFAULT_SESSION = "PT1H"


@dataclass(frozen=True, slots=True)
class SessionSet:
    """A permission set and how long it lets people in at a time."""

    name: Reading[str]
    session_seconds: Reading[int]


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the identity store and the assignments that name this user instead of a group."""

    name: Reading[str]
    direct: tuple[str | Unseen, ...]


def permission_sets(page: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Permission sets by ARN, which is all that their listing tells."""
    return ({"PermissionSetArn": arn} for arn in page.get("PermissionSets", ()))


INSTANCES = Read("sso-admin:list_instances", items="Instances", keep=("InstanceArn", "IdentityStoreId"))

session_set = ResourceType(
    "aws.sso.session_set",
    version=1,
    title="Permission set in Identity Center",
    listing=Listing(
        "sso-admin:list_permission_sets",
        InstanceArn="{InstanceArn}",
        within=(INSTANCES,),
        items=permission_sets,
        id="PermissionSetArn",
        keep=("PermissionSetArn",),
    ),
    details={
        "settings": Read(
            "sso-admin:describe_permission_set",
            InstanceArn="{InstanceArn}",
            PermissionSetArn="{PermissionSetArn}",
            keep=("PermissionSet.Name", "PermissionSet.SessionDuration"),
        ),
    },
)
person = ResourceType(
    "aws.sso.person",
    version=1,
    title="User of Identity Center",
    listing=Listing(
        "identitystore:list_users",
        IdentityStoreId="{IdentityStoreId}",
        within=(INSTANCES,),
        items="Users",
        id="arn:{partition}:identitystore:::user/{UserId}",
        keep=("UserId", "UserName"),
    ),
    details={
        # It answers what groups give as well, under the group's own id and kind.
        "assignments": Read(
            "sso-admin:list_account_assignments_for_principal",
            InstanceArn="{InstanceArn}",
            PrincipalId="{UserId}",
            PrincipalType="USER",
            items="AccountAssignments",
            keep=("AccountId", "PermissionSetArn", "PrincipalType"),
        ),
    },
)


@session_set.document
def describe_session_set(seen: Readings) -> SessionSet:
    """The permission set; its own length counts, an hour where none was set."""
    told = seen["settings"].map(lambda answer: (answer or {}).get("PermissionSet") or {})
    return SessionSet(
        name=told.map(lambda known: known.get("Name") or "permission set"), session_seconds=_session(told)
    )


@person.document
def describe_person(seen: Readings) -> Person:
    """The user with those assignments that no group stands behind, as account and permission set."""
    assignments, hidden = parts(seen["assignments"])
    direct = [
        f"{each['AccountId']} {str(each['PermissionSetArn']).rsplit('/', 1)[-1]}"
        for each in assignments
        if each.get("PrincipalType") == "USER"
    ]
    return Person(seen["UserName"], (*sorted(direct), *(() if hidden is None else (hidden,))))


def _session(told: Reading[Mapping[str, Any]]) -> Reading[int]:
    if isinstance(told, Unseen):
        return told
    length = DURATION.fullmatch(told.value.get("SessionDuration") or DEFAULT_SESSION)
    if length is None:
        return Unseen("session length could not be read")
    days, hours, minutes, seconds = (int(part or 0) for part in length.groups())
    return Seen(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
