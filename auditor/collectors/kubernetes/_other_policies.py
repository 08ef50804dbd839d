"""Network policies of a network plug-in's own kinds: that they exist and where, not what they say.

They may do the work of a policy that is missing, so a missing one is not held against a namespace that has them.
"""

from __future__ import annotations

from dataclasses import dataclass

from auditor.collectors.kubernetes._about import name_of, namespace_of
from auditor.collectors.kubernetes._listing import listing
from auditor.domain.reading import Readings
from auditor.domain.resource_type import ResourceType


@dataclass(frozen=True, slots=True)
class OtherPolicy:
    """A policy of a plug-in's own kind; without a namespace it holds for the cluster."""

    name: str
    namespace: str


def other_policy(name: str, title: str, operation: str, kind: str, *, namespaced: bool) -> ResourceType:
    """A declared kind of such policies; where the cluster does not have it, there are none."""
    declared = ResourceType(
        name,
        version=1,
        title=title,
        place="account",
        listing=listing(operation, kind, namespaced=namespaced, unsupported=True),
    )

    @declared.document
    def describe(seen: Readings) -> OtherPolicy:
        return OtherPolicy(name_of(seen), namespace_of(seen))

    return declared
