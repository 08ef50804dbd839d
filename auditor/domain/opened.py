"""A bundle that was opened: what stands on each page about it, and how its definitions differ from those of this release.

Guards two rules: requirements are those of the library that is installed, and where a verdict rests on another definition than
the library's the page says so; and a part is held against nothing but what it tells.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, TypeAlias

from auditor.domain.control import Check, Library
from auditor.domain.framework import Framework
from auditor.proof.canonical import digest

Difference: TypeAlias = Literal["gone", "condition", "mapping", "text"]
"""This release has no such check; decides by another condition; maps or grades it otherwise; says it in other words."""
DIFFERENCES: tuple[Difference, ...] = ("gone", "condition", "mapping", "text")
_BEARS = ("requirements", "tier", "severity")


@dataclass(frozen=True, slots=True)
class Opened:
    """What a bundle is, as it was verified. ``differences`` is by check, ``part`` by noun what a part is narrowed to."""

    identity: str
    name: str
    product: str
    frameworks: tuple[str, ...]
    begins: datetime
    ends: datetime
    as_of: datetime
    running: bool
    pinned: bool
    steps: tuple[tuple[str, str], ...]
    remarks: tuple[str, ...]
    part: Mapping[str, tuple[str, ...]]
    differences: Mapping[str, Difference]


def difference(check: Check | None, judged: str, published: str, body: Mapping[str, Any]) -> Difference | None:
    """How a check of the library differs from the definition that a bundle tells; none if it is the same to the letter."""
    if check is None:
        return "gone"
    if judged != check.judged_digest:
        return "condition"
    if published == check.published_digest:
        return None
    told, ours = ({name: of.get(name) for name in _BEARS} for of in (body, check.definition))
    return "mapping" if digest(told) != digest(ours) else "text"


def of_part(library: Library, checks: Collection[str]) -> Library:
    """The library as a part of a bundle can be held against it: these checks, their controls, and what they bear on.

    Without it, everything that the part does not tell would read as not looked at.
    """
    controls = tuple(
        replace(one, checks=tuple(check for check in one.checks if check.id in checks)) for one in library.controls
    )
    told = tuple(check for check in library.checks if check.id in checks)
    return Library(
        tuple(_narrowed(one, told) for one in library.frameworks), tuple(one for one in controls if one.checks)
    )


def _narrowed(framework: Framework, checks: Collection[Check]) -> Framework:
    wanted: set[str] = set()
    for requirement in {clause for check in checks for clause in check.requirements(framework.id)}:
        clause: str | None = requirement
        while clause in framework.by_id and clause not in wanted:
            wanted.add(clause)
            clause = framework.by_id[clause].parent
    return replace(framework, requirements=tuple(one for one in framework.requirements if one.id in wanted))
