"""Types that are best looked at together: those that share a call, so that it is made once; the rest apart, in turn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from auditor.domain.resource_type import ResourceType


@dataclass(frozen=True, slots=True)
class Group:
    """Types of one service, or of several whose types ask the same questions."""

    kinds: tuple[ResourceType, ...]

    @property
    def services(self) -> frozenset[str]:
        """The clients that looking at these types needs."""
        return frozenset(operation.partition(":")[0] for operation in _operations(self.kinds))


def grouped(kinds: Iterable[ResourceType]) -> tuple[Group, ...]:
    """All types in as many groups as there can be without asking anything twice, those with most calls first.

    Types of one service (the second word of a name) stay together; services that share an operation become one group.
    """
    groups: list[tuple[set[str], list[ResourceType]]] = []
    for kind in kinds:
        marks = {f"service {kind.name.split('.')[1]}", *_operations((kind,))}
        members = [kind]
        for group in [group for group in groups if group[0] & marks]:
            groups.remove(group)
            marks |= group[0]
            members = [*group[1], *members]
        groups.append((marks, members))
    ranked = sorted(groups, key=lambda group: -sum(len(kind.reads) for kind in group[1]))
    return tuple(Group(tuple(members)) for _, members in ranked)


def _operations(kinds: Iterable[ResourceType]) -> set[str]:
    return {operation for kind in kinds for read in kind.reads for operation in read.operations}
