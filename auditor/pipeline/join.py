"""Join: described resources and how far they were seen go in, documents of derived types come out; pure.

Guards that a population which was not seen whole says so inside every document built from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from auditor.domain.coverage import Coverage
from auditor.domain.document import as_json
from auditor.domain.resource_type import (
    AnyType,
    DerivedType,
    Joined,
    Member,
    PlaceKind,
    Population,
    ResourceType,
    Spread,
)
from auditor.domain.source import GLOBAL, Place
from auditor.proof.canonical import digest


@dataclass(frozen=True, slots=True)
class Described:
    """A resource's document, typed and as JSON, with the evidence it was derived from."""

    kind: AnyType
    native_id: str
    region: str
    place: str
    document: Any
    json: Mapping[str, Any]
    digest: str
    evidence: str
    observed_at: datetime


class Joiner:
    """Builds derived types from what a run saw, with what it did not see standing beside it."""

    def __init__(
        self,
        described: Sequence[Described],
        coverage: Sequence[Coverage],
        account: Place,
        places: Sequence[str],
        as_of: datetime,
    ) -> None:
        self._described: dict[str, list[Described]] = {}
        for seen in described:
            self._described.setdefault(seen.kind.name, []).append(seen)
        self._populations: dict[tuple[str, str | None], Population] = {}
        self._looks = {(look.resource_type, look.place): look for look in coverage}
        self._account = account
        self._regions = tuple(place for place in places if place != GLOBAL)
        self._as_of = as_of

    def build(self, kind: DerivedType) -> list[Described]:
        """The documents of a type: one per member it stands over or makes of its inputs, or one per place."""
        if isinstance(kind.over, Spread):
            members = kind.over.members(Joined(self._account.account, GLOBAL, None, self._inputs(kind, None)))
            return [self._one(kind, one.id, one.region, GLOBAL, one, self._as_of) for one in members]
        if isinstance(kind.over, ResourceType):
            return [
                self._one(
                    kind,
                    seen.native_id,
                    seen.region,
                    seen.place,
                    Member(seen.native_id, seen.region, seen.document),
                    seen.observed_at,
                )
                for seen in self._described.get(kind.over.name, ())
            ]
        return [
            self._one(kind, self._place(region).native_id, region, region, None, self._as_of)
            for region in self._places(kind.over)
        ]

    def reach(self, kind: DerivedType) -> list[Coverage]:
        """How far a type could be seen: as its members were, or wholly where it stands over places.

        What is spread over several listings is seen as far as the first of them that fell short, or as the first.
        """
        if isinstance(kind.over, Spread):
            looks = [self._looks.get((shown.name, GLOBAL)) for shown in kind.over.shown_by]
            told = next((look for look in looks if look is None or not look.complete), looks[0])
            return [] if told is None else [replace(told, resource_type=kind.name)]
        if isinstance(kind.over, ResourceType):
            over = kind.over.name
            return [replace(look, resource_type=kind.name) for (name, _), look in self._looks.items() if name == over]
        return [Coverage(region, kind.name, "ok", self._as_of, listed=1) for region in self._places(kind.over)]

    def _places(self, over: PlaceKind) -> tuple[str, ...]:
        return (GLOBAL,) if over == "account" else self._regions

    def _place(self, region: str) -> Place:
        return replace(self._account, region=region)

    def _inputs(self, kind: DerivedType, within: str | None) -> dict[str, Population]:
        return {each.name: self._population(each, within) for each in kind.inputs}

    def _one(
        self, kind: DerivedType, native_id: str, region: str, place: str, member: Member | None, observed: datetime
    ) -> Described:
        populations = self._inputs(kind, place if kind.over == "region" else None)
        document = kind.describe(Joined(self._account.account, region, member, populations))
        told = as_json(document)
        taken = digest(told)
        evidence = digest({"type": kind.name, "version": kind.version, "content": {"document": told}})
        return Described(kind, native_id, region, place, document, told, taken, evidence, observed)

    def _population(self, kind: ResourceType, within: str | None) -> Population:
        key = (kind.name, within)
        if key not in self._populations:
            self._populations[key] = self._gathered(kind, within)
        return self._populations[key]

    def _gathered(self, kind: ResourceType, within: str | None) -> Population:
        members = tuple(
            Member(seen.native_id, seen.region, seen.document)
            for seen in self._described.get(kind.name, ())
            if within is None or seen.place in {within, GLOBAL}
        )
        regions = (GLOBAL,) if kind.place == "account" else self._regions if within is None else (within,)
        looks = [(region, self._looks.get((kind.name, region))) for region in regions]
        short = [
            f"{look.detail if look else 'not collected'} in {region}"
            for region, look in looks
            if not look or not look.complete
        ]
        alone = next((look.within for _, look in looks if look and look.within), ())
        return Population(members, "; ".join(short) if short else None, alone)
