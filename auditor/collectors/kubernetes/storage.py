"""Storage classes: how volumes are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditor.collectors.kubernetes._about import fields, labels_of, name_of, texts, told
from auditor.collectors.kubernetes._listing import listing
from auditor.domain.reading import Readings
from auditor.domain.resource_type import ResourceType


@dataclass(frozen=True, slots=True)
class StorageClass:
    """A storage class; ``parameters`` are those about encryption, as written. ``encrypts`` reads the one of EBS drivers."""

    name: str
    labels: Mapping[str, str]
    provisioner: str
    parameters: Mapping[str, str]
    encrypts: bool


storage_class = ResourceType(
    "kubernetes.storage_class",
    version=1,
    title="Storage class",
    place="account",
    listing=listing(
        "storage.k8s.io/v1:storageclasses",
        "StorageClass",
        keep=("provisioner", "parameters.encrypted", "parameters.kmsKeyId", "parameters.type"),
        namespaced=False,
    ),
)


@storage_class.document
def describe(seen: Readings) -> StorageClass:
    """The class as it was written."""
    parameters = texts(fields(seen, "parameters"))
    return StorageClass(
        name=name_of(seen),
        labels=labels_of(seen),
        provisioner=str(told(seen, "provisioner") or ""),
        parameters=parameters,
        encrypts=parameters.get("encrypted", "").strip().lower() == "true",
    )
