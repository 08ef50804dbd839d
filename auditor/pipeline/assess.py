"""Judge: evidence, coverage and definitions go in with an instant, verdicts come out. Nothing is asked of the outside.

Guards that nothing vanishes: every check in scope leaves at least one verdict per place, on the place itself where there
was nothing, or not everything, to judge. What was judged before and stands unchanged is held, and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast

from auditor.domain.control import Check
from auditor.domain.coverage import Coverage
from auditor.domain.document import as_json
from auditor.domain.evidence import Evidence, Standing
from auditor.domain.excuse import by_tag
from auditor.domain.finding import Current
from auditor.domain.resource_type import AnyType, DerivedType, ResourceType, Spread
from auditor.domain.scope import Scope
from auditor.domain.source import GLOBAL, Place
from auditor.domain.verdict import Verdict, VerdictWord
from auditor.domain.volatile import whole
from auditor.pipeline.join import Described, Joiner
from auditor.pipeline.settled import Excluded, by_type, exclusion, settled, stands_in
from auditor.proof.canonical import digest
from auditor.proof.judge import judge

INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Assessment:
    """Verdicts, the coverage they stand on (derived types included), and derived documents as evidence to keep."""

    verdicts: tuple[Verdict, ...]
    coverage: tuple[Coverage, ...]
    derived: tuple[Evidence, ...]
    described: Mapping[tuple[str, str], int]
    """Resources of the judged types, read or not, by type and place."""
    held: tuple[tuple[str, str], ...] = ()
    """Checks on resources whose findings stand as they are."""
    excluded: tuple[Excluded, ...] = ()
    documents: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    """What was judged, by its digest and that of the evidence it was read from; derived documents are evidence themselves."""


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
    excluded: Mapping[tuple[str, str], str] | None = None,
    scope: Scope | None = None,
    unread: Sequence[Standing] = (),
    kept: Collection[str] = (),
    moved: Container[tuple[str, str]] = frozenset(),
) -> Assessment:
    """Every verdict that these looks allow at ``as_of`` and that is not known yet.

    Args:
        evidence: What may have to be judged, and all inputs of derived types that are built.
        coverage: How far the looks reached.
        judged: The types to judge.
        collected: The types that evidence may be of.
        checks: What is asked.
        account: Any place of the source.
        places: Those looked at: ``global`` and regions.
        as_of: The instant to judge for.
        current: Findings as they stand: what they settle is held; a verdict that only the calendar changed says so.
        excluded: Why resources are out of scope, by type and native id.
        scope: The rule itself, for what is made of several listings.
        unread: Resources of judged types of which nothing needs judging.
        kept: Derived types whose inputs are as they were: their documents come as evidence or stay unread, none is built.
        moved: Checks on resources whose volatile facts are not those that were judged: their findings settle nothing.
    """
    judged = tuple(judged)
    names = {kind.name: kind for kind in judged}
    described = [
        _describe(kind, seen, judged=kind.name in names) for kind, seen in _typed(evidence, (*collected, *judged))
    ]
    looked: list[Coverage] = list(coverage)
    derived: list[Evidence] = []
    joiner = Joiner(described, coverage, account, places, as_of)
    for kind in judged:
        if isinstance(kind, DerivedType):
            looked.extend(joiner.reach(kind))
            built = [] if kind.name in kept else joiner.build(kind)
            described.extend(built)
            derived.extend(_as_evidence(each, as_of) for each in built)
    left_out = partial(exclusion, excluded=excluded or {}, scope=scope or Scope())
    bench = _Bench(account, as_of, current or {}, left_out, by_type(checks), moved)
    counted: Counter[tuple[str, str]] = Counter()
    for seen in described:
        if seen.kind.name in names:
            counted[seen.kind.name, seen.place] += 1
            bench.see(seen)
    for row in unread:
        kind = names[row.resource_type]
        counted[kind.name, stands_in(kind, row.region)] += 1
        bench.leave(kind, row)
    spread = {kind.name for kind in judged if isinstance(kind, DerivedType) and isinstance(kind.over, Spread)}
    looked = [  # what was made of several listings was listed by none of them
        replace(look, listed=counted[look.resource_type, look.place]) if look.resource_type in spread else look
        for look in looked
    ]
    for kind in judged:
        looks = {look.place: look for look in looked if look.resource_type == kind.name}
        for place in (GLOBAL,) if kind.place == "account" else tuple(p for p in places if p != GLOBAL):
            look = looks.get(place)
            if look is None or not look.complete or not counted[kind.name, place]:
                bench.on_place(kind, place, look)
    return Assessment(
        tuple(bench.verdicts),
        tuple(looked),
        tuple(derived),
        counted,
        tuple(bench.held),
        tuple(bench.excluded),
        bench.documents,
    )


def _typed(evidence: Iterable[Evidence], kinds: Iterable[AnyType]) -> Iterator[tuple[AnyType, Evidence]]:
    types = {kind.name: kind for kind in kinds}
    return ((types[seen.resource_type], seen) for seen in evidence if seen.resource_type in types)


def _describe(kind: AnyType, seen: Evidence, *, judged: bool) -> Described:
    """The document that evidence shows; of a derived type the evidence is the document.

    What is only joined to others is needed as a document alone: its JSON and digests would be worked out for nobody.
    """
    document = None
    if isinstance(kind, ResourceType):
        document = kind.describe(whole(kind, seen.content, seen.volatile))
    if document is not None and not judged:
        place = stands_in(kind, seen.region)
        return Described(kind, seen.native_id, seen.region, place, document, {}, "", "", seen.collected_at)
    told = seen.content["document"] if document is None else as_json(document)
    place = stands_in(kind, seen.region)
    return Described(
        kind, seen.native_id, seen.region, place, document, told, digest(told), seen.digest, seen.collected_at
    )


def _as_evidence(seen: Described, as_of: datetime) -> Evidence:
    content = {"document": seen.json}
    return Evidence(seen.kind.name, seen.kind.version, seen.native_id, seen.region, content, as_of, ())


class _Bench:
    """Where each check meets each resource or place: judged, held as it stands, or left out."""

    def __init__(
        self,
        account: Place,
        as_of: datetime,
        current: Mapping[tuple[str, str], Current],
        out: Callable[[AnyType, str], str | None],
        wanted: Mapping[str, Sequence[Check]],
        moved: Container[tuple[str, str]],
    ) -> None:
        self._account = account
        self._as_of = as_of
        self._current = current
        self._out = out
        self._wanted = wanted
        self._moved = moved
        self.verdicts: list[Verdict] = []
        self.held: list[tuple[str, str]] = []
        self.excluded: list[Excluded] = []
        self.documents: dict[tuple[str, str], Mapping[str, Any]] = {}

    def see(self, seen: Described) -> None:
        """A resource that was read: what its findings do not settle is judged."""
        if self._leaves_out(seen.kind, seen.native_id, seen.region):
            return
        for check in self._wanted.get(seen.kind.name, ()):
            key = (check.id, seen.native_id)
            if key not in self._moved and settled(self._current.get(key), check, seen.evidence, self._as_of):
                self.held.append(key)
            else:
                self.verdicts.append(self._judge(check, seen))

    def leave(self, kind: AnyType, row: Standing) -> None:
        """A resource that needed no reading."""
        if not self._leaves_out(kind, row.native_id, row.region):
            self.held.extend((check.id, row.native_id) for check in self._wanted.get(kind.name, ()))

    def on_place(self, kind: AnyType, region: str, look: Coverage | None) -> None:
        """A place where nothing, or not everything, could be judged: each check leaves a line there."""
        self.verdicts.extend(self._on_place(check, kind, region, look) for check in self._wanted.get(kind.name, ()))

    def _leaves_out(self, kind: AnyType, native_id: str, region: str) -> bool:
        reason = self._out(kind, native_id)
        if reason is not None:
            place = stands_in(kind, region)
            self.excluded.extend(
                Excluded(check, native_id, kind.name, region, place, reason)
                for check in self._wanted.get(kind.name, ())
            )
        return reason is not None

    def _judge(self, check: Check, seen: Described) -> Verdict:
        said = judge(check.compiled, seen.json, as_of=self._as_of)
        word = cast("VerdictWord", said.verdict)
        if isinstance(seen.kind, ResourceType):
            self.documents[seen.digest, seen.evidence] = seen.json
        reason = said.message
        if word == "not_applicable":
            reason = f"Does not apply: {said.because}{by_tag(said.values)}"
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

    def _on_place(self, check: Check, kind: AnyType, region: str, look: Coverage | None) -> Verdict:
        place = replace(self._account, region=region)
        word: VerdictWord = "not_applicable" if look is not None and look.complete else "unknown"
        if look is None:
            reason = f"{kind.title}: not collected in this run"
        elif look.state == "unsupported":
            reason = f"{kind.title}: the service is not offered here ({look.detail})"
        elif look.complete:
            reason = f"{kind.title}: the listing was complete and showed none"
            reason += f" in {', '.join(look.within)}" if look.within else ""
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
