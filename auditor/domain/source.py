"""What is looked at: sources, their places, and the units of work that one run over a source is cut into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID, uuid5

from auditor.domain.provider import stand_in

SourceKind: TypeAlias = Literal["aws", "kubernetes"]
GLOBAL = "global"
JOIN = "join"
CLUSTER = "cluster"
"""What people read where an account's findings name a region: all of a cluster is one place."""
UnitState: TypeAlias = Literal["due", "leased", "done", "given_up", "cancelled"]

NAMESPACE = UUID("6f0e3c1e-7b55-5d1b-9a5c-0d7a52a9c4b1")


def public_id(tenant: UUID | str, *natural: str) -> UUID:
    """The id that URLs, exports and the ledger use: the same natural key always has the same id."""
    return uuid5(NAMESPACE, "\x1f".join((str(tenant), *natural)))


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """The way into a cluster: a kubeconfig where workers run, the pod that they run in, an address, or AWS. No secret is in it.

    ``uid`` is that of the namespace ``kube-system``, asserted each time we connect. ``authority`` is a certificate in PEM,
    ``expires_at`` the end of the token that belongs to the address, where it tells one. ``eks`` is the name of a cluster in a
    ``region``, whose address and tokens come of the AWS credentials that the source names. ``certificates`` are Secrets
    (``namespace/name``) that somebody opted in to have read, for the days of the certificates in them.
    """

    uid: str
    kubeconfig: str | None = None
    context: str | None = None
    in_cluster: bool = False
    url: str | None = None
    authority: str | None = None
    expires_at: datetime | None = None
    eks: str | None = None
    region: str | None = None
    certificates: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """What is kept of it: all that is set."""
        told = {each.name: getattr(self, each.name) for each in fields(self)}
        told["expires_at"] = None if self.expires_at is None else self.expires_at.isoformat()
        return {name: value for name, value in told.items() if value}

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> ClusterAccess | None:
        """As it was kept; none for what is no cluster."""
        if not told:
            return None
        ends = told.get("expires_at")
        named = tuple(told.get("certificates", ()))
        return cls(
            **{**told, "expires_at": None if ends is None else datetime.fromisoformat(ends), "certificates": named}
        )

    def words(self) -> str:
        """How we get in, for people."""
        if self.in_cluster:
            return "the service account of the pod that asks"
        if self.url is not None:
            return f"a token, at {self.url}"
        if self.eks is not None:
            return f"tokens made with AWS credentials, as EKS cluster {self.eks} of {self.region}"
        return f"context {self.context} of {self.kubeconfig}"


@dataclass(frozen=True, slots=True)
class Source:
    """A connected AWS account or cluster: who we ask as, and where.

    ``account`` is twelve digits; of a cluster the uid of its namespace ``kube-system``, or its ARN where it is one of EKS.
    """

    tenant: UUID
    id: UUID
    kind: SourceKind
    account: str
    name: str
    partition: str = "aws"
    role_arn: str | None = None
    external_id: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    """Where to ask instead of where the provider's own client library would."""
    answered_by: str | None = field(default=None, compare=False)
    """The first host that answered and is not the provider's own; empty if none did, none if nobody took notice yet."""
    access: ClusterAccess | None = None
    secret_sealed: bytes | None = field(default=None, repr=False)

    @property
    def stand_in(self) -> str:
        """The host that answers instead of the provider, as configured or as heard; else empty. Pages and exports say so.

        A cluster has no provider whose host it could differ from: an endpoint beside its own access is an emulator's.
        """
        if self.answered_by is not None:
            return self.answered_by
        return stand_in(self.endpoint_url, self.partition if self.kind == "aws" else "")

    def place(self, region: str) -> Place:
        """One of its places."""
        return Place(self.account, region, self.partition, self.kind)


@dataclass(frozen=True, slots=True)
class Manners:
    """How gently a source is asked: requests a second per region and service, calls in a day, and hours of quiet.

    Hours are UTC, ``[from, to)``, and may pass midnight; within them no unit begins. ``None`` means no limit of its own.
    """

    per_second: float | None = None
    daily_calls: int | None = None
    quiet: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A source's region, or ``global`` for what stands over all regions. ``join`` is where derived types are built.

    A cluster has no regions: all of it stands at ``global``, and ``account`` is its name, or the id it is connected under.
    """

    account: str
    region: str
    partition: str = "aws"
    kind: SourceKind = "aws"

    @property
    def native_id(self) -> str:
        """How the place itself is named as a resource: the account's root ARN, ``ACCOUNT/REGION``, or ``/Cluster/NAME``."""
        if self.kind == "kubernetes":
            return f"/Cluster/{self.account}"
        if self.region in {GLOBAL, JOIN}:
            return f"arn:{self.partition}:iam::{self.account}:root"
        return f"{self.account}/{self.region}"

    @property
    def resource_type(self) -> str:
        """The type that the place has as a resource."""
        if self.kind == "kubernetes":
            return "kubernetes.cluster"
        return "aws.account" if self.region in {GLOBAL, JOIN} else "aws.region"


@dataclass(frozen=True, slots=True)
class Unit:
    """A leased piece of a run: one place. ``fence`` grows with each lease, so a late worker is recognised.

    A busy place is cut into parts: each looks at the types of its own ``services``; empty means all of them. A unit of a
    refresh looks at the types in ``only``, at the resources that it names of each, or at all of a type where it names none.
    """

    tenant: UUID
    id: UUID
    run: UUID
    source: UUID
    place: str
    fence: int
    slot: datetime
    part: str = ""
    services: tuple[str, ...] = ()
    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def has(self, resource_type: str) -> bool:
        """Whether a type (``aws.s3.bucket``) is this unit's to look at."""
        if self.only:
            return resource_type in self.only
        return not self.services or resource_type.split(".")[1] in self.services

    @property
    def named(self) -> Mapping[str, tuple[str, ...]]:
        """The types of which single resources are looked at, with their ids."""
        return {name: ids for name, ids in self.only.items() if ids}


def unit_id(tenant: UUID, source: UUID, place: str, slot: datetime, part: str = "") -> UUID:
    """Source, place, part and slot name a unit: planning twice plans the same unit."""
    return public_id(tenant, "unit", str(source), place, slot.isoformat(), *((part,) if part else ()))
