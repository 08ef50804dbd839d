"""EC2 storage: what a region does by default, volumes, and the snapshots and images an account could hand to others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from auditor.collectors.aws._ec2 import Item, arn, holds, parts, tags_of, titled
from auditor.domain.reading import Reading, Readings, Seen
from auditor.domain.resource_type import Listing, Read, ResourceType


@dataclass(frozen=True, slots=True)
class Region:
    """What holds for everything that is made in a region from now on."""

    name: str
    encrypts_new_volumes: Reading[bool]
    snapshot_sharing: Reading[str | None]


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume and whether what it holds is unreadable without a key."""

    name: Reading[str]
    state: Reading[str]
    encrypted: Reading[bool]
    key: Reading[str | None]
    tags: Reading[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot of our own: encrypted or not, and who else may make a volume from it."""

    name: Reading[str]
    encrypted: Reading[bool]
    public: Reading[bool]
    shared_with: Reading[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Image:
    """A machine image of our own and who else may start it: everybody, or accounts and organisations by name."""

    name: Reading[str]
    public: Reading[bool]
    shared_with: Reading[tuple[str, ...]]


region = ResourceType(
    "aws.ec2.region",
    version=1,
    title="EC2 settings of a region",
    details={
        "ebs_encryption": Read("ec2:get_ebs_encryption_by_default", keep=("EbsEncryptionByDefault",)),
        "snapshot_block": Read("ec2:get_snapshot_block_public_access_state", keep=("State",)),
    },
)

volume = ResourceType(
    "aws.ec2.volume",
    version=1,
    title="EBS volume",
    listing=Listing(
        "ec2:describe_volumes",
        items="Volumes",
        id=arn("volume", "VolumeId"),
        keep=("VolumeId", "State", "Encrypted", "KmsKeyId", "Tags[].Key", "Tags[].Value"),
    ),
)

snapshot = ResourceType(
    "aws.ec2.snapshot",
    version=1,
    title="EBS snapshot",
    listing=Listing(
        "ec2:describe_snapshots",
        OwnerIds=["self"],
        items="Snapshots",
        id="arn:{partition}:ec2:{region}::snapshot/{SnapshotId}",  # AWS names no account here, nor for images
        keep=("SnapshotId", "VolumeId", "StartTime", "Encrypted", "KmsKeyId", "Tags[].Key", "Tags[].Value"),
    ),
    details={
        "permissions": Read(
            "ec2:describe_snapshot_attribute",
            SnapshotId="{SnapshotId}",
            Attribute="createVolumePermission",
            items="CreateVolumePermissions",
            keep=("Group", "UserId"),
        ),
    },
)

image = ResourceType(
    "aws.ec2.image",
    version=2,
    title="Machine image",
    listing=Listing(
        "ec2:describe_images",
        Owners=["self"],
        items="Images",
        id="arn:{partition}:ec2:{region}::image/{ImageId}",
        keep=("ImageId", "Name", "Public", "State", "CreationDate"),
    ),
    details={
        "permissions": Read(
            "ec2:describe_image_attribute",
            ImageId="{ImageId}",
            Attribute="launchPermission",
            items="LaunchPermissions",
            keep=("UserId", "OrganizationArn", "OrganizationalUnitArn"),
        ),
    },
)


@region.document
def describe_region(seen: Readings) -> Region:
    """The region's own switches, each read apart so that one refusal does not hide the other."""
    return Region(
        name="EC2",
        encrypts_new_volumes=seen["ebs_encryption"].map(
            lambda answer: bool((answer or {}).get("EbsEncryptionByDefault"))
        ),
        snapshot_sharing=seen["snapshot_block"].map(lambda answer: (answer or {}).get("State")),
    )


@volume.document
def describe_volume(seen: Readings) -> Volume:
    """The volume with its tags as a mapping."""
    return Volume(
        name=titled(seen["VolumeId"], seen["Tags"]),
        state=seen["State"],
        encrypted=seen["Encrypted"].map(bool),
        key=seen["KmsKeyId"],
        tags=seen["Tags"].map(tags_of),
    )


@snapshot.document
def describe_snapshot(seen: Readings) -> Snapshot:
    """The snapshot with everybody told apart from the accounts it is shared with by number."""
    accounts, hidden = parts(seen["permissions"])
    return Snapshot(
        name=titled(seen["SnapshotId"], seen["Tags"]),
        encrypted=seen["Encrypted"].map(bool),
        public=holds(seen["permissions"], lambda permission: permission.get("Group") == "all"),
        shared_with=hidden or Seen(tuple(sorted(str(each["UserId"]) for each in accounts if each.get("UserId")))),
    )


@image.document
def describe_image(seen: Readings) -> Image:
    """The image under its id and the name it was given; an organisation it is shared with counts by its id."""
    given = seen["Name"]
    permissions, hidden = parts(seen["permissions"])
    return Image(
        name=seen["ImageId"].map(
            lambda id_: f"{id_} ({given.value})" if isinstance(given, Seen) and given.value else id_
        ),
        public=seen["Public"].map(bool),
        shared_with=hidden or Seen(tuple(sorted({who for each in permissions for who in _launchers(each)}))),
    )


def _launchers(permission: Item) -> Iterator[str]:
    if permission.get("UserId"):
        yield str(permission["UserId"])
    for field in ("OrganizationArn", "OrganizationalUnitArn"):
        if permission.get(field):  # arn:aws:organizations::<account>:organization/o-1, or :ou/o-1/ou-2
            yield str(permission[field]).split("/")[1]
