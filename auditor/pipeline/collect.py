"""Look at one place: declared types go in, evidence per resource and coverage per type come out.

Guards three rules. What could not be seen is written down as unseen, never as absent or empty. A call that several types or
resources ask for is made once. And what is listed as before is not read again before its turn, while nothing is held that
was not listed. Nothing is decided here: no verdict; what the run before knew comes in as digests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from datetime import datetime
from functools import partial
from queue import SimpleQueue
from types import MappingProxyType
from typing import Any

from auditor.domain.coverage import Coverage, Rota
from auditor.domain.evidence import Collection, Evidence, Exclusion, Held, Known, Provenance, Written
from auditor.domain.ports import Caller, Clock
from auditor.domain.redaction import Fingerprint
from auditor.domain.resource_type import WRITER, Read, ResourceType
from auditor.domain.scope import Scope
from auditor.domain.source import GLOBAL, Place
from auditor.domain.tags import SPELLINGS, TagList, tags_in
from auditor.domain.volatile import beside
from auditor.pipeline.ask import Questions
from auditor.pipeline.look import Listed, Look, Sifted
from auditor.proof.canonical import instant

NOTHING_KNOWN: Mapping[tuple[str, str], Known] = MappingProxyType({})
NOBODY_NAMED: Mapping[str, Sequence[str]] = MappingProxyType({})
EVERYTHING = Scope()
TAGS = Read("resourcegroupstaggingapi:get_resources", items="ResourceTagMappingList")


def every_run(_resource_type: str) -> Rota:
    """The rota that leaves nothing for later."""
    return Rota()


def collect(
    place: Place,
    resource_types: Iterable[ResourceType],
    caller: Caller,
    *,
    pool: Executor,
    clock: Clock,
    known: Mapping[tuple[str, str], Known] = NOTHING_KNOWN,
    rota: Callable[[str], Rota] = every_run,
    scope: Scope = EVERYTHING,
    fingerprint: Fingerprint | None = None,
    only: Mapping[str, Sequence[str]] = NOBODY_NAMED,
) -> Collection:
    """Everything that one place shows of these types; plain types of other places are left alone.

    Never raises for what the vendor refuses, nor for what nobody expected of an answer: that is coverage, or an unseen
    reading in the evidence. Threads of the pool wait only for calls that are already under way, so a pool of any size
    finishes.

    Args:
        place: A region of the account, or ``global``.
        resource_types: What to look at.
        caller: The account.
        pool: Where calls run.
        clock: Stamps evidence, coverage and the whole.
        known: What the run before kept, by type and id. A resource that is listed with the same digest and whose turn it
            is not is held: none of its own calls is made.
        rota: Whose turn it is, by type.
        scope: Which resources are left out by tag, id or namespace: they are collected all the same and told as excluded.
            Places are never left out this way.
        fingerprint: What stands for values that are seen and not kept, so that a change of them shows; without a tenant none.
        only: Resources to ask for by their ids, by type. Of such a type nothing else is told, and no coverage: that nothing
            else is there was nobody's question. Where asking by id fails, the whole type is listed, which says why.

    Raises:
        AuditorError: The door says that looking must end.
    """
    started_at = clock()
    asked = Questions(caller, clock)
    tasks = _Tasks(pool)

    def course(kind: ResourceType, ids: Sequence[str] = ()) -> _Course:
        look = Look(
            kind,
            place,
            caller,
            asked,
            clock,
            known=_comparable(kind, place, known, scope),
            rota=rota(kind.name),
            fingerprint=fingerprint,
            namespaces=scope.named_namespaces,
            only=ids,
        )
        return _Course(look, tasks)

    courses = [
        course(kind, only.get(kind.name, ()))
        for kind in resource_types
        if (kind.place == "account") == (place.region == GLOBAL)
    ]
    tagged = _Tagged(asked, caller.home if place.region == GLOBAL else place.region)
    if scope.asks_tags and courses:
        tasks.put(lambda _: None, tagged.ask)
    for each in courses:
        each.begin()
    tasks.run()
    for index, one in enumerate(courses):
        if one.look.only and one.look.failed:
            courses[index] = course(one.look.kind)
            courses[index].begin()
    tasks.run()
    evidence: list[Evidence] = []
    held: list[Held] = []
    coverage: list[Coverage] = []
    excluded: list[Exclusion] = []
    written: list[Written] = []
    for each in courses:  # in the order of declaration, whatever order the answers came in
        evidence.extend(each.evidence)
        held.extend(each.sifted.held)
        if not each.look.only:
            coverage.append(each.look.coverage(len(each.sifted.listed)))
        written.extend(_written(each, started_at))
        if scope.narrows and each.look.kind.listing is not None:
            excluded.extend(_excluded(each, tagged, scope))
    return Collection(
        place=place.region,
        evidence=tuple(evidence),
        coverage=tuple(coverage),
        provenance=Provenance(caller.identity, caller.endpoint, started_at, clock(), scope.version),
        calls=dict(asked.calls),
        held=tuple(held),
        excluded=tuple(excluded),
        written=tuple(written),
    )


def _comparable(
    kind: ResourceType, place: Place, known: Mapping[tuple[str, str], Known], scope: Scope
) -> Mapping[tuple[str, str], Known]:
    """What a listing is compared with; where more must be asked, nothing, so that nothing is held.

    So it is where tags decide and only a detail shows them, and where the volatile facts beside the evidence are not there.
    """
    untagged = scope.asks_tags and any(name in SPELLINGS for name in kind.details)
    bare = kind.volatile and (beside(kind.name), place.native_id) not in known
    return NOTHING_KNOWN if untagged or bare else known


class _Tasks:
    """Hands tasks to the pool, and their results to the one thread that waits, which may hand out more of them."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._open: dict[Future[Any], Callable[[Any], None]] = {}
        self._done: SimpleQueue[Future[Any]] = SimpleQueue()

    def put(self, then: Callable[[Any], None], function: Callable[..., Any], *args: Any) -> None:
        """Let the pool run the function, and ``then`` hear of its result."""
        future = self._pool.submit(function, *args)
        self._open[future] = then
        future.add_done_callback(self._done.put)

    def run(self) -> None:
        """Until nothing is left; on an error what has not begun is not begun any more."""
        try:
            while self._open:
                future = self._done.get()
                self._open.pop(future)(future.result())
        finally:
            for future in self._open:
                future.cancel()


class _Course:
    """One type's way: its listings, level by level; then what is the same for all; then resource by resource."""

    def __init__(self, look: Look, tasks: _Tasks) -> None:
        self.look = look
        self.sifted = Sifted((), (), (), ())
        self._tasks = tasks
        self._levels = 1 if look.kind.listing is None else len(look.kind.listing.chain)
        self._found: list[Sequence[Mapping[str, Any]]] = []
        self._left = 0
        self._read: dict[str, Evidence] = {}

    @property
    def evidence(self) -> Iterable[Evidence]:
        """What was read, in the order of the listing."""
        return self.sifted.seen or (self._read[one.native_id] for one in self.sifted.due)

    def begin(self) -> None:
        """Ask for the outermost listing."""
        self._list(0, self.look.outermost)

    def _list(self, level: int, outer: Sequence[Mapping[str, Any]]) -> None:
        self._found = [()] * len(outer)
        self._left = len(outer)
        for index, item in enumerate(outer):
            self._tasks.put(partial(self._listed, level, index), self.look.list, level, index, item)

    def _listed(self, level: int, index: int, items: Sequence[Mapping[str, Any]]) -> None:
        self._found[index] = items
        self._left -= 1
        if self._left:
            return
        found = [item for part in self._found for item in part]
        if found and level + 1 < self._levels:
            self._list(level + 1, found)
        elif found:
            self._tasks.put(self._sifted, self.look.sift, found)

    def _sifted(self, sifted: Sifted) -> None:
        self.sifted = sifted
        regions = sorted({one.region for one in sifted.due})
        questions = [(read, region) for region in regions for read in self.look.shared]
        if len(sifted.due) < 2 or not questions:
            self._details()
            return
        self._left = len(questions)
        for read, region in questions:
            self._tasks.put(self._asked, self.look.ask, read, region)

    def _asked(self, _: None) -> None:
        self._left -= 1
        if not self._left:
            self._details()

    def _details(self) -> None:
        for one in self.sifted.due:
            self._tasks.put(self._seen, self.look.read, one)

    def _seen(self, evidence: Evidence) -> None:
        self._read[evidence.native_id] = evidence


class _Tagged:
    """The tags of a region as the tagging service tells them; nothing, if it does not tell all of them."""

    def __init__(self, asked: Questions, region: str) -> None:
        self._asked = asked
        self._region = region
        self._list = TagList(())

    def ask(self) -> None:
        """Ask for all tags of the region; refused, or told in a form that nobody knows, they stay unseen."""
        answer = self._asked.answer(TAGS, TAGS.params, self._region)
        if answer.failure is None:
            try:
                self._list = TagList(answer.pages)
            except (KeyError, TypeError, AttributeError):
                return

    def of(self, kind: ResourceType, shown: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, str] | None]:
        """The tags of all resources of a type: as their evidence shows them, else as the service tells them."""
        listed = kind.listing.keep if kind.listing is not None else ()
        names = {path.split(".", 1)[0].removesuffix("[]") for path in listed}
        told = self._list.of(shown)
        own = {native_id: tags_in(content, names) for native_id, content in shown.items()}
        return {native_id: told[native_id] if tags is None else tags for native_id, tags in own.items()}


def _written(course: _Course, seen_at: datetime) -> Iterable[Written]:
    """Who last wrote to each resource of a type that tells, read and held alike; a time in no known form tells nothing."""
    for one in course.sifted.listed:
        wrote = one.fields.get(WRITER)
        if wrote is None:
            continue
        try:
            at = instant(wrote["at"])
        except ValueError:
            continue
        yield Written(course.look.kind.name, one.native_id, wrote["manager"], wrote["operation"], at, seen_at)


def _excluded(course: _Course, tagged: _Tagged, scope: Scope) -> Iterable[Exclusion]:
    """The resources of a type that the scope leaves out, read and held alike."""
    listed: Sequence[Listed] = course.sifted.listed
    shown = {one.native_id: one.content for one in listed} | {seen.native_id: seen.content for seen in course.evidence}
    tags = tagged.of(course.look.kind, shown) if scope.asks_tags else {}
    for one in listed:
        reason = scope.excludes(one.native_id, tags.get(one.native_id))
        if reason is not None:
            yield Exclusion(course.look.kind.name, one.native_id, one.region, reason)
