"""Copies of volumes: snapshots by the storage interface, and Velero's backups and schedules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from auditor.collectors.kubernetes._about import fields, labels_of, name_of, namespace_of, words
from auditor.collectors.kubernetes._listing import listing
from auditor.domain.reading import Readings
from auditor.domain.resource_type import ResourceType
from auditor.proof.canonical import instant


@dataclass(frozen=True, slots=True)
class VolumeSnapshot:
    """A snapshot of a claim; ``made_at`` is null until it was made."""

    name: str
    namespace: str
    claim: str | None
    ready: bool
    made_at: datetime | None


@dataclass(frozen=True, slots=True)
class VeleroBackup:
    """A backup by Velero; ``namespaces`` is empty, or ``*``, where it holds all of them."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    phase: str
    namespaces: tuple[str, ...]
    excluded: tuple[str, ...]
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class VeleroSchedule:
    """When Velero makes backups, in the words of cron."""

    name: str
    namespace: str
    schedule: str
    paused: bool
    last_backup_at: datetime | None


snapshot = ResourceType(
    "kubernetes.volume_snapshot",
    version=1,
    title="Volume snapshot",
    place="account",
    listing=listing(
        "snapshot.storage.k8s.io/v1:volumesnapshots",
        "VolumeSnapshot",
        keep=("spec.source.persistentVolumeClaimName", "status.readyToUse", "status.creationTime"),
        unsupported=True,
    ),
)
backup = ResourceType(
    "kubernetes.velero_backup",
    version=1,
    title="Velero backup",
    place="account",
    listing=listing(
        "velero.io/v1:backups",
        "Backup",
        keep=("spec.includedNamespaces", "spec.excludedNamespaces", "status.phase", "status.completionTimestamp"),
        unsupported=True,
    ),
)
schedule = ResourceType(
    "kubernetes.velero_schedule",
    version=2,
    title="Velero schedule",
    place="account",
    listing=listing(
        "velero.io/v1:schedules",
        "Schedule",
        keep=("spec.schedule", "spec.paused", "status.lastBackup"),
        unsupported=True,
    ),
    volatile=("status.lastBackup",),
)


@snapshot.document
def describe_snapshot(seen: Readings) -> VolumeSnapshot:
    """The snapshot as its driver reports it."""
    status = fields(seen, "status")
    return VolumeSnapshot(
        name=name_of(seen),
        namespace=namespace_of(seen),
        claim=(fields(seen, "spec").get("source") or {}).get("persistentVolumeClaimName"),
        ready=bool(status.get("readyToUse")),
        made_at=_at(status.get("creationTime")),
    )


@backup.document
def describe_backup(seen: Readings) -> VeleroBackup:
    """The backup and how it ended."""
    spec, status = fields(seen, "spec"), fields(seen, "status")
    return VeleroBackup(
        name=name_of(seen),
        namespace=namespace_of(seen),
        labels=labels_of(seen),
        phase=str(status.get("phase") or ""),
        namespaces=words(spec.get("includedNamespaces")),
        excluded=words(spec.get("excludedNamespaces")),
        completed_at=_at(status.get("completionTimestamp")),
    )


@schedule.document
def describe_schedule(seen: Readings) -> VeleroSchedule:
    """The schedule and its last backup."""
    spec = fields(seen, "spec")
    return VeleroSchedule(
        name=name_of(seen),
        namespace=namespace_of(seen),
        schedule=str(spec.get("schedule") or ""),
        paused=bool(spec.get("paused")),
        last_backup_at=_at(fields(seen, "status").get("lastBackup")),
    )


def _at(told: str | None) -> datetime | None:
    return instant(told) if told else None
