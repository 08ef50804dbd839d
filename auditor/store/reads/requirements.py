"""What is asked and how it stands: a framework's tree of requirements, and one control with its checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.domain.control import Control
from auditor.domain.framework import Framework, Requirement
from auditor.domain.rollup import FrameworkStanding, RequirementStanding, Tally, rollup
from auditor.store.reads.asked import asked
from auditor.store.reads.inventory import Inventory, inventory
from auditor.store.reads.overlay import groups
from auditor.store.reads.posture import counts

if TYPE_CHECKING:
    from datetime import datetime

    import sqlalchemy as sa

    from auditor.domain.control import Library


@dataclass(frozen=True, slots=True)
class Clause:
    """A requirement in its place in the tree, with how it stands and the controls that answer it.

    ``checks`` counts by provider what could look at it, whether or not a source of that kind is connected.
    """

    requirement: Requirement
    standing: RequirementStanding
    depth: int
    controls: tuple[Control, ...]
    checks: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class FrameworkView:
    """A framework, its roll-up, and its clauses in reading order, children under their parents; beside it the inventory."""

    framework: Framework
    standing: FrameworkStanding
    clauses: tuple[Clause, ...]
    inventory: Inventory


@dataclass(frozen=True, slots=True)
class ControlView:
    """A control and the tally of each of its checks."""

    control: Control
    tallies: Mapping[str, Tally]

    @property
    def tally(self) -> Tally:
        """All its core checks together."""
        return Tally.sum(self.tallies[check.id] for check in self.control.checks if check.tier == "core")


def framework(conn: sa.Connection, library: Library, framework_id: str, as_of: datetime) -> FrameworkView | None:
    """A framework as it stands; none if there is none of that id."""
    looking: dict[str, Counter[str]] = {}
    for check in library.checks:
        for clause in check.requirements(framework_id):
            looking.setdefault(clause, Counter())[check.provider] += 1
    library = asked(conn, library)
    found = library.framework.get(framework_id)
    if found is None:
        return None
    standing = next(
        one for one in rollup(library, counts(groups(conn, library, as_of))) if one.framework == framework_id
    )
    serving: dict[str, list[Control]] = {}
    for control_ in library.controls:
        for clause in control_.requirements.get(framework_id, ()):
            serving.setdefault(clause, []).append(control_)
    clauses = tuple(
        Clause(one, standing.by_id[one.id], depth, tuple(serving.get(one.id, ())), looking.get(one.id, Counter()))
        for one, depth in _tree(found)
    )
    return FrameworkView(found, standing, clauses, inventory(conn, as_of))


def _tree(found: Framework) -> list[tuple[Requirement, int]]:
    """Requirements depth first in their own order; a clause whose parent is not there stands at the top."""
    ordered: list[tuple[Requirement, int]] = []
    tops = [one for one in found.requirements if one.parent not in found.by_id]
    waiting = [(one, 0) for one in reversed(tops)]
    while waiting:
        one, depth = waiting.pop()
        ordered.append((one, depth))
        waiting.extend((child, depth + 1) for child in reversed(found.children(one.id)))
    return ordered


def control(conn: sa.Connection, library: Library, control_id: str, as_of: datetime) -> ControlView | None:
    """A control as it stands; none if there is none of that id."""
    library = asked(conn, library)
    found = library.control.get(control_id)
    if found is None:
        return None
    by_check = counts(groups(conn, library, as_of))
    return ControlView(found, {one.id: Tally.of(by_check.get(one.id, {})) for one in found.checks})
