"""Members of a population by their namespace: what stands beside a resource, and whether any of it fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from auditor.domain.reading import Reading, Seen, Unseen
from auditor.domain.resource_type import Population


def in_namespace(population: Population, namespace: str) -> tuple[Any, ...]:
    """The documents that stand in a namespace."""
    return population.once(_by_namespace).get(namespace, ())


def any_of(population: Population, namespace: str, fits: Callable[[Any], bool]) -> Reading[bool]:
    """Whether any document of a namespace fits; one that was seen decides, else what is missing makes it unseen."""
    if any(fits(one) for one in in_namespace(population, namespace)):
        return Seen(value=True)
    return Seen(value=False) if population.unseen is None else Unseen(population.unseen)


def _by_namespace(population: Population) -> Mapping[str, tuple[Any, ...]]:
    found: dict[str, list[Any]] = {}
    for member in population.members:
        found.setdefault(member.document.namespace, []).append(member.document)
    return {name: tuple(documents) for name, documents in found.items()}
