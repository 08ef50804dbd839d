"""Decide what must be looked at: from what is asked and the scope, to checks, types, and the places of a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from auditor.domain.control import Check, Library
from auditor.domain.resource_type import AnyType, DerivedType, ResourceType
from auditor.domain.scope import Scope
from auditor.domain.source import GLOBAL


@dataclass(frozen=True, slots=True)
class Selection:
    """The checks in scope, the types they judge, and the types that must be collected for them."""

    checks: tuple[Check, ...]
    judged: tuple[AnyType, ...]
    collected: tuple[ResourceType, ...]

    @property
    def derived(self) -> tuple[DerivedType, ...]:
        """The judged types that only a join can build."""
        return tuple(kind for kind in self.judged if isinstance(kind, DerivedType))

    @property
    def plain(self) -> tuple[ResourceType, ...]:
        """The judged types that a place can judge alone."""
        return tuple(kind for kind in self.judged if isinstance(kind, ResourceType))


def select(library: Library, resource_types: Iterable[AnyType], scope: Scope) -> Selection:
    """What a scope asks for. A service is the first word of a check's id; inputs of derived types come along."""
    checks = tuple(
        check
        for check in library.checks
        if scope.has_service(check.id.partition(".")[0])
        and (not scope.frameworks or any(part.framework in scope.frameworks for part in check.mapped))
    )
    asked = {check.resource for check in checks}
    judged = tuple(kind for kind in resource_types if kind.name in asked)
    collected: dict[str, ResourceType] = {}
    for kind in judged:
        for plain in (kind,) if isinstance(kind, ResourceType) else inputs(kind):
            collected[plain.name] = plain
    return Selection(checks, judged, tuple(collected.values()))


def inputs(kind: DerivedType) -> tuple[ResourceType, ...]:
    """The types a derived one is built from, the one it stands over included."""
    over = (kind.over,) if isinstance(kind.over, ResourceType) else ()
    return (*over, *(each for each in kind.inputs if each not in over))


def places(regions: Sequence[str], scope: Scope) -> tuple[str, ...]:
    """The places of a run: what stands over all regions first, then each region that is in scope."""
    return (GLOBAL, *(region for region in regions if not scope.regions or region in scope.regions))


def slot(now: datetime, every: timedelta) -> datetime:
    """The start of the schedule slot that ``now`` lies in: planning at any moment of a slot plans the same run."""
    epoch = datetime(2020, 1, 1, tzinfo=now.tzinfo)
    return epoch + (now - epoch) // every * every
