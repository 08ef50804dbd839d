"""Data stores of a region and the tags that say whose they are and what they hold.

The tagging service knows only what has, or once had, a tag. What never had one is found in the services' own listings.
"""

from __future__ import annotations

from dataclasses import dataclass

from auditor.collectors.aws._listed import listed
from auditor.collectors.aws.dynamodb import table
from auditor.collectors.aws.ec2_storage import volume
from auditor.collectors.aws.efs import file_system
from auditor.collectors.aws.rds import cluster, instance
from auditor.collectors.aws.s3 import bucket
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Listing, ResourceType


@dataclass(frozen=True, slots=True)
class Tagged:
    """A data store that the tagging service knows, with the keys of its tags in lower case."""

    name: str
    keys: Reading[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Store:
    """A data store by its ARN, with the keys of its tags in lower case."""

    id: str
    keys: Reading[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Stores:
    """All data stores of a region: buckets, tables, databases, file systems, volumes; the bare ones have no tag at all."""

    name: str
    stores: tuple[Store | Unseen, ...]
    bare: tuple[str, ...]


tagged = ResourceType(
    "aws.tagging.tagged",
    version=1,
    title="Tagged data store",
    listing=Listing(
        "resourcegroupstaggingapi:get_resources",
        ResourceTypeFilters=[
            "s3",
            "dynamodb:table",
            "rds:db",
            "rds:cluster",
            "elasticfilesystem:file-system",
            "ec2:volume",
        ],
        items="ResourceTagMappingList",
        id="ResourceARN",
        keep=("ResourceARN", "Tags[].Key"),
    ),
)
STORES = (bucket, table, instance, cluster, file_system, volume)
resource = DerivedType(
    "aws.tagging.resource",
    version=1,
    title="Data stores of a region and their tags",
    over="region",
    inputs=(tagged, *STORES),
)


@tagged.document
def describe_tagged(seen: Readings) -> Tagged:
    """The keys alone: values may say more than a report should."""
    return Tagged(
        name=listed(seen["ResourceARN"]),
        keys=seen["Tags"].map(lambda tags: tuple(sorted({str(tag["Key"]).lower() for tag in tags or ()}))),
    )


@resource.document
def describe_resource(joined: Joined) -> Stores:
    """Every store of the region with its tags; a listing that fell short leaves an unseen one behind."""
    known = joined.of(tagged)
    keys = {member.id: member.document.keys for member in known.members}
    untold: Reading[tuple[str, ...]] | None = None if known.unseen is None else Unseen(known.unseen)
    stores: list[Store | Unseen] = []
    for kind in STORES:
        population = joined.of(kind)
        stores.extend(
            Store(member.id, keys.get(member.id) or untold or Seen(()))
            for member in population.members
            if member.region == joined.region
        )
        if population.unseen is not None:
            stores.append(Unseen(population.unseen))
    bare = tuple(one.id for one in stores if isinstance(one, Store) and one.keys == Seen(()))
    return Stores(name=f"Region {joined.region}", stores=tuple(stores), bare=bare)
