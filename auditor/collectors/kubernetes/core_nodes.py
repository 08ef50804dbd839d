"""Nodes: which version their kubelet is, and how they say they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from auditor.collectors.kubernetes._about import fields, labels_of, name_of
from auditor.collectors.kubernetes._listing import listing
from auditor.domain.reading import Readings
from auditor.domain.resource_type import ResourceType
from auditor.proof.canonical import instant


@dataclass(frozen=True, slots=True)
class Condition:
    """What a node says of one of its parts: ``True``, ``False`` or ``Unknown``, since when."""

    type: str
    status: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Node:
    """A node; ``kubelet_version`` reads ``v1.36.2``. ``provider`` is how the cloud names the machine."""

    name: str
    labels: Mapping[str, str]
    kubelet_version: str
    os: str
    runtime: str
    provider: str
    unschedulable: bool
    conditions: tuple[Condition, ...]


node = ResourceType(
    "kubernetes.node",
    version=1,
    title="Node",
    place="account",
    listing=listing(
        "core/v1:nodes",
        "Node",
        keep=(
            "spec.providerID",
            "spec.unschedulable",
            "status.nodeInfo.kubeletVersion",
            "status.nodeInfo.operatingSystem",
            "status.nodeInfo.containerRuntimeVersion",
            "status.conditions[].type",
            "status.conditions[].status",
            "status.conditions[].lastTransitionTime",
        ),
        namespaced=False,
    ),
)


@node.document
def describe(seen: Readings) -> Node:
    """The node as it reports itself; heartbeats are not kept."""
    status, spec = fields(seen, "status"), fields(seen, "spec")
    info = status.get("nodeInfo") or {}
    return Node(
        name=name_of(seen),
        labels=labels_of(seen),
        kubelet_version=str(info.get("kubeletVersion") or ""),
        os=str(info.get("operatingSystem") or ""),
        runtime=str(info.get("containerRuntimeVersion") or ""),
        provider=str(spec.get("providerID") or ""),
        unschedulable=bool(spec.get("unschedulable")),
        conditions=tuple(
            Condition(
                str(one["type"]),
                str(one["status"]),
                instant(one["lastTransitionTime"]) if one.get("lastTransitionTime") else None,
            )
            for one in status.get("conditions") or ()
        ),
    )
