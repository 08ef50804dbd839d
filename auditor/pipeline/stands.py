"""What is known before a unit is judged: asked of the store once, so that judging reads contents only where it must.

Leaves: looks, evidence without content, findings and exclusions; for ``join`` also which derived types must be built, because
their inputs are not what they were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from auditor.domain.coverage import Coverage
from auditor.domain.evidence import Standing
from auditor.domain.finding import Current
from auditor.domain.ports import TenantStore
from auditor.domain.resource_type import AnyType, DerivedType
from auditor.domain.scope import Scope
from auditor.domain.source import JOIN, Unit
from auditor.domain.volatile import beside
from auditor.pipeline.assess import Assessment
from auditor.pipeline.plan import Selection, inputs
from auditor.pipeline.plan import places as places_in
from auditor.pipeline.settled import built_from


@dataclass(frozen=True, slots=True)
class Stands:
    """What is known of a unit's types before anything is judged: looks, evidence without content, findings, exclusions."""

    places: tuple[str, ...]
    coverage: tuple[Coverage, ...]
    rows: tuple[Standing, ...]
    """Of resources, and of the volatile facts beside them."""
    current: Mapping[tuple[str, str], Current]
    excluded: Mapping[tuple[str, str], str]
    scope: Scope
    built: Mapping[str, str]
    """Per derived type, the digest of what it is built from as things stand."""
    to_build: tuple[DerivedType, ...]

    @classmethod
    def of(cls, books: TenantStore, unit: Unit, selection: Selection, judged: Sequence[AnyType]) -> Stands:
        """Ask the store: about a place its own types only, for ``join`` about everything that was collected."""
        place = None if unit.place == JOIN else unit.place
        asked = {kind.name for kind in ((*selection.collected, *judged) if place is None else judged)}
        looks = tuple(look for look in books.coverage(unit.source, place=place) if look.resource_type in asked)
        # A region may have left the scope since the run was planned.
        scope = books.scope(unit.source)
        places = places_in(books.places(unit.run)[1:], scope) if place is None else (place,)
        rows = books.standing(unit.source, place, asked | {beside(name) for name in asked})
        by_name: dict[str, list[Standing]] = {}
        for row in rows:
            by_name.setdefault(row.resource_type, []).append(row)
        joins = tuple(kind for kind in judged if isinstance(kind, DerivedType))
        plain = tuple(look for look in looks if look.resource_type not in {kind.name for kind in joins})
        built = {kind.name: built_from(kind, by_name, plain, places) for kind in joins}
        before = books.joined(unit.source) if joins else {}
        return cls(
            places=tuple(places),
            coverage=plain,
            rows=rows,
            current=books.current(unit.source, place=place, resource_types=[kind.name for kind in judged]),
            excluded=books.exclusions(unit.source, place),
            scope=scope,
            built=built,
            to_build=tuple(kind for kind in joins if before.get(kind.name) != built[kind.name]),
        )

    def narrowed(self, named: Mapping[str, Sequence[str]]) -> Stands:
        """What is known of the resources that are named of these types; of other types, all as it is.

        A look at such a type counts as one at these resources: nothing else of the type is judged, or called gone.
        """
        if not named:
            return self
        ids = {(name, id_) for name, of in named.items() for id_ in of}
        rows = tuple(
            row for row in self.rows if row.resource_type not in named or (row.resource_type, row.native_id) in ids
        )
        counted = Counter(row.resource_type for row in rows)
        return replace(
            self,
            rows=rows,
            coverage=tuple(
                replace(look, listed=counted[look.resource_type]) if look.resource_type in named else look
                for look in self.coverage
            ),
            current={
                key: known
                for key, known in self.current.items()
                if known.resource_type not in named or (known.resource_type, known.resource) in ids
            },
        )

    def known_of(self, judged: Sequence[AnyType], named: Mapping[str, Sequence[str]]) -> tuple[AnyType, ...]:
        """The types to judge: of one whose named resources are all unknown there is nothing to say."""
        there = {row.resource_type for row in self.rows}
        return tuple(kind for kind in judged if kind.name not in named or kind.name in there)

    @property
    def kept(self) -> frozenset[str]:
        """The derived types that need no building: their inputs are as they were."""
        return frozenset(self.built) - {kind.name for kind in self.to_build}

    def standing_types(self, judged: Sequence[AnyType]) -> tuple[AnyType, ...]:
        """The judged types whose documents are not built anew."""
        return tuple(kind for kind in judged if kind not in self.to_build)

    def inputs_of(self, kinds: Sequence[DerivedType]) -> list[Standing]:
        """What stands of everything that these types are built from."""
        names = {each.name for kind in kinds for each in inputs(kind)}
        return [row for row in self.rows if row.resource_type in names]


def expected_pairs(assessment: Assessment, judged: Sequence[AnyType], selection: Selection) -> int:
    """How many verdicts on resources the looks call for: what was listed, times the checks of its type.

    Counted from coverage, not from the verdicts: two ways to one number, so that a lost verdict shows. A listing that
    fell short does not say how many there are: there, what is known counts.
    """
    checks: dict[str, int] = {}
    for check in selection.checks:
        checks[check.resource] = checks.get(check.resource, 0) + 1
    names = {kind.name for kind in judged}
    described = assessment.described
    return sum(
        (look.listed if look.complete else described.get((look.resource_type, look.place), 0))
        * checks.get(look.resource_type, 0)
        for look in assessment.coverage
        if look.resource_type in names
    )
