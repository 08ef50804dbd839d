"""Before the first run: which actions are allowed where, found out by asking each of them once.

Nothing is simulated and nothing is kept of the answers: an action counts as allowed when it was answered. A detail is asked
about the first resource that its listing shows; where there is none, it was not tried, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from threading import Lock
from typing import Any

from auditor.domain.ports import Caller, CallFailed
from auditor.domain.preflight import Answer, Tried
from auditor.domain.projection import fill, walk
from auditor.domain.resource_type import Read, ResourceType
from auditor.domain.source import GLOBAL

OPT_IN = frozenset({"OptInRequired", "SubscriptionRequiredException", "NotSignedUp"})
_WEIGHT: Mapping[Answer, int] = {"not_tried": 0, "allowed": 2, "opt_in_needed": 3, "denied": 3}
"""Which answer stands for an action that several questions need; whatever broke weighs one."""
NOTHING_THERE = "nothing there to ask about"


def preflight(
    kinds: Iterable[ResourceType],
    caller: Caller,
    places: Sequence[str],
    *,
    off: frozenset[str] = frozenset(),
    action: Callable[[str], str],
    pool: Executor,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> tuple[Tried, ...]:
    """Each action of these types in each place, sorted by action and region; never raises for what the vendor refuses.

    Args:
        kinds: What a run would collect.
        caller: The account.
        places: ``global`` and regions.
        off: Regions that are switched off in this account: nothing is asked there.
        action: The permission that an operation needs.
        pool: Where calls run.
        progress: Hears how many of the looks at a type in a place are done.
    """
    probe = _Probe(caller, action)
    wanted = [(kind, place) for place in places for kind in kinds if (kind.place == "account") == (place == GLOBAL)]
    asked = [pool.submit(probe.skip if place in off else probe.ask, kind, place) for kind, place in wanted]
    for done, finished in enumerate(as_completed(asked), start=1):
        finished.result()
        progress(done, len(asked))
    return probe.tried()


class _Probe:
    """Asks each (operation, region) once. Of one action's answers a denial wins, then a yes, whichever came first."""

    def __init__(self, caller: Caller, action: Callable[[str], str]) -> None:
        self._caller = caller
        self._action = action
        self._found: dict[tuple[str, str], Tried] = {}
        self._lock = Lock()

    def tried(self) -> tuple[Tried, ...]:
        return tuple(sorted(self._found.values(), key=lambda one: (one.action, one.region)))

    def skip(self, kind: ResourceType, place: str) -> None:
        """A region that is switched off answers nothing."""
        for read in kind.reads:
            for operation in read.operations:
                self._note(operation, place, "region_off")

    def ask(self, kind: ResourceType, place: str) -> None:
        """The listings from the outside in, then each detail of the first resource."""
        region = self._caller.home if place == GLOBAL else place
        base = {"account": self._caller.account, "partition": self._caller.partition, "region": region}
        known: Mapping[str, Any] | None = base
        listing = kind.listing
        for read in () if listing is None else listing.chain:
            item = None if known is None else self._first(read, known, region)
            known = None if item is None or known is None else {**known, **item}
            if known is None:
                self._not_tried(read, region)
        if known is not None and listing is not None and listing.region:
            region = str(known.get(listing.region) or region)
        for read in kind.details.values():
            if known is not None:
                self._first(read, {**known, "region": region}, region)
            self._not_tried(read, region)

    def _first(self, read: Read, known: Mapping[str, Any], region: str) -> Mapping[str, Any] | None:
        """The first item of an answer, none where there is none or it was refused."""
        try:
            params = fill(read.params, known)
        except KeyError:
            return None
        if read.prepare is not None:
            self._call(read, read.prepare, {}, region)
        page = self._call(read, read.operation, params, region)
        if page is None or read.items is None:
            return None
        items = read.items(page) if callable(read.items) else walk(page, read.items)
        return next(iter(items), None)

    def _call(self, read: Read, operation: str, params: Mapping[str, Any], region: str) -> Mapping[str, Any] | None:
        try:
            page = next(iter(self._caller.pages(operation, params, region=region)), {})
        except CallFailed as failure:
            self._note(operation, region, _answer(read, failure), by=failure.by, detail=failure.code)
            return None
        except Exception as error:  # noqa: BLE001  (one declaration that cannot be asked must not hide the others)
            self._note(operation, region, "error", detail=type(error).__name__)
            return None
        self._note(operation, region, "allowed")
        return page

    def _not_tried(self, read: Read, region: str) -> None:
        for operation in read.operations:
            self._note(operation, region, "not_tried", detail=NOTHING_THERE)

    def _note(self, operation: str, region: str, answer: Answer, *, by: str = "", detail: str = "") -> None:
        action = self._action(operation)
        with self._lock:
            before = self._found.get((action, region))
            if before is None or _WEIGHT.get(before.answer, 1) < _WEIGHT.get(answer, 1):
                self._found[action, region] = Tried(action, region, answer, by, detail)


def _answer(read: Read, failure: CallFailed) -> Answer:
    if failure.code in read.absent:
        return "allowed"  # whoever is told that there is nothing may ask
    if failure.code in read.unsupported or failure.kind == "unsupported":
        return "unsupported"
    if failure.code in OPT_IN:
        return "opt_in_needed"
    return failure.kind
