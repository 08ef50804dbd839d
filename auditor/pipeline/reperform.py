"""Level 2: the documents of a bundle derived again from its evidence, derived types from their inputs, and held against what
was judged.

Pure over a bundle's files. Guards two rules: a record of another type version is never called a mismatch, since another release
wrote it; and what could not be done again is counted and named, never passed over.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from auditor.domain.coverage import Coverage
from auditor.domain.document import as_json
from auditor.domain.resource_type import AnyType, DerivedType, ResourceType
from auditor.domain.source import GLOBAL, Place
from auditor.domain.volatile import Row, beside, whole
from auditor.pipeline.join import Described, Joiner
from auditor.pipeline.plan import inputs
from auditor.pipeline.settled import stands_in
from auditor.pipeline.volatile import Rows, rows_in
from auditor.proof.canonical import digest, instant
from auditor.proof.spans import FOREVER

Line = Mapping[str, Any]
COVERAGE_JOINS = "coverage_joins.jsonl"
NOT_HELD = "the bundle does not hold what it was derived over"
KEPT = 20_000
"""How many documents of inputs are held at once."""


class Difference(NamedTuple):
    """A document that this release derives otherwise, although the type's version is the same."""

    resource_type: str
    resource: str
    evidence: str
    judged: str
    derived: str


@dataclass(slots=True)
class Reperformed:
    """What was derived again, what came out otherwise, and what could not be done, by reason."""

    done: int = 0
    differences: list[Difference] = field(default_factory=list)
    not_done: Counter[str] = field(default_factory=Counter)

    @property
    def exit_code(self) -> int:
        """0 if all of it was done and agrees, 1 if something differs, 4 if something could not be done."""
        return 1 if self.differences else 4 if self.not_done else 0


def describer(types: Iterable[AnyType]) -> Callable[[str, int, Mapping[str, Any]], Mapping[str, Any] | None]:
    """What gives the document of evidence; none for a type or version that this release does not have."""
    known = {kind.name: kind for kind in types}

    def describe(name: str, version: int, content: Mapping[str, Any]) -> Mapping[str, Any] | None:
        kind = known.get(name)
        if not isinstance(kind, ResourceType) or kind.version != version:
            return None
        document: Mapping[str, Any] = as_json(kind.describe(content))
        return document

    return describe


def reperform(root: Path, types: Iterable[AnyType]) -> Reperformed:
    """Every document that a verdict of the bundle rests on, derived again; the bundle must have been verified before."""
    return _Again(root, {kind.name: kind for kind in types}).go()


class Wanted(NamedTuple):
    """What a verdict rests on; where more counts than its evidence, also when and where it was judged.

    A joined document is built of what stood then, and a document of volatile facts joined with those that did.
    """

    judged_as_of: str
    place: str
    source: str
    document: str
    evidence: str
    resource: str
    evaluator: str


class Build(NamedTuple):
    """When a source's joined documents were built."""

    source: str
    at: datetime


class Stood(NamedTuple):
    """A line of evidence with the times at which it stood, read once."""

    line: Line
    times: Sequence[tuple[datetime, datetime]]

    def at(self, moment: datetime) -> bool:
        """Whether it stood then."""
        return any(since <= moment < until for since, until in self.times)


class _Again:
    def __init__(self, root: Path, types: Mapping[str, AnyType]) -> None:
        self._data = root / "data"
        self._types = types
        self._told = Reperformed()
        self._documents: dict[tuple[str, ...], Any] = {}
        self._rows = lru_cache(maxsize=8)(self._read_rows)  # wanted documents come by the instant they were judged for

    def go(self) -> Reperformed:
        """Plain types first; then derived ones, together for each instant at which they were built."""
        builds: dict[Build, set[tuple[str, Wanted]]] = {}
        for wanted in sorted(self._wanted()):
            body = self._content(wanted.evidence)
            kind = self._types.get(body["type"])
            if kind is None or kind.version != body["version"]:
                self._told.not_done[f"needs {wanted.evaluator}: {body['type']} version {body['version']}"] += 1
            elif isinstance(kind, ResourceType):
                self._plain(wanted, kind, body["content"])
            elif (at := self._built_at(wanted)) is None:
                self._told.not_done[NOT_HELD] += 1
            else:
                builds.setdefault(Build(wanted.source, at), set()).add(
                    (kind.name, wanted._replace(judged_as_of="", place=""))
                )
        for build, several in sorted(builds.items()):
            self._join(build, sorted(several))
        return self._told

    def _wanted(self) -> set[Wanted]:
        found: set[Wanted] = set()
        for finding in _lines(self._data / "findings.jsonl"):
            dated = _dated(self._types.get(finding["resource_type"]))
            for span in finding["spans"]:
                if span["document_digest"] is not None:
                    found.add(
                        Wanted(
                            span["judged_as_of"] if dated else "",
                            finding["place"] if dated else "",
                            finding["source"],
                            span["document_digest"],
                            span["evidence_digest"],
                            finding["resource"],
                            span["evaluator"],
                        )
                    )
        return found

    def _plain(self, wanted: Wanted, kind: ResourceType, content: Mapping[str, Any]) -> None:
        """A document of evidence, and of the volatile facts that stood as it was judged.

        A look that was kept in that very moment may not have been known to the judge: then those before it were.
        """
        if not kind.volatile:
            self._hold(wanted, kind.name, _derived(kind, content, None))
            return
        facts = self._facts(wanted.source, kind.name, wanted.place, instant(wanted.judged_as_of))
        if not facts:
            self._told.not_done[f"the bundle does not hold the volatile facts of {kind.name}"] += 1
            return
        rows = [self._rows(one).get(wanted.resource) for one in facts]
        derived = [_derived(kind, content, row) for row in (*rows, None)]
        self._hold(wanted, kind.name, wanted.document if wanted.document in derived else derived[0])

    def _facts(self, source: str, name: str, place: str, at: datetime) -> list[str]:
        """The volatile facts of a type in a place that stood at an instant, and those that stood before them, by digest."""
        begun = sorted(
            (since, stood.line["digest"])
            for stood in self._index.get((source, beside(name)), ())
            if stood.line["place"] == place
            for since, _ in stood.times
            if since <= at
        )
        return [digest_ for _, digest_ in reversed(begun[-2:])]

    def _built_at(self, wanted: Wanted) -> datetime | None:
        """When the evidence came to stand last before it was judged, as the one who writes bundles reckons it."""
        judged = instant(wanted.judged_as_of)
        since = [
            since
            for stood in self._evidence_of.get((wanted.evidence, wanted.resource), ())
            if stood.line["source"] == wanted.source
            for since, _ in stood.times
        ]
        return max((one for one in since if one <= judged), default=min(since, default=None))

    def _hold(self, wanted: Wanted, kind: str, derived: str) -> None:
        self._told.done += 1
        if derived != wanted.document:
            told = Difference(kind, wanted.resource, wanted.evidence, wanted.document, derived)
            self._told.differences.append(told)

    def _join(self, build: Build, several: Sequence[tuple[str, Wanted]]) -> None:
        """Everything that was built at one instant, from what stood then."""
        kinds = [
            kind for name in sorted({name for name, _ in several}) if isinstance(kind := self._types[name], DerivedType)
        ]
        lack = self._lack(build, kinds)
        if lack is not None:
            self._told.not_done[lack] += len(several)
            return
        joiner = self._joiner(build, kinds)
        built = {(kind.name, one.native_id): one.digest for kind in kinds for one in joiner.build(kind)}
        for name, wanted in several:
            found = built.get((name, wanted.resource))
            if found is None:
                self._told.not_done[NOT_HELD] += 1
            else:
                self._hold(wanted, name, found)

    def _lack(self, build: Build, kinds: Sequence[DerivedType]) -> str | None:
        """Why what was built at an instant cannot be built again, if it cannot."""
        names = inputs_of(kinds)
        behind = names | {beside(name) for name in names}
        if not self._holds(build):
            return "written by an earlier release, which left out what joined documents from outside the period rest on"
        if build.source not in self._sources:
            return "of a source that was not connected in the period"
        if any(gone.line["type"] in behind and gone.at(build.at) for gone in self._gone.get(build.source, ())):
            return "an input was erased since, or kept before there was a ledger"
        for line in self._standing(build, names):
            kind = self._types.get(line["type"])
            if kind is None or kind.version != line["type_version"]:
                return f"needs another release: an input of {line['type']} version {line['type_version']}"
        return None

    def _holds(self, build: Build) -> bool:
        """Whether the bundle says that it holds all that stood at an instant."""
        period = self._audit["period"]
        known_to = min(instant(period["to"]), instant(self._audit["as_of"]))
        within = instant(period["from"]) <= build.at < known_to and not self._audit.get("partial")
        return within or (self._data / COVERAGE_JOINS).is_file()

    def _joiner(self, build: Build, kinds: Sequence[DerivedType]) -> Joiner:
        names = inputs_of(kinds)
        lines = sorted(self._standing(build, names), key=lambda one: (one["type"], one["resource"]))
        described = [
            Described(
                kind, line["resource"], line["region"], stands_in(kind, line["region"]), self._document(kind, line, build.at),
                {}, "", line["digest"], build.at,
            )
            for line in lines
            if isinstance(kind := self._types[line["type"]], ResourceType)
        ]  # fmt: skip
        everywhere = self._looks(build)
        looks = [look for look in everywhere if look.resource_type in names]
        places = sorted({look.place for look in everywhere}, key=lambda one: (one != GLOBAL, one))
        told_of = self._sources[build.source]
        account = Place(told_of["account"], GLOBAL, told_of.get("partition", "aws"), told_of.get("kind", "aws"))
        return Joiner(described, looks, account, places, build.at)

    def _standing(self, build: Build, names: frozenset[str]) -> Iterator[Line]:
        for name in sorted(names):
            for stood in self._index.get((build.source, name), ()):
                if stood.at(build.at):
                    yield stood.line

    def _document(self, kind: ResourceType, line: Line, at: datetime) -> Any:
        """A document, typed; one input goes into many joins."""
        facts = self._facts(line["source"], kind.name, line["place"], at)[:1] if kind.volatile else []
        key = (line["digest"], line["resource"], *facts)
        if key not in self._documents:
            if len(self._documents) >= KEPT:
                self._documents.clear()
            row = self._rows(facts[0]).get(line["resource"]) if facts else None
            self._documents[key] = kind.describe(whole(kind, self._content(line["digest"])["content"], row))
        return self._documents[key]

    def _looks(self, build: Build) -> list[Coverage]:
        return [
            Coverage(
                one["place"],
                one["resource_type"],
                one["state"],
                build.at,
                one["listed"],
                one["detail"],
                one["action"],
                within=tuple(one.get("within", ())),
            )
            for one in self._coverage
            if one["source"] == build.source and instant(one["valid_from"]) <= build.at < instant(one["valid_to"])
        ]

    def _content(self, digest_: str) -> Any:
        return json.loads((self._data / "evidence" / digest_[:2] / f"{digest_}.json").read_bytes())

    def _read_rows(self, digest_: str) -> Rows:
        return rows_in(self._content(digest_)["content"])

    @cached_property
    def _index(self) -> dict[tuple[str, str], list[Stood]]:
        """Evidence by source and type."""
        found: dict[tuple[str, str], list[Stood]] = {}
        for line in _lines(self._data / "evidence" / "index.jsonl"):
            found.setdefault((line["source"], line["type"]), []).append(_stood(line))
        return found

    @cached_property
    def _evidence_of(self) -> dict[tuple[str, str], list[Stood]]:
        """The same by digest and resource."""
        found: dict[tuple[str, str], list[Stood]] = {}
        for stood in (one for several in self._index.values() for one in several):
            found.setdefault((stood.line["digest"], stood.line["resource"]), []).append(stood)
        return found

    @cached_property
    def _gone(self) -> dict[str, list[Stood]]:
        found: dict[str, list[Stood]] = {}
        for line in _lines(self._data / "evidence" / "gone.jsonl"):
            found.setdefault(line["source"], []).append(_stood(line))
        return found

    @cached_property
    def _coverage(self) -> list[Line]:
        return [*_lines(self._data / "coverage.jsonl"), *_lines(self._data / COVERAGE_JOINS)]

    @cached_property
    def _audit(self) -> Any:
        return json.loads((self._data / "audit.json").read_bytes())

    @cached_property
    def _sources(self) -> dict[str, Line]:
        return {one["source"]: one for one in json.loads((self._data / "scope.json").read_bytes())["sources"]}


def _dated(kind: AnyType | None) -> bool:
    """Whether its documents depend on when they were judged, beside the evidence that they are named by."""
    return isinstance(kind, DerivedType) or (kind is not None and bool(kind.volatile))


def _derived(kind: ResourceType, content: Mapping[str, Any], row: Row | None) -> str:
    """The digest of the document, or why this release derives none from an answer of its own version."""
    try:
        return digest(as_json(kind.describe(whole(kind, content, row))))
    except Exception as error:  # noqa: BLE001  (whatever it is, it is told as a difference and the rest is done)
        return f"nothing: {type(error).__name__}"


def inputs_of(kinds: Iterable[DerivedType]) -> frozenset[str]:
    """The names of the types that these are built from."""
    return frozenset(each.name for kind in kinds for each in inputs(kind))


def joined_from(types: Iterable[AnyType]) -> dict[str, frozenset[str]]:
    """The same for each derived type alone, by its name."""
    return {kind.name: inputs_of([kind]) for kind in types if isinstance(kind, DerivedType)}


def _stood(line: Line) -> Stood:
    times = line.get("stood", ((line.get("collected_at"), None),))
    return Stood(line, [(instant(since), instant(until or FOREVER)) for since, until in times])


def _lines(path: Path) -> Iterator[Any]:
    """A file of lines; nothing if it is one that an earlier release did not write."""
    if path.is_file():
        with path.open("rb") as file:
            yield from map(json.loads, file)
