"""Claims on volumes beside their copies: the last ready snapshot of each, and the last backup that holds its namespace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from auditor.collectors.kubernetes._joins import in_namespace
from auditor.collectors.kubernetes._members import gaps, member_of
from auditor.collectors.kubernetes.backups import VeleroBackup, VolumeSnapshot, backup, schedule, snapshot
from auditor.collectors.kubernetes.core_volumes import PersistentVolumeClaim, claim
from auditor.domain.reading import Reading, Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined

COPIERS = (snapshot, backup, schedule)
NONE_INSTALLED = "the cluster has neither volume snapshots nor Velero: how its volumes are copied is not visible"


@dataclass(frozen=True, slots=True)
class CopiedClaim:
    """A claim on a volume and when it was last copied, null where it never was. ``purpose`` is its label ``backup``."""

    name: str
    namespace: str
    bound: bool
    labels: Mapping[str, str]
    purpose: str | None
    copied_at: Reading[datetime | None]


copied_claim = DerivedType(
    "kubernetes.copied_claim",
    version=1,
    title="Volume claim and its copies",
    over=claim,
    inputs=(claim, *COPIERS),
)


@copied_claim.document
def describe(joined: Joined) -> CopiedClaim:
    """The claim with its last copy of any kind."""
    own: PersistentVolumeClaim = member_of(joined).document
    return CopiedClaim(
        name=own.name,
        namespace=own.namespace,
        bound=own.bound,
        labels=own.labels,
        purpose=own.labels.get("backup"),
        copied_at=_copied_at(joined, own),
    )


def _copied_at(joined: Joined, own: PersistentVolumeClaim) -> Reading[datetime | None]:
    """A copy that was missed could only be later, so what is missing hides the answer.

    Objects of a kind that the cluster does not have are none, as are those of a kind that nobody uses: nobody can tell
    these two apart here, and neither proves that nothing is copied.
    """
    missing = tuple(gaps(joined, COPIERS))
    if missing:
        return Unseen("; ".join(missing))
    if not any(joined.of(kind).members for kind in COPIERS):
        return Unseen(NONE_INSTALLED)
    return Seen(max(_moments(joined, own), default=None))


def _moments(joined: Joined, own: PersistentVolumeClaim) -> Iterator[datetime]:
    snapshots: tuple[VolumeSnapshot, ...] = in_namespace(joined.of(snapshot), own.namespace)
    for one in snapshots:
        if one.claim == own.name and one.ready and one.made_at is not None:
            yield one.made_at
    for member in joined.of(backup).members:
        held: VeleroBackup = member.document
        if held.phase == "Completed" and held.completed_at is not None and _holds(held, own.namespace):
            yield held.completed_at


def _holds(held: VeleroBackup, namespace: str) -> bool:
    everywhere = not held.namespaces or "*" in held.namespaces
    return (everywhere or namespace in held.namespaces) and namespace not in held.excluded
