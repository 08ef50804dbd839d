"""How verdicts add up: the one roll-up behind pages, exports and the scan's last table.

Enters: the library and, per check, how many verdicts stand in which state (stale and covered ones already turned into
``unknown``). Leaves: per framework, its requirements and what the machine can say about each. Machine part only: what
people owe is added beside it, never into it. Guards two rules: nothing turns green because nobody looked, and supporting
or extended checks never turn a requirement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from auditor.domain.control import Check, Library
    from auditor.domain.framework import Framework

Standing: TypeAlias = Literal["deviating", "undetermined", "holding", "none"]
STANDINGS: tuple[Standing, ...] = ("deviating", "undetermined", "holding", "none")
"""Worst first: a parent takes the first of these that it or one of its children has."""

Counts: TypeAlias = Mapping[str, Mapping[str, int]]
"""Verdicts by check id and state; a state that is no verdict (``absent``) is not counted."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many verdicts stand in each state; ``excluded`` findings are out of scope, so they are none and stand beside."""

    passing: int = 0
    failing: int = 0
    unknown: int = 0
    not_applicable: int = 0
    excluded: int = 0

    @classmethod
    def of(cls, states: Mapping[str, int]) -> Tally:
        """The tally of counts by state."""
        return cls(*(states.get(word, 0) for word in ("pass", "fail", "unknown", "not_applicable", "excluded")))

    @classmethod
    def sum(cls, tallies: Iterable[Tally]) -> Tally:
        """Several tallies as one."""
        rows = [
            (tally.passing, tally.failing, tally.unknown, tally.not_applicable, tally.excluded) for tally in tallies
        ]
        return cls(*(sum(column) for column in zip(*rows, strict=True))) if rows else cls()

    @property
    def judged(self) -> int:
        """What the share is taken of: not applicable and excluded are counted beside it."""
        return self.passing + self.failing + self.unknown

    @property
    def share(self) -> int | None:
        """Whole percent that pass, rounded down, so 100 only if all do; none where nothing was judged."""
        return self.passing * 100 // self.judged if self.judged else None


@dataclass(frozen=True, slots=True)
class RequirementStanding:
    """What the machine can say about one requirement.

    ``own`` looks at its own primary core checks, ``standing`` at its children too. ``checks`` are those primary core
    checks; ``unseen`` the ones among them without any line: nobody looked. ``controls`` and ``deviating_controls`` count
    the safeguards behind them. ``supporting`` checks (and the extended tier) are evidence only.
    """

    framework: str
    requirement: str
    standing: Standing
    own: Standing
    tally: Tally
    checks: tuple[str, ...]
    deviating: tuple[str, ...]
    undetermined: tuple[str, ...]
    unseen: tuple[str, ...]
    controls: tuple[str, ...]
    deviating_controls: tuple[str, ...]
    supporting: tuple[str, ...]


@dataclass(frozen=True)
class FrameworkStanding:
    """A framework as the machine sees it: each primary core check counted once, however many clauses it serves."""

    framework: str
    tally: Tally
    checks: tuple[str, ...]
    unseen: tuple[str, ...]
    requirements: tuple[RequirementStanding, ...]

    @cached_property
    def by_id(self) -> dict[str, RequirementStanding]:
        """Requirements by their clause."""
        return {standing.requirement: standing for standing in self.requirements}

    @cached_property
    def standings(self) -> dict[Standing, int]:
        """How many requirements stand how."""
        return {word: sum(one.standing == word for one in self.requirements) for word in STANDINGS}


def rollup(library: Library, counts: Counts) -> tuple[FrameworkStanding, ...]:
    """What the machine can say about each requirement of each framework, in the library's order."""
    tallies = {check.id: Tally.of(counts.get(check.id, {})) for check in library.checks}
    return tuple(_framework(framework, library, tallies) for framework in library.frameworks)


def _framework(framework: Framework, library: Library, tallies: Mapping[str, Tally]) -> FrameworkStanding:
    hearts: dict[str, list[Check]] = {requirement.id: [] for requirement in framework.requirements}
    others: dict[str, list[Check]] = {requirement.id: [] for requirement in framework.requirements}
    for check in library.checks:
        for mapped in check.mapped:
            if mapped.framework == framework.id and mapped.requirement in hearts:
                turns = mapped.strength == "primary" and check.tier == "core"
                (hearts if turns else others)[mapped.requirement].append(check)
    own = {id_: _own(tuple(tallies[check.id] for check in checks)) for id_, checks in hearts.items()}
    whole = _with_children(framework, own)
    counted = tuple(dict.fromkeys(check.id for checks in hearts.values() for check in checks))
    return FrameworkStanding(
        framework=framework.id,
        tally=Tally.sum(tallies[check] for check in counted),
        checks=counted,
        unseen=tuple(check for check in counted if tallies[check] == Tally()),
        requirements=tuple(
            _requirement(framework.id, id_, whole[id_], own[id_], hearts[id_], others[id_], tallies) for id_ in hearts
        ),
    )


def _own(tallies: tuple[Tally, ...]) -> Standing:
    """How a requirement stands by its own checks; a check without a line was not looked at, so nothing is determined."""
    if not tallies:
        return "none"
    if any(tally.failing for tally in tallies):
        return "deviating"
    if any(tally.unknown or tally == Tally() for tally in tallies):
        return "undetermined"
    # Empty populations make checks not applicable, never a requirement: with nothing judged there is nothing to hold.
    return "holding" if any(tally.passing for tally in tallies) else "undetermined"


def _with_children(framework: Framework, own: Mapping[str, Standing]) -> dict[str, Standing]:
    whole = dict(own)
    for requirement in framework.requirements:
        climbed, parent = {requirement.id}, requirement.parent
        while parent in whole and parent not in climbed:
            whole[parent] = min(whole[parent], own[requirement.id], key=STANDINGS.index)
            climbed.add(parent)
            parent = framework.by_id[parent].parent
    return whole


def _requirement(
    framework: str,
    requirement: str,
    standing: Standing,
    own: Standing,
    hearts: list[Check],
    others: list[Check],
    tallies: Mapping[str, Tally],
) -> RequirementStanding:
    failing = [check for check in hearts if tallies[check.id].failing]
    return RequirementStanding(
        framework=framework,
        requirement=requirement,
        standing=standing,
        own=own,
        tally=Tally.sum(tallies[check.id] for check in hearts),
        checks=tuple(check.id for check in hearts),
        deviating=tuple(check.id for check in failing),
        undetermined=tuple(check.id for check in hearts if tallies[check.id].unknown),
        unseen=tuple(check.id for check in hearts if tallies[check.id] == Tally()),
        controls=tuple(dict.fromkeys(check.control for check in hearts)),
        deviating_controls=tuple(dict.fromkeys(check.control for check in failing)),
        supporting=tuple(check.id for check in others),
    )
