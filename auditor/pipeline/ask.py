"""Put questions to the vendor, each of them once: whoever asks the same later gets, or waits for, the first one's answer.

An answer is the pages that came and, where they broke off, the failure. Guards that nothing but an order to stop gets past:
what the vendor's library or our own door did not expect is a failure of this one call, not of the unit.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import Future
from threading import Lock
from traceback import extract_tb
from typing import Any

from auditor.domain.calls import Call, Heard
from auditor.domain.errors import AuditorError
from auditor.domain.ports import Caller, CallFailed, Clock, StartOver
from auditor.domain.projection import plain, walk
from auditor.domain.resource_type import Read

_LOG = logging.getLogger(__name__)


class Broken(CallFailed):
    """A call, or the reading of its answer, that ended in an error nobody expected. No permission would mend it."""

    def __init__(self, code: str, operation: str) -> None:
        super().__init__(code, "error", action=operation)


def broken(error: Exception, operation: str) -> Broken:
    """The failure that stands for an unexpected error: its class and the operation, never its words, which hold values.

    It is logged with the place in the code: a bug of ours must not hide behind coverage.
    """
    where = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in extract_tb(error.__traceback__)[-3:]]
    _LOG.warning("look.broken", extra={"operation": operation, "error": type(error).__name__, "where": where})
    return Broken(type(error).__name__, operation)


class Answer:
    """The pages of one call and, where they broke off, why; with what was made of them kept for the next who asks.

    A question too long for one call has an answer out of several ``calls``.
    """

    __slots__ = ("_made", "calls", "failure", "pages")

    def __init__(
        self, pages: tuple[Mapping[str, Any], ...], failure: CallFailed | None, calls: tuple[Call, ...] = ()
    ) -> None:
        self.pages = pages
        self.failure = failure
        self.calls = calls
        self._made: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What the function makes; two threads at once may both make it, and make the same."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def items(self, read: Read) -> Iterable[Mapping[str, Any]]:
        """The members of the list that the read is about, over all pages."""
        items = read.items
        for page in self.pages:
            if callable(items):
                yield from items(page)
            elif items is not None:
                yield from walk(page, items)

    def matching(self, read: Read, match: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The items with these values; many resources look into one list, so it is sorted by them once."""
        names = tuple(match)
        sorted_out: dict[Hashable, list[Mapping[str, Any]]] = self.once(read, lambda: self._by(read, names))
        return sorted_out.get(frozen(tuple(match.values())), [])

    def _by(self, read: Read, names: tuple[str, ...]) -> dict[Hashable, list[Mapping[str, Any]]]:
        found: dict[Hashable, list[Mapping[str, Any]]] = {}
        for item in self.items(read):
            found.setdefault(frozen(tuple(item.get(name) for name in names)), []).append(item)
        return found


class Questions:
    """What one unit asks of its place. Safe to share by threads; counts the calls that answers took, by operation."""

    def __init__(self, caller: Caller, clock: Clock) -> None:
        self._caller = caller
        self._clock = clock
        self._answers: dict[Hashable, Future[Answer]] = {}
        self._lock = Lock()
        self.calls: Counter[str] = Counter()

    def answer(self, read: Read, params: Mapping[str, Any], region: str) -> Answer:
        """The answer to this question, whoever asked it first.

        Raises:
            AuditorError: An order to stop looking, as the door gives it.
        """
        key = (read.operation, region, frozen(params), read.page)
        with self._lock:
            known = self._answers.get(key)
            if known is None:
                mine: Future[Answer] = Future()
                self._answers[key] = mine
        if known is not None:
            return known.result()
        try:
            answer = self._ask(read, params, region)
        except BaseException as error:
            mine.set_exception(error)
            raise
        mine.set_result(answer)
        return answer

    def _ask(self, read: Read, params: Mapping[str, Any], region: str) -> Answer:
        pages: list[Mapping[str, Any]] = []
        heard: list[Heard] = []
        failure: CallFailed | None = None
        asked = 0
        started_at, told = self._clock(), {}
        try:
            told = plain(params)
            if read.prepare is not None:
                self._caller.prepare(read.prepare, region=region)
            try:
                self._take(read, params, region, pages, heard)
            except StartOver:
                asked = len(pages) + 1
                pages.clear()
                heard.clear()
                self._take(read, params, region, pages, heard)
            if not pages:
                failure = Broken(
                    "NoAnswer", read.operation
                )  # not even an empty page: nothing was said, nothing is known
        except CallFailed as refused:
            failure = refused
        except AuditorError:
            raise
        except Exception as error:  # noqa: BLE001  (of a client library anything may come; one call fails, the unit goes on)
            failure = broken(error, read.operation)
        with self._lock:
            self.calls[read.operation] += asked + len(pages) + (failure is not None)
        code = "" if failure is None else failure.code
        call = Call(read.operation, told, region, len(pages), tuple(heard), started_at, self._clock(), code)
        return Answer(tuple(pages), failure, (call,))

    def _take(
        self,
        read: Read,
        params: Mapping[str, Any],
        region: str,
        pages: list[Mapping[str, Any]],
        heard: list[Heard],
    ) -> None:
        """Add the pages as they come, each cut down to what the read keeps of it, so that none is held whole."""
        for told in self._caller.pages(read.operation, params, region=region, heard=heard.append):
            page = _page(told)
            pages.append(page if read.page is None else read.page(page))


def _page(told: Any) -> Mapping[str, Any]:
    if not isinstance(told, (dict, Mapping)):
        raise TypeError(f"a page cannot be a {type(told).__name__}")
    return told


def frozen(value: Any) -> Hashable:
    """A parameter's value as a key: equal values have equal keys, whatever the order of their names."""
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, Mapping)):
        return tuple(sorted((name, frozen(member)) for name, member in value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(frozen(member) for member in value)
    hashable: Hashable = value
    return hashable
