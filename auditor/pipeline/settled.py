"""Decide what needs no judging: findings whose evidence, definition, evaluator and calendar are those they were judged by.

Pure: enters what stands (evidence without content, findings, exclusions) with an instant, leaves what must be read. Guards
that judging again is saved only where nothing that decides a verdict can have changed.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from auditor import __version__
from auditor.domain.control import Check
from auditor.domain.coverage import Coverage
from auditor.domain.evidence import Standing
from auditor.domain.finding import Current
from auditor.domain.resource_type import AnyType, DerivedType, ResourceType, Spread
from auditor.domain.scope import Scope
from auditor.domain.source import GLOBAL
from auditor.domain.verdict import VERDICTS
from auditor.domain.volatile import beside
from auditor.proof.canonical import digest

EVALUATOR = f"auditor {__version__}"


@dataclass(frozen=True, slots=True)
class Excluded:
    """A check on a resource that the scope leaves out: not judged, and shown with the rule that says so."""

    check: Check
    resource: str
    resource_type: str
    region: str
    place: str
    reason: str

    @property
    def key(self) -> tuple[str, str]:
        """Check and resource."""
        return (self.check.id, self.resource)


def settled(finding: Current | None, check: Check, evidence: str, as_of: datetime) -> bool:
    """Whether judging would say again what the finding says: same evidence, definition and evaluator, no turn due."""
    return (
        finding is not None
        and finding.state in VERDICTS
        and finding.evidence_digest == evidence
        and finding.judged_digest == check.judged_digest
        and finding.evaluator == EVALUATOR
        and (finding.turns_at is None or finding.turns_at > as_of)
    )


def by_type(checks: Iterable[Check]) -> dict[str, list[Check]]:
    """The checks of each resource type."""
    wanted: dict[str, list[Check]] = {}
    for check in checks:
        wanted.setdefault(check.resource, []).append(check)
    return wanted


def unsettled(
    rows: Iterable[Standing],
    kinds: Iterable[AnyType],
    checks: Iterable[Check],
    current: Mapping[tuple[str, str], Current],
    excluded: Mapping[tuple[str, str], str],
    as_of: datetime,
    scope: Scope,
    moved: Container[tuple[str, str]] = frozenset(),
) -> tuple[list[Standing], list[Standing]]:
    """The resources of these types whose content must be read, and those that nothing needs to be asked of.

    ``moved`` are checks on resources whose volatile facts are not those that were judged.
    """
    types, wanted = {kind.name: kind for kind in kinds}, by_type(checks)
    read: list[Standing] = []
    left: list[Standing] = []
    for row in rows:
        kind = types.get(row.resource_type)
        if kind is None:
            continue
        asked = () if exclusion(kind, row.native_id, excluded, scope) else wanted.get(kind.name, ())
        if all(
            (key := (check.id, row.native_id)) not in moved and settled(current.get(key), check, row.digest, as_of)
            for check in asked
        ):
            left.append(row)
        else:
            read.append(row)
    return read, left


def exclusion(kind: AnyType, native_id: str, excluded: Mapping[tuple[str, str], str], scope: Scope) -> str | None:
    """Why the scope leaves a resource out; what is derived over it goes with it, and a place never goes.

    Members that a spread makes are listed by nobody: the scope is held against their own ids.
    """
    over = kind.over if isinstance(kind, DerivedType) else kind
    shown_by = over.shown_by if isinstance(over, Spread) else (over,) if isinstance(over, ResourceType) else ()
    why = next((why for one in shown_by if (why := excluded.get((one.name, native_id))) is not None), None)
    if why is None and isinstance(over, Spread) and (own := scope.excludes(native_id, None)) is not None:
        return f"{own} (scope version {scope.version})"
    return why


def stands_in(kind: AnyType, region: str) -> str:
    """The place whose listing shows a resource of this type and region."""
    return GLOBAL if kind.place == "account" else region


def built_from(
    kind: DerivedType, rows: Mapping[str, Sequence[Standing]], coverage: Iterable[Coverage], places: Sequence[str]
) -> str:
    """The digest of all that a derived type's documents are a function of: what stands of its inputs, by type, and how far
    they were seen.
    """
    over = {kind.over.name: kind.over} if isinstance(kind.over, ResourceType) else {}
    inputs = over | {each.name: each for each in kind.inputs}
    return digest(
        {
            "type": kind.name,
            "version": kind.version,
            "inputs": {
                name: [
                    each.version,
                    sorted([row.native_id, row.region, row.digest] for row in rows.get(name, ())),
                    *sorted([row.place, row.digest] for row in rows.get(beside(name), ())),
                ]
                for name, each in inputs.items()
            },
            "looks": sorted(
                [look.resource_type, look.place, look.state, look.detail, *look.within]
                for look in coverage
                if look.resource_type in inputs
            ),
            "places": list(places),
        }
    )
