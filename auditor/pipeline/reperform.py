"""Level 2: the documents of a bundle derived again from its evidence, derived types from their inputs, and held against what
was judged.

Pure over a bundle's files. Guards two rules: a record of another type version is never called a mismatch, since another release
wrote it; and what could not be done again is counted and named, never passed over.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from auditor.domain.coverage import Coverage
from auditor.domain.document import as_json
from auditor.domain.resource_type import AnyType, DerivedType, ResourceType
from auditor.domain.source import GLOBAL, Place
from auditor.pipeline.join import Described, Joiner
from auditor.pipeline.settled import stands_in
from auditor.proof.canonical import digest, instant

Line = Mapping[str, Any]


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
    """What a verdict rests on."""

    document: str
    evidence: str
    resource: str
    evaluator: str


class _Again:
    def __init__(self, root: Path, types: Mapping[str, AnyType]) -> None:
        self._data = root / "data"
        self._types = types
        self._told = Reperformed()

    def go(self) -> Reperformed:
        """Plain types first; then derived ones, together for each instant at which they were built."""
        joins: dict[tuple[str, str], list[tuple[Wanted, Line]]] = {}
        for wanted in sorted(self._wanted()):
            body = self._content(wanted.evidence)
            kind = self._types.get(body["type"])
            if kind is None or kind.version != body["version"]:
                self._told.not_done[f"needs {wanted.evaluator}: {body['type']} version {body['version']}"] += 1
            elif isinstance(kind, ResourceType):
                self._hold(wanted, kind.name, _derived(kind, body["content"]))
            else:
                for line in self._lines_of.get((wanted.evidence, wanted.resource), ()):
                    joins.setdefault((line["source"], line["collected_at"]), []).append((wanted, line))
        for (source, at), several in sorted(joins.items()):
            self._join(source, instant(at), several)
        return self._told

    def _wanted(self) -> set[Wanted]:
        return {
            Wanted(span["document_digest"], span["evidence_digest"], finding["resource"], span["evaluator"])
            for finding in _lines(self._data / "findings.jsonl")
            for span in finding["spans"]
            if span["document_digest"] is not None
        }

    def _hold(self, wanted: Wanted, kind: str, derived: str) -> None:
        self._told.done += 1
        if derived != wanted.document:
            told = Difference(kind, wanted.resource, wanted.evidence, wanted.document, derived)
            self._told.differences.append(told)

    def _join(self, source: str, at: datetime, several: list[tuple[Wanted, Line]]) -> None:
        """Everything that was built at one instant, from what stood then."""
        kinds = {line["type"]: self._types[line["type"]] for _, line in several}
        lack = self._lack(source, at, kinds.values())
        if lack is not None:
            self._told.not_done[lack] += len(several)
            return
        joiner = self._joiner(source, at, kinds.values())
        built = {
            (kind.name, one.native_id): one.digest
            for kind in kinds.values()
            if isinstance(kind, DerivedType)
            for one in joiner.build(kind)
        }
        for wanted, line in several:
            found = built.get((line["type"], wanted.resource))
            if found is None:
                self._told.not_done["the bundle does not hold what it was derived over"] += 1
            else:
                self._hold(wanted, line["type"], found)

    def _lack(self, source: str, at: datetime, kinds: Iterable[AnyType]) -> str | None:
        """Why what was built at an instant cannot be built again, if it cannot."""
        begins = instant(self._audit["period"]["from"])
        if self._audit.get("partial"):
            return "a part of a bundle does not hold the inputs of derived types"
        if at < begins:
            return "derived before the period, of which the bundle holds no whole population"
        for line in self._standing(source, at, _inputs(kinds)):
            kind = self._types.get(line["type"])
            if kind is None or kind.version != line["type_version"]:
                return f"needs another release: an input of {line['type']} version {line['type_version']}"
        return None

    def _joiner(self, source: str, at: datetime, kinds: Iterable[AnyType]) -> Joiner:
        names = _inputs(kinds)
        described = []
        for line in sorted(self._standing(source, at, names), key=lambda one: (one["type"], one["resource"])):
            kind = self._types[line["type"]]
            document = kind.describe(self._content(line["digest"])["content"])
            told = as_json(document)
            place = stands_in(kind, line["region"])
            seen = Described(
                kind, line["resource"], line["region"], place, document, told, digest(told), line["digest"], at
            )
            described.append(seen)
        looks = [look for look in self._looks(source, at) if look.resource_type in names]
        places = sorted({look.place for look in self._looks(source, at)}, key=lambda one: (one != GLOBAL, one))
        told_of = next(one for one in self._scope["sources"] if one["source"] == source)
        whole = Place(told_of["account"], GLOBAL, told_of.get("partition", "aws"), told_of.get("kind", "aws"))
        return Joiner(described, looks, whole, places, at)

    def _standing(self, source: str, at: datetime, names: frozenset[str]) -> Iterator[Line]:
        for line in self._index:
            if line["source"] == source and line["type"] in names and _stood(line, at):
                yield line

    def _looks(self, source: str, at: datetime) -> list[Coverage]:
        return [
            Coverage(
                one["place"],
                one["resource_type"],
                one["state"],
                at,
                one["listed"],
                one["detail"],
                one["action"],
                within=tuple(one.get("within", ())),
            )
            for one in self._coverage
            if one["source"] == source and instant(one["valid_from"]) <= at < instant(one["valid_to"])
        ]

    def _content(self, digest_: str) -> Any:
        return json.loads((self._data / "evidence" / digest_[:2] / f"{digest_}.json").read_bytes())

    @cached_property
    def _index(self) -> list[Line]:
        return list(_lines(self._data / "evidence" / "index.jsonl"))

    @cached_property
    def _lines_of(self) -> dict[tuple[str, str], list[Line]]:
        found: dict[tuple[str, str], list[Line]] = {}
        for line in self._index:
            found.setdefault((line["digest"], line["resource"]), []).append(line)
        return found

    @cached_property
    def _coverage(self) -> list[Line]:
        return list(_lines(self._data / "coverage.jsonl"))

    @cached_property
    def _audit(self) -> Any:
        return json.loads((self._data / "audit.json").read_bytes())

    @cached_property
    def _scope(self) -> Any:
        return json.loads((self._data / "scope.json").read_bytes())


def _derived(kind: ResourceType, content: Mapping[str, Any]) -> str:
    """The digest of the document, or why this release derives none from an answer of its own version."""
    try:
        return digest(as_json(kind.describe(content)))
    except Exception as error:  # noqa: BLE001  (whatever it is, it is told as a difference and the rest is done)
        return f"nothing: {type(error).__name__}"


def _inputs(kinds: Iterable[AnyType]) -> frozenset[str]:
    names: set[str] = set()
    for kind in kinds:
        if isinstance(kind, DerivedType):
            names |= {each.name for each in kind.inputs}
            names |= {kind.over.name} if isinstance(kind.over, ResourceType) else set()
    return frozenset(names)


def _stood(line: Line, at: datetime) -> bool:
    return any(
        instant(since) <= at and (until is None or at < instant(until))
        for since, until in line.get("stood", ((line["collected_at"], None),))
    )


def _lines(path: Path) -> Iterator[Any]:
    with path.open("rb") as file:
        for line in file:
            yield json.loads(line)
