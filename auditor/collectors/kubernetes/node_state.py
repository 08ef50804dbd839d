"""Nodes held against the API server and the project's calendar: how old their kubelets are, and what they complain of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from auditor.collectors.kubernetes._members import member_of
from auditor.collectors.kubernetes._tables import minor, patched_until
from auditor.collectors.kubernetes.core_nodes import Node, node
from auditor.collectors.kubernetes.server import server
from auditor.domain.reading import Reading, Seen, Unseen
from auditor.domain.resource_type import DerivedType, Joined

PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node; ``minors_behind`` the API server is below zero where its kubelet is newer. ``troubles`` are in its own words."""

    name: str
    kubelet_version: str
    patched_until: Reading[datetime]
    server_version: Reading[str]
    minors_behind: Reading[int]
    troubles: tuple[str, ...]


node_state = DerivedType(
    "kubernetes.node_state", version=1, title="Node, its version and its health", over=node, inputs=(node, server)
)


@node_state.document
def describe(joined: Joined) -> NodeState:
    """The node with its age and its complaints."""
    own: Node = member_of(joined).document
    version = _server_version(joined)
    return NodeState(
        name=own.name,
        kubelet_version=own.kubelet_version,
        patched_until=patched_until(own.kubelet_version),
        server_version=version,
        minors_behind=_behind(own.kubelet_version, version),
        troubles=_troubles(own),
    )


def _server_version(joined: Joined) -> Reading[str]:
    population = joined.of(server)
    for member in population.members:
        version: Reading[str] = member.document.version
        return version
    return Unseen(population.unseen or "the API server told no version")


def _behind(kubelet: str, version: Reading[str]) -> Reading[int]:
    if isinstance(version, Unseen):
        return version
    own, ahead = minor(kubelet), minor(version.value)
    if own is None or ahead is None or own[0] != ahead[0]:
        return Unseen(f"versions {kubelet} and {version.value} cannot be compared")
    return Seen(ahead[1] - own[1])


def _troubles(own: Node) -> tuple[str, ...]:
    """A condition that is missing is no complaint, but a node that does not say it is ready is not."""
    said = {one.type: one.status for one in own.conditions}
    ready = said.get("Ready", "missing")
    return (
        *(() if ready == "True" else (f"Ready is {ready}",)),
        *(f"{name} is {said[name]}" for name in PRESSURES if said.get(name, "False") != "False"),
    )
