"""Persistent volumes and the claims on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditor.collectors.kubernetes._about import fields, labels_of, name_of, namespace_of
from auditor.collectors.kubernetes._listing import listing
from auditor.domain.reading import Readings
from auditor.domain.resource_type import ResourceType


@dataclass(frozen=True, slots=True)
class PersistentVolume:
    """A volume; ``driver`` is that of its storage interface, null for other kinds. ``host_path`` is a directory of a node."""

    name: str
    labels: Mapping[str, str]
    storage_class: str
    driver: str | None
    host_path: str | None
    claim: str | None
    phase: str


@dataclass(frozen=True, slots=True)
class PersistentVolumeClaim:
    """A claim on a volume; ``bound`` once it has one."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    storage_class: str | None
    volume: str | None
    bound: bool


volume = ResourceType(
    "kubernetes.persistent_volume",
    version=1,
    title="Persistent volume",
    place="account",
    listing=listing(
        "core/v1:persistentvolumes",
        "PersistentVolume",
        keep=(
            "spec.storageClassName",
            "spec.csi.driver",
            "spec.hostPath.path",
            "spec.claimRef.namespace",
            "spec.claimRef.name",
            "status.phase",
        ),
        namespaced=False,
    ),
)
claim = ResourceType(
    "kubernetes.persistent_volume_claim",
    version=1,
    title="Persistent volume claim",
    place="account",
    listing=listing(
        "core/v1:persistentvolumeclaims",
        "PersistentVolumeClaim",
        keep=("spec.storageClassName", "spec.volumeName", "status.phase"),
    ),
)


@volume.document
def describe_volume(seen: Readings) -> PersistentVolume:
    """The volume and whose claim it serves."""
    spec = fields(seen, "spec")
    claimed = spec.get("claimRef")
    return PersistentVolume(
        name=name_of(seen),
        labels=labels_of(seen),
        storage_class=str(spec.get("storageClassName") or ""),
        driver=(spec.get("csi") or {}).get("driver"),
        host_path=(spec.get("hostPath") or {}).get("path"),
        claim=f"{claimed.get('namespace')}/{claimed.get('name')}" if claimed else None,
        phase=str(fields(seen, "status").get("phase") or ""),
    )


@claim.document
def describe_claim(seen: Readings) -> PersistentVolumeClaim:
    """The claim and the volume it got."""
    spec = fields(seen, "spec")
    return PersistentVolumeClaim(
        name=name_of(seen),
        namespace=namespace_of(seen),
        labels=labels_of(seen),
        storage_class=spec.get("storageClassName"),
        volume=spec.get("volumeName"),
        bound=fields(seen, "status").get("phase") == "Bound",
    )
