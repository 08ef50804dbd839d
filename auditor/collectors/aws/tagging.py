"""Data stores, each with the tags that say whose it is and what it holds.

The tagging service knows only what has, or once had, a tag. What never had one is found in the services' own listings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from auditor.collectors.aws._ec2 import parts
from auditor.collectors.aws.dynamodb import table
from auditor.collectors.aws.ec2_storage import volume
from auditor.collectors.aws.efs import file_system
from auditor.collectors.aws.rds import cluster, instance
from auditor.collectors.aws.s3 import bucket
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Population, Read, ResourceType

Keys: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tagged:
    """A data store that the tagging service knows, with the keys of its tags in lower case."""

    store: str
    keys: Keys


@dataclass(frozen=True, slots=True)
class Tags:
    """What the tagging service knows of a region's data stores, closed by what hides the rest."""

    name: str
    stores: tuple[Tagged | Unseen, ...]


@dataclass(frozen=True, slots=True)
class Store:
    """A data store with the keys of its tags in lower case; none where it never had a tag."""

    name: str
    keys: Reading[Keys]


tags = ResourceType(
    "aws.tagging.tags",
    version=1,
    title="Tagged data stores of a region",
    details={
        "resources": Read(
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
            keep=("ResourceARN", "Tags[].Key"),
        ),
    },
)


def _tagged(kind: ResourceType, word: str) -> DerivedType:
    return DerivedType(f"aws.tagging.{word}", version=1, title=f"{kind.title} and its tags", over=kind, inputs=(tags,))


tagged_bucket = _tagged(bucket, "bucket")
tagged_table = _tagged(table, "table")
tagged_instance = _tagged(instance, "instance")
tagged_cluster = _tagged(cluster, "cluster")
tagged_file_system = _tagged(file_system, "file_system")
tagged_volume = _tagged(volume, "volume")
STORES = (tagged_bucket, tagged_table, tagged_instance, tagged_cluster, tagged_file_system, tagged_volume)


@tags.document
def describe_tags(seen: Readings) -> Tags:
    """The keys alone: values may say more than a report should."""
    known, hidden = parts(seen["resources"])
    found = tuple(
        Tagged(str(each["ResourceARN"]), tuple(sorted({str(tag["Key"]).lower() for tag in each.get("Tags") or ()})))
        for each in known
    )
    return Tags("Tagged data stores", found if hidden is None else (*found, hidden))


def describe_store(joined: Joined) -> Store:
    """The store with its tags, which the tagging service of its own region knows."""
    if joined.member is None:
        raise RuntimeError("this type is described over a member")
    name = joined.member.id.split(":", 5)[5]
    told = joined.of(tags).once(_by_region).get(joined.member.region)
    if told is None:
        return Store(name, Unseen(joined.of(tags).unseen or f"tags of {joined.region} were not collected"))
    known, untold = told
    return Store(name, known.get(joined.member.id) or untold or Seen(()))


for _kind in STORES:
    _kind.document(describe_store)


def _by_region(known: Population) -> Mapping[str, tuple[Mapping[str, Reading[Keys]], Unseen | None]]:
    """Per region the tags of each store by ARN, and why there may be more."""
    found: dict[str, tuple[Mapping[str, Reading[Keys]], Unseen | None]] = {}
    for member in known.members:
        stores = member.document.stores
        by_arn: dict[str, Reading[Keys]] = {one.store: Seen(one.keys) for one in stores if isinstance(one, Tagged)}
        found[member.region] = by_arn, next((one for one in stores if isinstance(one, Unseen)), None)
    return found
