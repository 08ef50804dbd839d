"""Look at one type in one place: its listing, then each resource's own calls, and how far that reached.

Guards that what could not be seen is unseen and no more than that: a listing that breaks costs its type the completeness, a
detail that breaks costs one resource one reading. A resource that is gone by the time its details are asked for is treated
so too: it stays, with its details unseen, since the vendor's "not found" may as well speak of the thing asked for; the next
complete listing tells.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, MutableSequence, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from auditor.domain.calls import Call
from auditor.domain.coverage import Coverage, CoverageState, Rota
from auditor.domain.errors import AuditorError
from auditor.domain.evidence import Evidence, Held, Known
from auditor.domain.ports import Caller, CallFailed, Clock
from auditor.domain.projection import UnseenFieldError, fill, hidden, plain, project, tree
from auditor.domain.reading import UNSEEN_KEY, Readings
from auditor.domain.redaction import Fingerprint
from auditor.domain.resource_type import COMMON, WITHIN, Read, ResourceType, templates
from auditor.domain.source import GLOBAL, Place
from auditor.domain.volatile import split
from auditor.pipeline.ask import Answer, Broken, Questions, broken

RESTS_ON = "$calls"
"""Under which an item of an inner listing carries the calls of its chain; no field of an API has this name."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A resource as its listing shows it; ``fields`` is the whole item, ``content`` what of it is kept."""

    native_id: str
    region: str
    fields: Mapping[str, Any]
    content: Mapping[str, Any]
    digest: str
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Sifted:
    """What a listing showed: ``held`` stand as they were, ``due`` have details to be read, ``seen`` have none."""

    listed: tuple[Listed, ...]
    held: tuple[Held, ...]
    due: tuple[Listed, ...]
    seen: tuple[Evidence, ...]


class Look:
    """One type in one place, or the resources ``only`` of it. Its methods run in threads of the pool and wait for nothing but
    answers under way.
    """

    def __init__(
        self,
        kind: ResourceType,
        place: Place,
        caller: Caller,
        asked: Questions,
        clock: Clock,
        *,
        known: Mapping[tuple[str, str], Known],
        rota: Rota,
        fingerprint: Fingerprint | None,
        namespaces: tuple[str, ...] = (),
        only: Sequence[str] = (),
    ) -> None:
        self.kind = kind
        self.only = only
        self.rota = rota if kind.details else Rota()
        self._place = place
        self._asked = asked
        self._clock = clock
        self._before = known
        self._fingerprint = fingerprint
        self._region = caller.home if place.region == GLOBAL else place.region
        self._common = {
            "account": caller.account,
            "partition": caller.partition,
            "region": self._region,
            "namespaces": namespaces,
        }
        self._within: set[str] = set()
        self._failures: list[tuple[tuple[int, int], CallFailed, CoverageState]] = []
        self._denied: Counter[str] = Counter()
        self._lock = Lock()
        kept = () if kind.listing is None else kind.listing.keep
        self._kept = tree(kept)
        self._operations = () if kind.listing is None else tuple(read.operation for read in kind.listing.chain)
        self._outermost: tuple[Call, ...] = ()
        self._names = kind.names
        self.shared = tuple(read for read in kind.details.values() if read.shared)

    @property
    def outermost(self) -> Sequence[Mapping[str, Any]]:
        """What the outermost listing is asked about: once for all, or once for each resource that is named."""
        if self.only and self.kind.listing is not None:
            return tuple({str(self.kind.listing.one): id_} for id_ in self.only)
        return ({},)

    @property
    def failed(self) -> bool:
        """Whether a listing was refused or broke."""
        return bool(self._failures)

    def list(self, level: int, index: int, outer: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """The items of one listing of the chain inside an item of the one before; without a listing, the place itself."""
        if self.kind.listing is None:
            return ({},)
        read = self.kind.listing.chain[level]
        found: list[Mapping[str, Any]] = []
        try:
            params = {**fill(read.params, {**outer, **self._common}), **(outer if self.only else {})}
            answer = self._asked.answer(read, params, self._region)
            self._note(read, answer.failure, (level, index))
            with self._lock:
                self._within.update(page[WITHIN] for page in answer.pages if WITHIN in page)
            if level:
                calls = (*self._calls(outer), *answer.calls)
                found.extend({**outer, **item, RESTS_ON: calls} for item in answer.items(read))
            else:
                self._outermost = answer.calls
                found.extend(answer.items(read))
        except AuditorError:
            raise
        except Exception as error:  # noqa: BLE001  (an answer of any form may come; the type is not complete, the unit goes on)
            self._note(read, broken(error, read.operation), (level, index))
        return found

    def sift(self, found: Sequence[Mapping[str, Any]]) -> Sifted:
        """What is listed, each id once, parted by what remains to be done."""
        listed: dict[str, Listed] = {}
        for item in found:
            try:
                one = self._listed(item)
            except AuditorError:
                raise
            except Exception as error:  # noqa: BLE001  (one item cannot be told; the others can)
                self._note(self.kind.reads[0], broken(error, self._operation), (len(self._operations), 0))
            else:
                listed[one.native_id] = one
        held: list[Held] = []
        due: list[Listed] = []
        for one in listed.values():
            before = self._before.get((self.kind.name, one.native_id))
            if before is None or before.listed_digest != one.digest or self._turn(one):
                due.append(one)
            else:
                _, row = split(one.content, self.kind.volatile)
                held.append(Held(self.kind.name, one.native_id, one.region, before.digest, row, one.calls))
        if self.kind.details:
            return Sifted(tuple(listed.values()), tuple(held), tuple(due), ())
        return Sifted(tuple(listed.values()), tuple(held), (), tuple(self._evidence(one, one.content) for one in due))

    def ask(self, read: Read, region: str) -> None:
        """Put a question that is the same for all resources, so that none of them has to wait for another's turn."""
        self._asked.answer(read, fill(read.params, {**self._common, "region": region}), region)

    def read(self, one: Listed) -> Evidence:
        """One resource's evidence: its kept listed fields and what its own calls answered."""
        content = dict(one.content)
        known = {**one.fields, **self._common}
        if self.kind.listing is not None:
            known["region"] = one.region
        region = self._region if self.kind.listing is None else one.region
        operations = [*self._operations]
        calls = [*one.calls]
        for name, read in self.kind.details.items():
            try:
                if read.when is not None and not read.when(Readings(content, self._names)):
                    continue
                content[name] = self._read(read, known, region, calls)
            except AuditorError:
                raise
            except Exception as error:  # noqa: BLE001  (one reading of one resource cannot be told; the others can)
                content[name] = {UNSEEN_KEY: broken(error, read.operation).reason}
            known.setdefault(name, content[name])
            operations.append(read.operation)
        return self._evidence(one, content, tuple(operations), tuple(calls))

    def coverage(self, listed: int) -> Coverage:
        """How far this look reached; of several failures the first in the order of the listings is told."""
        failure: CallFailed | None = None
        state: CoverageState = "ok"
        if self._failures:
            _, failure, state = min(self._failures, key=lambda noted: noted[0])
        return Coverage(
            place=self._place.region,
            resource_type=self.kind.name,
            state=state,
            at=self._clock(),
            listed=listed,
            detail="" if failure is None else failure.reason,
            action="" if failure is None or isinstance(failure, Broken) else failure.action,
            denied_details=tuple(sorted(self._denied.items())),
            rota=self.rota.every,
            within=tuple(sorted(self._within)),
        )

    @property
    def _operation(self) -> str:
        return self.kind.reads[0].operation if not self._operations else self._operations[-1]

    def _turn(self, one: Listed) -> bool:
        """Whether there are details whose turn it is; without any, the listing has already shown all there is."""
        return bool(self.kind.details) and self.rota.has(one.native_id)

    def _listed(self, item: Mapping[str, Any]) -> Listed:
        listing = self.kind.listing
        if listing is None:
            return Listed(self._place.native_id, self._place.region, {}, {}, self._digest(self._place.region, {}))
        content = project(item, self._kept, self._fingerprint)
        region = str(item.get(listing.region) or self._region) if listing.region else self._region
        own = templates(listing.id) - COMMON or {listing.id}
        if not all(isinstance(item[name], str) and item[name] for name in own):
            raise TypeError(f"{listing.id} names nothing")
        named = "{" in listing.id
        native_id = fill(listing.id, {**item, **self._common, "region": region}) if named else item[listing.id]
        stable, _ = split(content, self.kind.volatile)
        return Listed(native_id, region, item, content, self._digest(region, stable), self._calls(item))

    def _calls(self, item: Mapping[str, Any]) -> tuple[Call, ...]:
        """The calls of the listings that showed an item."""
        return item.get(RESTS_ON, self._outermost)  # type: ignore[no-any-return]  # put there above

    def _digest(self, region: str, content: Mapping[str, Any]) -> str:
        """The listed part as a digest: a new version of the type keeps other fields, so it is another one too."""
        text = json.dumps([self.kind.version, region, content], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def _evidence(
        self,
        one: Listed,
        content: Mapping[str, Any],
        operations: tuple[str, ...] = (),
        calls: tuple[Call, ...] = (),
    ) -> Evidence:
        """What was seen; with a gap in it nothing is promised for the next run, which reads the resource anew."""
        gap = any(hidden(content[name]) is not None for name in self.kind.details if name in content)
        stable, row = split(content, self.kind.volatile)
        return Evidence(
            self.kind.name,
            self.kind.version,
            one.native_id,
            one.region,
            stable,
            self._clock(),
            operations or self._operations,
            listed_digest="" if gap else one.digest,
            calls=tuple(dict.fromkeys(calls or one.calls)),
            volatile=row if self.kind.volatile else None,
        )

    def _note(self, listing: Read, failure: CallFailed | None, order: tuple[int, int]) -> None:
        if failure is None or failure.code in listing.absent:
            return
        unsupported = failure.code in listing.unsupported or failure.kind == "unsupported"
        with self._lock:
            self._failures.append((order, failure, "unsupported" if unsupported else failure.kind))

    def _read(self, read: Read, known: Mapping[str, Any], region: str, calls: MutableSequence[Call]) -> Any:
        try:
            params = fill(read.params, known)
            match = fill(read.match, known)
        except KeyError:
            return None  # the resource has no such field, so there is nothing to ask about: absent, and seen to be
        except UnseenFieldError as unseen:
            return {UNSEEN_KEY: unseen.reason}
        answer = self._answer(read, params, region)
        calls.extend(answer.calls)
        failure = answer.failure
        if failure is not None and failure.code in read.absent:
            return None
        gap = None if failure is None else {UNSEEN_KEY: failure.reason}
        if failure is not None and failure.kind == "denied":
            with self._lock:
                self._denied[failure.action] += 1
        if read.items is None:
            return gap or self._kept_of(read, answer, answer.pages[0])
        members = answer.matching(read, match) if match else list(answer.items(read))
        if gap and not members:
            return gap
        kept = self._kept_of(read, answer, members, shared=not match)
        return [*kept, gap] if gap and isinstance(kept, list) else gap or kept

    def _answer(self, read: Read, params: Mapping[str, Any], region: str) -> Answer:
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
        calls = tuple(call for part in told for call in part.calls)
        return Answer(tuple(page for part in told for page in part.pages), failure, calls)

    def _kept_of(self, read: Read, answer: Answer, told: Any, *, shared: bool = True) -> Any:
        """What of an answer is kept; made once where all resources share the answer."""

        def make() -> Any:
            if read.project is not None:
                return plain(read.project(told), self._fingerprint)
            return project(told, tree(read.keep), self._fingerprint)

        return answer.once((read, "kept"), make) if shared and read in self.shared else make()
