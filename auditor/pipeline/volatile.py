"""Volatile facts of a type in a place, as one piece of evidence: gathered when it was looked at, compared when it is judged.

Guards that every resource that stands has its row: what was read shows it whole, what is held has anew what the listing shows
and the rest as it was, and what a listing that fell short did not show keeps what it had.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TypeAlias

from auditor.domain.control import Check
from auditor.domain.errors import EvidenceError
from auditor.domain.evidence import Collection, Evidence, Held, Known, Standing
from auditor.domain.ports import TenantStore
from auditor.domain.projection import tree
from auditor.domain.resource_type import AnyType, ResourceType
from auditor.domain.source import Place, Unit
from auditor.domain.volatile import Row, beside, is_beside
from auditor.pipeline.settled import by_type

Rows: TypeAlias = Mapping[str, Row]
"""Rows of volatile facts by native id."""


def rows_in(content: Mapping[str, Any]) -> Rows:
    """The rows that a piece of evidence of this kind holds."""
    rows: Rows = content["volatile"]
    return rows


def gathered(
    collection: Collection,
    kinds: Iterable[ResourceType],
    place: Place,
    known: Mapping[tuple[str, str], Known],
    read: Callable[[str], Rows],
) -> Iterator[Evidence]:
    """The rows of each type that has any, as evidence of the place; ``read`` gives those known before, by digest."""
    looks = {look.resource_type: look for look in collection.coverage}
    for kind in kinds:
        if not kind.volatile:
            continue
        look, name = looks.get(kind.name), beside(kind.name)
        complete = look is not None and look.complete  # without a look, single resources were asked for
        seen = [one for one in collection.evidence if one.resource_type == kind.name]
        fresh = {one.native_id: one.volatile or {} for one in seen}
        held = [one for one in collection.held if one.resource_type == kind.name]
        before = known.get((name, place.native_id))
        if not fresh and not held and (before is None or not complete):
            continue
        details = frozenset(tree(kind.volatile)) & frozenset(kind.details)
        needed = not complete or (held and details)
        old = read(before.digest) if before is not None and needed else {}
        rows = {**({} if complete else old), **_carried(held, old, details), **fresh}
        asked = _showing(kind)
        rest_on = (*(one.calls for one in seen), *(one.calls for one in held))
        calls = dict.fromkeys(call for several in rest_on for call in several if call.operation in asked)
        yield Evidence(
            name,
            kind.version,
            place.native_id,
            place.region,
            {"volatile": rows},
            collection.provenance.finished_at if look is None else look.at,
            asked,
            calls=tuple(calls),
        )


def _showing(kind: ResourceType) -> tuple[str, ...]:
    """The operations that show which resources have rows, and what stands in these."""
    listing = () if kind.listing is None else tuple(read.operation for read in kind.listing.chain)
    own = (read.operation for name, read in kind.details.items() if name in tree(kind.volatile))
    return tuple(dict.fromkeys((*listing, *own)))


def _carried(held: Iterable[Held], old: Rows, details: Container[str]) -> dict[str, Row]:
    """What the listing showed anew, beside what details showed when they were read; no row where nothing tells the latter."""
    if not details:
        return {one.native_id: one.volatile for one in held}
    return {
        one.native_id: {**{name: told for name, told in old[one.native_id].items() if name in details}, **one.volatile}
        for one in held
        if one.native_id in old
    }


@dataclass(frozen=True, slots=True)
class Moved:
    """What of a place's volatile facts is not what was judged: read only where the whole is another one."""

    pairs: frozenset[tuple[str, str]]
    """Checks on resources whose row is not the one that the check judged last."""
    facts: Mapping[str, str]
    """Per check that judged others, the digest of the facts as they stand: to be remembered with its verdicts."""

    @classmethod
    def of(
        cls, books: TenantStore, unit: Unit, kinds: Iterable[AnyType], checks: Iterable[Check], rows: Iterable[Standing]
    ) -> Moved:
        """Hold what stands in a place against what each check of these types judged there last.

        A check judges for itself: one that was not asked for a while still has the facts of then to be compared with.
        """
        standing: dict[str, list[Standing]] = {}
        for row in rows:
            standing.setdefault(row.resource_type, []).append(row)
        wanted = by_type(checks)
        read = cache(partial(_rows, books))
        judged: Mapping[str, str] | None = None
        pairs: set[tuple[str, str]] = set()
        facts: dict[str, str] = {}
        for kind in kinds:
            for now in standing.get(beside(kind.name), ()):
                judged = books.volatile_judged(unit.source, unit.place) if judged is None else judged
                for check in wanted.get(kind.name, ()):
                    before = judged.get(check.id)
                    if before != now.digest:
                        facts[check.id] = now.digest
                        others = _differ(read(before), read(now.digest), standing.get(kind.name, ()))
                        pairs.update((check.id, one) for one in others)
        return cls(frozenset(pairs), facts)


def _differ(before: Rows | None, now: Rows | None, standing: Iterable[Standing]) -> Iterable[str]:
    """The resources whose row is another one, or is there in one of both alone; all, where one of both cannot be read."""
    if before is None or now is None:
        return (row.native_id for row in standing)
    return (one for one in before.keys() | now.keys() if before.get(one) != now.get(one))


def _rows(books: TenantStore, digest: str | None) -> Rows | None:
    """The rows of volatile facts by digest; none if nothing was judged yet, or what was is erased or lost."""
    if digest is None:
        return None
    with suppress(EvidenceError):
        return rows_in(books.contents([digest])[digest])
    return None


def opened(books: TenantStore, wanted: Iterable[Standing], rows: Iterable[Standing]) -> list[Evidence]:
    """The wanted evidence with its contents, each with its row of the volatile facts that stand among ``rows``."""
    stand = {(row.resource_type, row.place): row.digest for row in rows if is_beside(row.resource_type)}
    pairs = [(row, stand.get((beside(row.resource_type), row.place))) for row in wanted]
    contents = books.contents(digest for row, facts in pairs for digest in (row.digest, facts) if digest is not None)
    return [
        row.of(contents[row.digest], None if facts is None else rows_in(contents[facts]).get(row.native_id))
        for row, facts in pairs
    ]
