"""The law and its clauses, in our own words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

Testable: TypeAlias = Literal["automated", "hybrid", "manual"]


@dataclass(frozen=True, slots=True)
class Requirement:
    """One clause: what it asks, whether a machine can look, and which clause it belongs to."""

    framework: str
    id: str
    title: str
    description: str
    kind: str
    obligation: str
    testable: Testable
    family: str
    parent: str | None = None
    answered_by: str | None = None
    """How it is answered where no control serves it."""


@dataclass(frozen=True)
class Framework:
    """A law with its requirements in the order they are read."""

    id: str
    name: str
    source: str
    version: str
    requirements: tuple[Requirement, ...]

    @cached_property
    def by_id(self) -> dict[str, Requirement]:
        """Requirements by their clause."""
        return {requirement.id: requirement for requirement in self.requirements}

    def children(self, requirement: str) -> tuple[Requirement, ...]:
        """The clauses that belong to this one, in order."""
        return tuple(child for child in self.requirements if child.parent == requirement)
