"""Copies and keys that others may use, held against our organisation: who of them stands outside.

The organisation is asked where this account may ask. Every member may ask for its id, only the management account and its
delegates for the list of accounts; a foreign account is called outside only where that list, or the lack of any
organisation, says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_never

from auditor.collectors.aws.ec2_storage import Image, Snapshot, image, snapshot
from auditor.collectors.aws.kms import Key, key
from auditor.collectors.aws.rds_snapshots import EVERYBODY, cluster_snapshot
from auditor.collectors.aws.rds_snapshots import Snapshot as DatabaseSnapshot
from auditor.collectors.aws.rds_snapshots import snapshot as database_snapshot
from auditor.domain.reading import Reading, Readings, Seen, Unseen, as_reading
from auditor.domain.resource_type import DerivedType, Joined, Read, ResourceType


@dataclass(frozen=True, slots=True)
class Organisation:
    """The organisation that an account belongs to: id and accounts; nulls where it belongs to none."""

    name: str
    organisation: Reading[str | None]
    management: Reading[str | None]
    accounts: tuple[str | Unseen, ...]


@dataclass(frozen=True, slots=True)
class Party:
    """An account or organisation that is not our own account."""

    who: str
    inside: Reading[bool]


@dataclass(frozen=True, slots=True)
class Shared:
    """A copy of data and the parties, other than our own account, that it is shared with; ``strangers`` stand outside."""

    name: Reading[str]
    parties: Reading[tuple[Party, ...]]
    strangers: Reading[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class SharedKey:
    """A key and the parties, other than our own account, that its policy lets in; ``strangers`` stand outside."""

    name: Reading[str]
    customer_managed: Reading[bool]
    parties: Reading[tuple[Party, ...]]
    strangers: Reading[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class SharedDatabase:
    """A copy of a database with those, other than our own account and everybody, who may restore it."""

    name: Reading[str]
    kind: Reading[str]
    parties: Reading[tuple[Party, ...]]
    strangers: Reading[tuple[str, ...]]


NO_ORGANISATION = ("AWSOrganizationsNotInUseException",)

organisation = ResourceType(
    "aws.organizations.accounts",
    version=1,
    title="Accounts of the organisation",
    place="account",
    details={
        "organization": Read(
            "organizations:describe_organization",
            absent=NO_ORGANISATION,
            keep=("Organization.Id", "Organization.MasterAccountId"),
        ),
        "accounts": Read("organizations:list_accounts", absent=NO_ORGANISATION, items="Accounts", keep=("Id",)),
    },
)

shared_snapshot = DerivedType(
    "aws.ec2.shared_snapshot",
    version=1,
    title="EBS snapshot and whom it is shared with",
    over=snapshot,
    inputs=(snapshot, organisation),
)
shared_image = DerivedType(
    "aws.ec2.shared_image",
    version=1,
    title="Machine image and whom it is shared with",
    over=image,
    inputs=(image, organisation),
)
shared_database_snapshot = DerivedType(
    "aws.rds.shared_snapshot",
    version=1,
    title="RDS snapshot and whom it is shared with",
    over=database_snapshot,
    inputs=(database_snapshot, organisation),
)
shared_cluster_snapshot = DerivedType(
    "aws.rds.shared_cluster_snapshot",
    version=1,
    title="RDS cluster snapshot and whom it is shared with",
    over=cluster_snapshot,
    inputs=(cluster_snapshot, organisation),
)
shared_key = DerivedType(
    "aws.kms.shared_key",
    version=1,
    title="KMS key and whom it is shared with",
    over=key,
    inputs=(key, organisation),
)


@organisation.document
def describe_organisation(seen: Readings) -> Organisation:
    """The organisation as this account may see it."""
    told = seen["organization"].map(lambda answer: (answer or {}).get("Organization") or {})
    return Organisation(
        name="Organisation",
        organisation=told.map(lambda known: known.get("Id")),
        management=told.map(lambda known: known.get("MasterAccountId")),
        accounts=_accounts(seen["accounts"]),
    )


@shared_snapshot.document
def describe_shared_snapshot(joined: Joined) -> Shared:
    """The snapshot with those who may make a volume from it."""
    own: Snapshot = _own(joined)
    parties = _parties(own.shared_with, joined)
    return Shared(own.name, parties, parties.map(_strangers))


@shared_image.document
def describe_shared_image(joined: Joined) -> Shared:
    """The image with those who may start it."""
    own: Image = _own(joined)
    parties = _parties(own.shared_with, joined)
    return Shared(own.name, parties, parties.map(_strangers))


@shared_database_snapshot.document
def describe_shared_database_snapshot(joined: Joined) -> SharedDatabase:
    """The snapshot of an instance with those who may restore it."""
    return _shared_database(joined)


@shared_cluster_snapshot.document
def describe_shared_cluster_snapshot(joined: Joined) -> SharedDatabase:
    """The snapshot of a cluster with those who may restore it."""
    return _shared_database(joined)


@shared_key.document
def describe_shared_key(joined: Joined) -> SharedKey:
    """The key with those whom its policy names."""
    own: Key = _own(joined)
    parties = _parties(own.shared_with, joined)
    return SharedKey(own.name, own.customer_managed, parties, parties.map(_strangers))


def inside(who: str, ours: Organisation | Unseen) -> Reading[bool]:
    """Whether an account or organisation belongs to us; unseen where neither list nor lack of an organisation tells."""
    if isinstance(ours, Unseen):
        return ours
    match ours.organisation:
        case Unseen() as hidden:
            return Seen(value=True) if who in ours.accounts else hidden
        case Seen(None):
            return Seen(value=False)
        case Seen(own):
            if who.startswith("o-"):
                return Seen(who == own)
            if who in ours.accounts or ours.management == Seen(who):
                return Seen(value=True)
            return next((one for one in ours.accounts if isinstance(one, Unseen)), Seen(value=False))
        case _:
            assert_never(ours.organisation)


def _shared_database(joined: Joined) -> SharedDatabase:
    own: DatabaseSnapshot = _own(joined)
    named = own.shared_with.map(lambda each: tuple(who for who in each or () if who != EVERYBODY))
    parties = _parties(named, joined)
    return SharedDatabase(own.name, own.kind, parties, parties.map(_strangers))


def _parties(named: Reading[tuple[str, ...]], joined: Joined) -> Reading[tuple[Party, ...]]:
    found = joined.of(organisation).documents()
    ours: Organisation | Unseen = found[0] if found else Unseen("the organisation was not collected")
    return named.map(lambda each: tuple(Party(who, inside(who, ours)) for who in each if who != joined.account))


def _strangers(parties: tuple[Party, ...]) -> tuple[str, ...]:
    return tuple(party.who for party in parties if party.inside == Seen(value=False))


def _accounts(members: Reading[Any]) -> tuple[str | Unseen, ...]:
    match members:
        case Seen(value):
            read = [as_reading(member) for member in value or ()]
            return tuple(one if isinstance(one, Unseen) else str(one.value["Id"]) for one in read)
        case Unseen():
            return (members,)
        case _:
            assert_never(members)


def _own(joined: Joined) -> Any:
    if joined.member is None:
        raise RuntimeError("this type is described over a member")
    return joined.member.document
