"""Data stores, each beside its recovery points: it goes from what there is, not from what is already protected.

A recovery point is whatever a store could be brought back from: a copy by AWS Backup, a snapshot of its own, or the log
that lets it be rolled back to any moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from auditor.collectors.aws import docdb
from auditor.collectors.aws.dynamodb import Table, table
from auditor.collectors.aws.ec2_storage import volume
from auditor.collectors.aws.efs import FileSystem, file_system
from auditor.collectors.aws.rds import Instance, cluster, instance
from auditor.collectors.aws.recovery_points import Moments, RecoveryPoints, last_of, recovery_points
from auditor.domain.reading import Reading, Seen, Unseen, both
from auditor.domain.resource_type import DerivedType, Joined, Population, ResourceType

YES, NO = Seen(value=True), Seen(value=False)
Last: TypeAlias = tuple[Mapping[str, datetime], tuple[Unseen, ...]]


@dataclass(frozen=True, slots=True)
class Store:
    """A data store; ``points`` holds the last recovery point of each kind that it has.

    A member of a cluster or a replica has no data of its own. ``rolls_back`` is a log back to any moment.
    """

    name: str
    has_own_data: Reading[bool]
    made_at: Reading[datetime | None]
    rolls_back: Reading[bool]
    points: tuple[datetime | Unseen, ...]


def _copied(kind: ResourceType, word: str) -> DerivedType:
    return DerivedType(
        f"aws.backup.{word}",
        version=1,
        title=f"{kind.title} and its recovery points",
        over=kind,
        inputs=(recovery_points,),
    )


copied_instance = _copied(instance, "instance")
copied_cluster = _copied(cluster, "cluster")
copied_document_cluster = _copied(docdb.cluster, "document_cluster")
copied_table = _copied(table, "table")
copied_file_system = _copied(file_system, "file_system")
copied_volume = _copied(volume, "volume")
STORES = (copied_instance, copied_cluster, copied_document_cluster, copied_table, copied_file_system, copied_volume)
OWN: Mapping[str, str] = {"db": "databases", "cluster": "clusters", "table": "tables", "volume": "volumes"}
"""Which list of a region's recovery points holds a kind's own copies; file systems have none but those of AWS Backup."""


def describe_store(joined: Joined) -> Store:
    """The store with its recovery points, as its own region tells them."""
    if joined.member is None:
        raise RuntimeError("this type is described over a member")
    member, document = joined.member, joined.member.document
    local = member.id.split(":", 5)[5]
    book = _book(joined)
    if isinstance(book, Unseen):
        made: Last = ({}, (book,))
        points: tuple[datetime | Unseen, ...] = (book,)
    else:
        made = book["made"]
        own = OWN.get(local.replace("/", ":").partition(":")[0])
        points = (*(() if own is None else _points(local, book[own])), *_points(member.id, book["copies"]))
    return Store(
        name=local,
        has_own_data=_has_own_data(document) if isinstance(document, Instance) else YES,
        made_at=_made_at(document, local, made),
        rolls_back=document.rolls_back if isinstance(document, Table) else NO,
        points=points,
    )


for _kind in STORES:
    _kind.document(describe_store)


def _has_own_data(own: Instance) -> Reading[bool]:
    return both(own.cluster, own.is_replica).map(lambda told: not any(told))


def _made_at(document: object, local: str, made: Last) -> Reading[datetime | None]:
    match document:
        case Table(made_at=told) | FileSystem(made_at=told):
            return told
        case _:
            last, hidden = made
            return hidden[0] if hidden and local not in last else Seen(last.get(local))


def _points(store: str, told: Last) -> tuple[datetime | Unseen, ...]:
    last, hidden = told
    return (*((last[store],) if store in last else ()), *hidden)


def _book(joined: Joined) -> Mapping[str, Last] | Unseen:
    population = joined.of(recovery_points)
    known = population.once(_books).get(joined.region)
    return known or Unseen(population.unseen or f"recovery points of {joined.region} were not collected")


def _books(population: Population) -> Mapping[str, Mapping[str, Last]]:
    return {member.region: _by_kind(member.document) for member in population.members}


def _by_kind(told: RecoveryPoints) -> Mapping[str, Last]:
    lists: Mapping[str, Moments] = {
        "made": told.made,
        "databases": told.databases,
        "clusters": told.clusters,
        "tables": told.tables,
        "volumes": told.volumes,
        "copies": told.copies,
    }
    return {name: last_of(moments) for name, moments in lists.items()}
