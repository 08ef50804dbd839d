"""Disruption budgets: how many pods a drained node may take away at once."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.collectors.kubernetes._about import fields, name_of, namespace_of
from auditor.collectors.kubernetes._listing import listing
from auditor.collectors.kubernetes._selectors import selector
from auditor.domain.cluster_network import Selector
from auditor.domain.reading import Readings
from auditor.domain.resource_type import ResourceType


@dataclass(frozen=True, slots=True)
class PodDisruptionBudget:
    """A budget: a number (``2``) or a share (``50%``) as text, null where it is not the one that was given."""

    name: str
    namespace: str
    selector: Selector | None
    min_available: str | None
    max_unavailable: str | None


budget = ResourceType(
    "kubernetes.pod_disruption_budget",
    version=1,
    title="Pod disruption budget",
    place="account",
    listing=listing(
        "policy/v1:poddisruptionbudgets",
        "PodDisruptionBudget",
        keep=("spec.selector", "spec.minAvailable", "spec.maxUnavailable"),
    ),
)


@budget.document
def describe(seen: Readings) -> PodDisruptionBudget:
    """The budget as it was written."""
    spec = fields(seen, "spec")
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    return PodDisruptionBudget(
        name=name_of(seen),
        namespace=namespace_of(seen),
        selector=selector(spec.get("selector")),
        min_available=None if least is None else str(least),
        max_unavailable=None if most is None else str(most),
    )
