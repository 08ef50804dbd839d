"""Autoscalers: between which numbers they move a controller's pods."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.collectors.kubernetes._about import fields, name_of, namespace_of
from auditor.collectors.kubernetes._listing import listing
from auditor.domain.reading import Readings
from auditor.domain.resource_type import ResourceType


@dataclass(frozen=True, slots=True)
class HorizontalPodAutoscaler:
    """An autoscaler; one that names no minimum has one."""

    name: str
    namespace: str
    target_kind: str
    target_name: str
    min_replicas: int
    max_replicas: int


autoscaler = ResourceType(
    "kubernetes.horizontal_pod_autoscaler",
    version=1,
    title="Horizontal pod autoscaler",
    place="account",
    listing=listing(
        "autoscaling/v2:horizontalpodautoscalers",
        "HorizontalPodAutoscaler",
        keep=("spec.minReplicas", "spec.maxReplicas", "spec.scaleTargetRef.kind", "spec.scaleTargetRef.name"),
        unsupported=True,
    ),
)


@autoscaler.document
def describe(seen: Readings) -> HorizontalPodAutoscaler:
    """The autoscaler and what it scales."""
    spec = fields(seen, "spec")
    target = spec.get("scaleTargetRef") or {}
    lowest = spec.get("minReplicas")
    return HorizontalPodAutoscaler(
        name=name_of(seen),
        namespace=namespace_of(seen),
        target_kind=str(target.get("kind") or ""),
        target_name=str(target.get("name") or ""),
        min_replicas=1 if lowest is None else int(lowest),
        max_replicas=int(spec.get("maxReplicas") or 0),
    )
