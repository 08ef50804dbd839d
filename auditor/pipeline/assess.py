"""Judge: evidence, coverage and definitions go in with an instant, verdicts come out. Nothing is asked of the outside.

Guards that nothing vanishes: every check in scope leaves at least one verdict per place, on the place itself where there
was nothing, or not everything, to judge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

from auditor.domain.control import Check
from auditor.domain.coverage import Coverage
from auditor.domain.document import as_json
from auditor.domain.evidence import Evidence
from auditor.domain.finding import Current
from auditor.domain.resource_type import AnyType, DerivedType, Joined, Member, Population, ResourceType
from auditor.domain.source import GLOBAL, Place
from auditor.domain.verdict import Verdict, VerdictWord
from auditor.proof.canonical import digest
from auditor.proof.judge import judge

INSTANT = timedelta(microseconds=1)


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


@dataclass(frozen=True, slots=True)
class Assessment:
    """Verdicts, the coverage they stand on (derived types included), and derived documents as evidence to keep."""

    verdicts: tuple[Verdict, ...]
    coverage: tuple[Coverage, ...]
    derived: tuple[Evidence, ...]
    described: Mapping[tuple[str, str], int]
    """Documents of the judged types, by type and place."""


def assess(
    evidence: Sequence[Evidence],
    coverage: Sequence[Coverage],
    *,
    judged: Iterable[AnyType],
    collected: Iterable[ResourceType],
    checks: Iterable[Check],
    account: Place,
    places: Sequence[str],
    as_of: datetime,
    current: Mapping[tuple[str, str], Current] | None = None,
) -> Assessment:
    """Every verdict that these looks allow at ``as_of``.

    ``places`` are those looked at (``global`` and regions); ``account`` is any place of the source. ``current`` findings
    let a verdict that only the calendar changed say so.
    """
    judged = tuple(judged)
    plain = {kind.name: kind for kind in (*collected, *(k for k in judged if isinstance(k, ResourceType)))}
    described = [_describe(plain[seen.resource_type], seen) for seen in evidence if seen.resource_type in plain]
    looked: list[Coverage] = list(coverage)
    derived: list[Evidence] = []
    joiner = _Joiner(described, coverage, account, places, as_of)
    for kind in judged:
        if isinstance(kind, DerivedType):
            built, reach = joiner.build(kind)
            described.extend(built)
            looked.extend(reach)
            derived.extend(_as_evidence(each) for each in built)
    bench = _Bench(account, as_of, current or {})
    wanted: dict[str, list[Check]] = {}
    for check in checks:
        wanted.setdefault(check.resource, []).append(check)
    names = {kind.name for kind in judged}
    verdicts = [
        bench.judge(check, seen)
        for seen in described
        if seen.kind.name in names
        for check in wanted.get(seen.kind.name, ())
    ]
    found = {(seen.place, seen.kind.name) for seen in described}
    for kind in judged:
        looks = {look.place: look for look in looked if look.resource_type == kind.name}
        for place in (GLOBAL,) if kind.place == "account" else tuple(p for p in places if p != GLOBAL):
            look = looks.get(place)
            if look is None or not look.complete or (place, kind.name) not in found:
                verdicts.extend(bench.on_place(check, kind, place, look) for check in wanted.get(kind.name, ()))
    counted = Counter((seen.kind.name, seen.place) for seen in described if seen.kind.name in names)
    return Assessment(tuple(verdicts), tuple(looked), tuple(derived), counted)


def _describe(kind: ResourceType, seen: Evidence) -> Described:
    document = kind.describe(seen.content)
    told = as_json(document)
    place = GLOBAL if kind.place == "account" else seen.region
    return Described(
        kind, seen.native_id, seen.region, place, document, told, digest(told), seen.digest, seen.collected_at
    )


def _as_evidence(seen: Described) -> Evidence:
    content = {"document": seen.json}
    return Evidence(seen.kind.name, seen.kind.version, seen.native_id, seen.region, content, seen.observed_at, ())


class _Joiner:
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

    def build(self, kind: DerivedType) -> tuple[list[Described], list[Coverage]]:
        if isinstance(kind.over, ResourceType):
            over = kind.over
            members = self._described.get(over.name, ())
            built = [self._one(kind, seen.native_id, seen.region, seen.place, seen) for seen in members]
            reach = [
                replace(look, resource_type=kind.name) for (name, _), look in self._looks.items() if name == over.name
            ]
            return built, reach
        regions = (GLOBAL,) if kind.over == "account" else self._regions
        built = [self._one(kind, self._place(region).native_id, region, region, None) for region in regions]
        return built, [Coverage(region, kind.name, "ok", self._as_of, listed=1) for region in regions]

    def _place(self, region: str) -> Place:
        return Place(self._account.account, region, self._account.partition)

    def _one(self, kind: DerivedType, native_id: str, region: str, place: str, over: Described | None) -> Described:
        within = place if kind.over == "region" else None
        populations = {each.name: self._population(each, within) for each in kind.inputs}
        member = None if over is None else Member(over.native_id, over.region, over.document)
        document = kind.describe(Joined(self._account.account, region, member, populations))
        told = as_json(document)
        taken = digest(told)
        observed = self._as_of if over is None else over.observed_at
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
        return Population(members, "; ".join(short) if short else None)


class _Bench:
    """Turns judgements into verdicts: the same for a resource and for a place."""

    def __init__(self, account: Place, as_of: datetime, current: Mapping[tuple[str, str], Current]) -> None:
        self._account = account
        self._as_of = as_of
        self._current = current

    def judge(self, check: Check, seen: Described) -> Verdict:
        said = judge(check.compiled, seen.json, as_of=self._as_of)
        word = cast("VerdictWord", said.verdict)
        reason = said.message
        if word == "not_applicable":
            reason = f"Does not apply: {said.because}"
        return Verdict(
            check=check.id,
            control=check.control,
            resource=seen.native_id,
            resource_type=seen.kind.name,
            region=seen.region,
            place=seen.place,
            verdict=word,
            severity=check.severity,
            tier=check.tier,
            reason=reason,
            because=said.because,
            observed=said.values,
            evidence=seen.evidence,
            document_digest=seen.digest,
            document_version=seen.kind.version,
            judged_digest=check.judged_digest,
            published_digest=check.published_digest,
            judged_as_of=self._as_of,
            observed_at=seen.observed_at,
            turns_at=said.turns_at,
            turned_at=self._turned(check, seen, word),
        )

    def _turned(self, check: Check, seen: Described, word: VerdictWord) -> datetime | None:
        """When the calendar alone turned the verdict: an instant before, the same document still had the old one."""
        before = self._current.get((check.id, seen.native_id))
        if before is None or before.turns_at is None or before.state == word or before.turns_at > self._as_of:
            return None
        earlier = judge(check.compiled, seen.json, as_of=before.turns_at - INSTANT)
        return before.turns_at if earlier.verdict == before.state else None

    def on_place(self, check: Check, kind: AnyType, region: str, look: Coverage | None) -> Verdict:
        """The line that a check leaves where nothing, or not everything, could be judged."""
        place = Place(self._account.account, region, self._account.partition)
        word: VerdictWord = "not_applicable" if look is not None and look.complete else "unknown"
        if look is None:
            reason = f"{kind.title}: not collected in this run"
        elif look.state == "unsupported":
            reason = f"{kind.title}: the service is not offered here ({look.detail})"
        elif look.complete:
            reason = f"{kind.title}: the listing was complete and showed none"
        else:
            reason = f"{kind.title}: could not be listed ({look.detail})"
        shown = digest({"place": place.native_id, "type": kind.name, "coverage": reason})
        return Verdict(
            check=check.id,
            control=check.control,
            resource=place.native_id,
            resource_type=kind.name,
            region=region,
            place=region,
            verdict=word,
            severity=check.severity,
            tier=check.tier,
            reason=reason,
            because="",
            observed=(),
            evidence="",
            document_digest=shown,
            document_version=kind.version,
            judged_digest=check.judged_digest,
            published_digest=check.published_digest,
            judged_as_of=self._as_of,
            observed_at=self._as_of if look is None else look.at,
            about_place=True,
        )
