"""Look at one place: declared types go in, evidence per resource and coverage per type come out.

Guards two rules. What could not be seen is written down as unseen, never as absent or empty. And a call that several
types or resources ask for is made once. Nothing is decided here: no verdict, no memory of the run before.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass
from threading import Lock
from typing import Any

from auditor.domain.coverage import Coverage, CoverageState
from auditor.domain.evidence import Collection, Evidence, Provenance
from auditor.domain.ports import Caller, CallFailed, Clock
from auditor.domain.projection import fill, project, tree, walk
from auditor.domain.reading import UNSEEN_KEY, Readings
from auditor.domain.resource_type import Read, ResourceType
from auditor.domain.source import GLOBAL, Place


def collect(
    place: Place, resource_types: Iterable[ResourceType], caller: Caller, *, pool: Executor, clock: Clock
) -> Collection:
    """Everything that one place shows of these types; plain types of other places are left alone.

    Never raises for what the vendor refuses: that is coverage, or an unseen reading in the evidence. Threads of the
    pool wait only for calls that are already under way, so a pool of any size finishes.
    """
    started_at = clock()
    asked = _Asked(caller)
    wanted = [kind for kind in resource_types if (kind.place == "account") == (place.region == GLOBAL)]
    looks = [_Look(kind, place, caller, asked, clock) for kind in wanted]
    listings = {pool.submit(look.list): look for look in looks}
    described = {
        look.kind.name: [pool.submit(look.describe, item) for item in listing.result()]
        for listing, look in ((done, listings[done]) for done in as_completed(listings))
    }
    evidence: list[Evidence] = []
    coverage: list[Coverage] = []
    for look in looks:  # in the order of declaration, whatever order the answers came in
        found = {seen.native_id: seen for seen in (future.result() for future in described[look.kind.name])}
        evidence.extend(found.values())
        coverage.append(look.coverage(len(found)))
    return Collection(
        place=place.region,
        evidence=tuple(evidence),
        coverage=tuple(coverage),
        provenance=Provenance(caller.identity, caller.endpoint, started_at, clock()),
        calls=dict(asked.calls),
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    pages: tuple[Mapping[str, Any], ...]
    failure: CallFailed | None


class _Asked:
    """Each question is asked once: later askers wait for the first one's answer."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._answers: dict[str, Future[_Answer]] = {}
        self._lock = Lock()
        self.calls: Counter[str] = Counter()

    def answer(self, read: Read, params: Mapping[str, Any], region: str) -> _Answer:
        key = json.dumps((read.operation, region, params), sort_keys=True, default=str)
        with self._lock:
            known = self._answers.get(key)
            mine: Future[_Answer] | None = None
            if known is None:
                mine = self._answers[key] = Future()
        if mine is None:
            assert known is not None  # noqa: S101  (set under the lock whenever mine is not)
            return known.result()
        try:
            mine.set_result(self._ask(read, params, region))
        except BaseException as error:
            mine.set_exception(error)
            raise
        return mine.result()

    def _ask(self, read: Read, params: Mapping[str, Any], region: str) -> _Answer:
        pages: list[Mapping[str, Any]] = []
        failure: CallFailed | None = None
        try:
            if read.prepare is not None:
                self._caller.prepare(read.prepare, region=region)
            pages.extend(self._caller.pages(read.operation, params, region=region))
        except CallFailed as refused:
            failure = refused
        with self._lock:
            self.calls[read.operation] += len(pages) + (failure is not None)
        return _Answer(tuple(pages), failure)


class _Look:
    """One type in one place: the listing, then each resource's own calls."""

    def __init__(self, kind: ResourceType, place: Place, caller: Caller, asked: _Asked, clock: Clock) -> None:
        self.kind = kind
        self._place = place
        self._asked = asked
        self._clock = clock
        self._region = caller.home if place.region == GLOBAL else place.region
        self._known = {"account": caller.account, "partition": caller.partition, "region": self._region}
        self._failure: CallFailed | None = None
        self._state: CoverageState = "ok"
        self._denied: Counter[str] = Counter()
        self._lock = Lock()

    def list(self) -> Sequence[Mapping[str, Any]]:
        """The resources as listed; a place without a listing is its own single resource."""
        listing = self.kind.listing
        if listing is None:
            return ({},)
        found: list[Mapping[str, Any]] = [{}]
        for read in listing.chain:
            found = [{**outer, **item} for outer in found for item in self._listed(read, outer)]
        return found

    def _listed(self, read: Read, outer: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
        """The items that a listing gives inside an item of the listing before it."""
        answer = self._asked.answer(read, fill(read.params, {**outer, **self._known}), self._region)
        self._note(read, answer.failure)
        return _items(read, answer)

    def describe(self, item: Mapping[str, Any]) -> Evidence:
        """One resource's evidence: its kept listed fields and what its own calls answered."""
        listing = self.kind.listing
        content: dict[str, Any] = {} if listing is None else project(item, tree(listing.keep))
        native_id, region = self._place.native_id, self._region
        known = {**item, **self._known}
        if listing is not None:
            region = str(item.get(listing.region) or region) if listing.region else region
            known = {**known, "region": region}
            native_id = str(fill(listing.id, known) if "{" in listing.id else item[listing.id])
        operations = [] if listing is None else [read.operation for read in listing.chain]
        for name, read in self.kind.details.items():
            if read.when is not None and not read.when(Readings(content, self.kind.names)):
                continue
            content[name] = self._read(read, {**content, **known}, region)
            operations.append(read.operation)
        shown = region if listing is not None else self._place.region
        return Evidence(self.kind.name, self.kind.version, native_id, shown, content, self._clock(), tuple(operations))

    def coverage(self, listed: int) -> Coverage:
        """How far this look reached."""
        failure = self._failure
        return Coverage(
            place=self._place.region,
            resource_type=self.kind.name,
            state=self._state,
            at=self._clock(),
            listed=listed,
            detail="" if failure is None else failure.reason,
            action="" if failure is None else failure.action,
            denied_details=tuple(sorted(self._denied.items())),
        )

    def _note(self, listing: Read, failure: CallFailed | None) -> None:
        if failure is None or failure.code in listing.absent or self._failure is not None:
            return  # of a chain of listings the first failure is told
        self._failure = failure
        unsupported = failure.code in listing.unsupported or failure.kind == "unsupported"
        self._state = "unsupported" if unsupported else failure.kind

    def _read(self, read: Read, known: Mapping[str, Any], region: str) -> Any:
        try:
            params = fill(read.params, known)
            match = fill(read.match, known)
        except KeyError:
            return None  # the resource has no such field, so there is nothing to ask about: absent, and seen to be
        answer = self._answer(read, params, region)
        failure = answer.failure
        if failure is not None and failure.code in read.absent:
            return None
        hidden = None if failure is None else {UNSEEN_KEY: failure.reason}
        if failure is not None and failure.kind == "denied":
            with self._lock:
                self._denied[failure.action] += 1
        if read.items is None:
            return hidden if hidden or not answer.pages else self._kept(read, answer.pages[0])
        members = [
            item for item in _items(read, answer) if all(item.get(name) == value for name, value in match.items())
        ]
        if hidden and not members:
            return hidden
        kept = self._kept(read, members)
        return [*kept, hidden] if hidden and isinstance(kept, list) else hidden or kept

    def _answer(self, read: Read, params: Mapping[str, Any], region: str) -> _Answer:
        """The answer to a read; a list longer than one call takes is asked for in parts."""
        if read.batch is None:
            return self._asked.answer(read, params, region)
        name, most = read.batch
        whole = params[name]
        told = [
            self._asked.answer(read, {**params, name: whole[start : start + most]}, region)
            for start in range(0, len(whole), most)
        ]
        failure = next((part.failure for part in told if part.failure is not None), None)
        return _Answer(tuple(page for part in told for page in part.pages), failure)

    @staticmethod
    def _kept(read: Read, answer: Any) -> Any:
        return read.project(answer) if read.project is not None else project(answer, tree(read.keep))


def _items(read: Read, answer: _Answer) -> Iterable[Mapping[str, Any]]:
    items = read.items
    for page in answer.pages:
        if callable(items):
            yield from items(page)
        elif items is not None:
            yield from walk(page, items)
