"""Whether a workload outlives the loss of a node: how far it is scaled, and what disruption budgets leave."""

from __future__ import annotations

import math
from collections.abc import Mapping

from auditor.collectors.kubernetes._joins import in_namespace
from auditor.collectors.kubernetes.policy import PodDisruptionBudget
from auditor.domain.reading import Reading, Seen, Unseen
from auditor.domain.resource_type import Population


def autoscaled_to(population: Population, namespace: str, kind: str, name: str) -> Reading[int | None]:
    """The least that an autoscaler keeps of a workload; ``None`` where none scales it."""
    found = [
        one.min_replicas
        for one in in_namespace(population, namespace)
        if (one.target_kind, one.target_name) == (kind, name)
    ]
    if found:
        return Seen(max(found))
    return Seen(None) if population.unseen is None else Unseen(population.unseen)


def drained(
    population: Population, namespace: str, labels: Mapping[str, str], replicas: Reading[int | None]
) -> Reading[bool]:
    """Whether budgets select these pods and each lets at least one go while a node is drained."""
    selecting = [
        one for one in in_namespace(population, namespace) if one.selector is not None and one.selector.matches(labels)
    ]
    if not selecting:
        return Seen(value=False) if population.unseen is None else Unseen(population.unseen)
    if isinstance(replicas, Unseen):
        return replicas
    wanted = 1 if replicas.value is None else replicas.value
    if not all(leaves_room(one, wanted) for one in selecting):
        return Seen(value=False)
    return Seen(value=True) if population.unseen is None else Unseen(population.unseen)


def leaves_room(budget: PodDisruptionBudget, replicas: int) -> bool:
    """Whether a budget lets one of so many pods go. Shares are rounded up, as the API server does; neither given means no."""
    if budget.max_unavailable is not None:
        return _number(budget.max_unavailable, replicas) > 0
    return budget.min_available is not None and _number(budget.min_available, replicas) < replicas


def _number(told: str, of: int) -> int:
    return math.ceil(int(told[:-1]) * of / 100) if told.endswith("%") else int(told)
