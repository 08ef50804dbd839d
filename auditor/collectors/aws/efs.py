"""EFS file systems: encrypted or not, and whether copies are made, by the service's own switch or by a backup plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from auditor.collectors.aws._answers import inside
from auditor.collectors.aws.backup import Protected, resource
from auditor.domain.reading import Reading, Readings, Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined, Listing, Member, Read, ResourceType


@dataclass(frozen=True, slots=True)
class FileSystem:
    """A file system; ``backs_itself_up`` is the service's switch, which puts it on the default plan."""

    name: Reading[str]
    made_at: Reading[datetime | None]
    encrypted: Reading[bool]
    backs_itself_up: Reading[bool]


@dataclass(frozen=True, slots=True)
class CopiedFileSystem:
    """A file system with the last copy that any backup plan made of it; null where none did."""

    name: Reading[str]
    backs_itself_up: Reading[bool]
    last_backup_at: Reading[datetime | None]


file_system = ResourceType(
    "aws.efs.file_system",
    version=1,
    title="EFS file system",
    listing=Listing(
        "efs:describe_file_systems",
        items="FileSystems",
        id="arn:{partition}:elasticfilesystem:{region}:{account}:file-system/{FileSystemId}",
        keep=("FileSystemId", "Name", "CreationTime", "Encrypted"),
    ),
    details={
        "backup": Read(
            "efs:describe_backup_policy",
            FileSystemId="{FileSystemId}",
            absent=("PolicyNotFound",),
            keep=("BackupPolicy.Status",),
        ),
    },
)

copied_file_system = DerivedType(
    "aws.efs.copied_file_system",
    version=1,
    title="EFS file system and its copies",
    over=file_system,
    inputs=(file_system, resource),
)


@file_system.document
def describe_file_system(seen: Readings) -> FileSystem:
    """The file system under its id, with the name people gave behind it."""
    given = seen["Name"].value if isinstance(seen["Name"], Seen) else None
    return FileSystem(
        name=seen["FileSystemId"].map(lambda id_: f"{id_} ({given})" if given else str(id_)),
        made_at=seen["CreationTime"],
        encrypted=seen["Encrypted"].map(bool),
        backs_itself_up=seen["backup"].map(lambda answer: inside(answer, "BackupPolicy", "Status") == "ENABLED"),
    )


@copied_file_system.document
def describe_copied_file_system(joined: Joined) -> CopiedFileSystem:
    """The file system beside the list of what was ever backed up, for plans that choose by tag."""
    if joined.member is None:
        raise RuntimeError("this type is described over a file system")
    own: FileSystem = joined.member.document
    return CopiedFileSystem(own.name, own.backs_itself_up, _last(joined.of(resource).find(joined.member.id)))


def _last(found: Member | Unseen | None) -> Reading[datetime | None]:
    match found:
        case None:
            return Seen(None)
        case Unseen():
            return found
        case Member(document=known):
            protected: Protected = known
            return protected.last_backup_at
        case never:
            assert_never(never)
