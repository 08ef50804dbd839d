"""What is promised and how it is tested: controls, their checks, and what people must do for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any, Literal, TypeAlias

from auditor.domain.framework import Framework
from auditor.proof.judge import CompiledCheck

Severity: TypeAlias = Literal["low", "medium", "high", "critical"]
Tier: TypeAlias = Literal["core", "extended"]
Strength: TypeAlias = Literal["primary", "supporting"]
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")

FRESH_FOR: Mapping[str, timedelta] = {
    "continuous": timedelta(hours=6),
    "daily": timedelta(hours=48),
    "weekly": timedelta(days=9),
    "monthly": timedelta(days=35),
}
"""How old evidence may be before a verdict over it is unknown: the cadence, and room for one late run."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """A check's part in a requirement: its heart (primary) or more evidence (supporting), and why."""

    framework: str
    requirement: str
    strength: Strength
    why: str


@dataclass(frozen=True, slots=True)
class Example:
    """A document and the verdict it must get: the logic, proved where it is written."""

    given: Mapping[str, Any]
    expect: str
    params: Mapping[str, Any]
    as_of: str | None
    line: int


@dataclass(frozen=True, slots=True)
class Check:
    """A test of a control on one resource type. ``compiled`` decides; the rest tells people what and why."""

    id: str
    control: str
    title: str
    resource: str
    severity: Severity
    tier: Tier
    mapped: tuple[Mapped, ...]
    remediation: Mapping[str, str]
    compiled: CompiledCheck
    definition: Mapping[str, Any]
    published_digest: str
    examples: tuple[Example, ...]
    fresh_for: timedelta

    @property
    def judged_digest(self) -> str:
        """What decides, as a digest: only its change judges again."""
        return self.compiled.judged_digest

    @property
    def provider(self) -> str:
        """Whose resources it judges: ``aws`` or ``kubernetes``, the kind of source that can show them."""
        return self.resource.partition(".")[0]

    def requirements(self, framework: str) -> tuple[str, ...]:
        """The clauses of a framework that this check bears on."""
        return tuple(mapped.requirement for mapped in self.mapped if mapped.framework == framework)


@dataclass(frozen=True, slots=True)
class Duty:
    """What people must do and file where no machine can look."""

    id: str
    control: str
    title: str
    cadence: str
    owner: str
    evidence_expected: str
    max_age_days: int | None
    requirements: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Control:
    """A safeguard as the entity promises it, with its checks and duties."""

    id: str
    title: str
    family: str
    owner: str
    cadence: str
    statement: str
    why_it_matters: str
    requirements: Mapping[str, tuple[str, ...]]
    checks: tuple[Check, ...]
    duties: tuple[Duty, ...]
    file: str


@dataclass(frozen=True)
class Library:
    """Everything that is asked: frameworks and controls, held against each other by the loader."""

    frameworks: tuple[Framework, ...]
    controls: tuple[Control, ...]

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """Every check, in the order of controls."""
        return tuple(check for control in self.controls for check in control.checks)

    @cached_property
    def check(self) -> dict[str, Check]:
        """Checks by id."""
        return {check.id: check for check in self.checks}

    @cached_property
    def control(self) -> dict[str, Control]:
        """Controls by id."""
        return {control.id: control for control in self.controls}

    @cached_property
    def framework(self) -> dict[str, Framework]:
        """Frameworks by id."""
        return {framework.id: framework for framework in self.frameworks}

    def only(self, services: Collection[str]) -> Library:
        """The same frameworks and controls with the checks of these services alone (``s3`` of ``s3.bucket.…``)."""
        kept = (
            replace(control, checks=tuple(check for check in control.checks if check.id.partition(".")[0] in services))
            for control in self.controls
        )
        return Library(self.frameworks, tuple(kept))

    def about(self, *providers: str) -> Library:
        """The same frameworks and controls with the checks on resources of these providers alone (``aws``, ``kubernetes``)."""
        wanted = frozenset(providers)
        if wanted not in self._about:
            self._about[wanted] = self._only_about(wanted)
        return self._about[wanted]

    @cached_property
    def _about(self) -> dict[frozenset[str], Library]:
        return {}

    def _only_about(self, providers: frozenset[str]) -> Library:
        kept = (
            replace(
                control,
                checks=tuple(check for check in control.checks if check.provider in providers),
            )
            for control in self.controls
        )
        return Library(self.frameworks, tuple(kept))

    @cached_property
    def by_resource(self) -> dict[str, tuple[Check, ...]]:
        """Checks by the resource type they judge."""
        grouped: dict[str, list[Check]] = {}
        for check in self.checks:
            grouped.setdefault(check.resource, []).append(check)
        return {resource: tuple(checks) for resource, checks in grouped.items()}
