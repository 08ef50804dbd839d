"""Data stores beside their recovery points: it goes from what there is, not from what is already protected.

A recovery point is whatever a store could be brought back from: a copy by AWS Backup, a snapshot of its own, or the log
that lets it be rolled back to any moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from auditor.collectors.aws import docdb
from auditor.collectors.aws.backup import Protected, resource
from auditor.collectors.aws.dynamodb import Table, table
from auditor.collectors.aws.ec2_storage import volume
from auditor.collectors.aws.efs import FileSystem, file_system
from auditor.collectors.aws.rds import Instance, cluster, instance
from auditor.collectors.aws.recovery_points import Moments, RecoveryPoints, last_of, recovery_points
from auditor.domain.reading import Reading, Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Member, ResourceType


@dataclass(frozen=True, slots=True)
class Store:
    """A data store under its ARN; ``points`` holds the last recovery point of each kind that it has."""

    id: str
    made_at: Reading[datetime | None]
    rolls_back: Reading[bool]
    points: tuple[datetime | Unseen, ...]


@dataclass(frozen=True, slots=True)
class Stores:
    """The data stores of a region; ``never_copied`` names those that are known to have no recovery point at all."""

    name: str
    stores: tuple[Store | Unseen, ...]
    never_copied: tuple[str, ...]


STORES: tuple[ResourceType, ...] = (instance, cluster, docdb.cluster, table, file_system, volume)

stores = DerivedType(
    "aws.backup.stores",
    version=1,
    title="Data stores of a region and their recovery points",
    over="region",
    inputs=(*STORES, recovery_points, resource),
)


@stores.document
def describe_stores(joined: Joined) -> Stores:
    """Databases (members of a cluster with the cluster, replicas with their source), tables, file systems, volumes."""
    book = _Book(joined)
    found = tuple(_stores(joined, book))
    return Stores(
        name=f"Region {joined.region}",
        stores=found,
        never_copied=tuple(
            store.id
            for store in found
            if isinstance(store, Store) and not store.points and store.rolls_back == Seen(value=False)
        ),
    )


def _stores(joined: Joined, book: _Book) -> Iterator[Store | Unseen]:
    for kind in STORES:
        population = joined.of(kind)
        for member in population.members:
            if kind is instance and _lives_elsewhere(member):
                continue
            yield book.store(kind, member)
        if population.unseen is not None:
            yield Unseen(population.unseen)


def _lives_elsewhere(member: Member) -> bool:
    """A cluster's member has no data of its own, a replica none that its source has not."""
    own: Instance = member.document
    return own.cluster not in {Seen(None), Seen("")} or own.is_replica == Seen(value=True)


class _Book:
    """The moments of a region, looked up by store."""

    def __init__(self, joined: Joined) -> None:
        told = _told(joined)
        self._made = last_of(_of(told, "made"))
        self._own = {
            instance.name: last_of(_of(told, "databases")),
            cluster.name: last_of(_of(told, "clusters")),
            docdb.cluster.name: last_of(_of(told, "clusters")),
            table.name: last_of(_of(told, "tables")),
            volume.name: last_of(_of(told, "volumes")),
        }
        backups = joined.of(resource)
        self._backed_up: Mapping[str, Member] = {member.id: member for member in backups.members}
        self._hidden = () if backups.unseen is None else (Unseen(backups.unseen),)

    def store(self, kind: ResourceType, member: Member) -> Store:
        local = member.id.split(":", 5)[5]
        last, hidden = self._own.get(kind.name, ({}, ()))
        own = (last[local],) if local in last else ()
        return Store(
            id=member.id,
            made_at=self._made_at(member, local),
            rolls_back=member.document.rolls_back if kind is table else Seen(value=False),
            points=(*own, *self._copy(member.id), *hidden),
        )

    def _made_at(self, member: Member, local: str) -> Reading[datetime | None]:
        match member.document:
            case Table(made_at=made) | FileSystem(made_at=made):
                return made
            case _:
                last, hidden = self._made
                return hidden[0] if hidden and local not in last else Seen(last.get(local))

    def _copy(self, id_: str) -> tuple[datetime | Unseen, ...]:
        if id_ not in self._backed_up:
            return self._hidden
        protected: Protected = self._backed_up[id_].document
        last = protected.last_backup_at
        if isinstance(last, Unseen):
            return (last,)
        return () if last.value is None else (last.value,)


def _told(joined: Joined) -> RecoveryPoints | Unseen:
    population = joined.of(recovery_points)
    for member in population.members:
        document: RecoveryPoints = member.document
        return document
    return Unseen(population.unseen or "recovery points were not collected")


def _of(told: RecoveryPoints | Unseen, name: str) -> Moments:
    if isinstance(told, Unseen):
        return (told,)
    moments: Moments = getattr(told, name)
    return moments
