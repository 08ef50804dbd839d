"""Watch a source: what its streams tell goes in, marks and how far each stream has come go out; nothing told is kept.

Guards three rules. A hint is marked before the version that it came with is written down, or together with it: a watcher that
dies is followed by one that hears at least what was not marked. What one stream holds in memory is a few ids, however much
it tells. And whoever lost the source writes nothing: the store refuses it by its fence.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from auditor.domain.errors import CollectionError, StaleFenceError
from auditor.domain.ports import CallFailed, Claim, Clock, Store
from auditor.domain.resource_type import ResourceType
from auditor.domain.watching import SETTLES_IN, WHOLE, Heard, Hearer, Mark, Stream, StreamState
from auditor.pipeline.ask import broken
from auditor.pipeline.refresh import MOST_NAMED

SECONDS = 240
"""How long one watch is asked for; then it is asked for again, from where it had come to."""
SHORTEST = 1.0
"""Seconds between two openings of a stream at least, whatever ends it."""
LONGEST_PAUSE = 60.0
REFUSED_PAUSE = 600.0
"""Until a permission that is missing is tried again."""
MOST_STREAMS = 100
"""Streams of one source that are followed at once, a thread each."""


@dataclass(slots=True)
class Told:
    """What streams told since the last time: marks, and whether they can wait; versions and states by stream."""

    marks: dict[Mark, bool] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    states: dict[str, StreamState] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.marks or self.versions or self.states)


class Ear:
    """Where all streams of one source tell what they heard, and one reader takes it. Safe to share by threads."""

    def __init__(self, types: Mapping[str, str]) -> None:
        self._types = types
        self._lock = threading.Lock()
        self._told = Told()
        self._states: dict[str, StreamState] = {}

    def hear(self, stream: str, heard: Heard) -> None:
        """One line; a type of which much changed is marked as a whole, and so is one of which something went."""
        with self._lock:
            if heard.native_id is not None:
                self._mark(self._types[stream], WHOLE if heard.gone else heard.native_id)
            self._told.versions[stream] = heard.version

    def expire(self, stream: str) -> None:
        """The source does not know any more what happened since: its type is listed at once, and goes on from there."""
        with self._lock:
            self._mark(self._types[stream], WHOLE, urgent=True)
            self._told.versions[stream] = ""
        self.stands(stream, StreamState("expired", "listed anew"))

    def stands(self, stream: str, state: StreamState) -> None:
        """How a stream stands; told once as long as it stands so."""
        with self._lock:
            if self._states.get(stream) != state:
                self._states[stream] = self._told.states[stream] = state

    def take(self) -> Told:
        """What was told since the last time."""
        with self._lock:
            told, self._told = self._told, Told()
            return told

    def put_back(self, told: Told) -> None:
        """What could not be written down: as if it had not been taken."""
        with self._lock:
            later, self._told = self._told, told
            for mark, urgent in later.marks.items():
                self._mark(mark.resource_type, mark.native_id, urgent=urgent)
            self._told.versions |= later.versions
            self._told.states |= later.states

    def _mark(self, resource_type: str, native_id: str, *, urgent: bool = False) -> None:
        marks, whole = self._told.marks, Mark(resource_type)
        if whole in marks:
            marks[whole] = marks[whole] or urgent
            return
        same = [mark for mark in marks if mark.resource_type == resource_type]
        if native_id == WHOLE or len(same) > MOST_NAMED:
            for mark in same:
                del marks[mark]
            marks[whole] = urgent
        else:
            marks[Mark(resource_type, native_id)] = urgent


def follow(
    stream: Stream,
    kind: ResourceType,
    hearer: Callable[[], Hearer],
    ear: Ear,
    stopped: threading.Event,
    *,
    seconds: int = SECONDS,
    shortest: float = SHORTEST,
) -> None:
    """Hear a stream until told to stop, or until its version is too old to go on from.

    A connection that breaks is opened again from where it had come to, after a pause that grows.
    """
    params = {} if kind.listing is None else kind.listing.params
    version, pause = stream.version, shortest
    while not stopped.is_set():
        opened = time.monotonic()
        try:
            for heard in hearer().hear(Stream(stream.name, version), params, seconds=seconds):
                if stopped.is_set():
                    return
                if heard.version != version or heard.native_id is not None:
                    version, pause = heard.version, shortest
                    ear.hear(stream.name, heard)
                ear.stands(stream.name, StreamState("watching"))
            pause = shortest
            wait = opened + shortest - time.monotonic()
        except Exception as error:  # noqa: BLE001  (whatever it was, the stream goes on: a thread that died would hear nothing)
            if isinstance(error, CallFailed) and error.code == "Expired":
                ear.expire(stream.name)
                return
            state, least = _stands_after(error, stream)
            ear.stands(stream.name, state)
            pause = min(2 * pause, LONGEST_PAUSE)
            wait = _apart(max(least, pause))
        if wait > 0:
            stopped.wait(wait)


def _stands_after(error: Exception, stream: Stream) -> tuple[StreamState, float]:
    """How a stream stands that broke, and the seconds to wait at least."""
    match error:
        case CallFailed(kind="denied"):
            return StreamState("refused", error.reason), REFUSED_PAUSE
        case CallFailed():
            return StreamState("failing", error.reason), min(error.retry_after, REFUSED_PAUSE)
        case CollectionError():
            return StreamState("failing", str(error)), 0.0
        case _:
            return StreamState("failing", broken(error, stream.name).reason), 0.0


def _apart(seconds: float) -> float:
    """So long at least: what ended one stream of a source ended most of them, and they shall not all come back at once."""
    return seconds * random.uniform(1, 1.5)  # noqa: S311  (spreads openings; nothing rests on it)


class Watching:
    """One claimed source: its streams, each in a thread of its own, and the beat that writes down what they told."""

    def __init__(
        self,
        claim: Claim,
        store: Store,
        hearer: Callable[[], Hearer],
        kinds: Mapping[str, ResourceType],
        clock: Clock,
        *,
        begin: Callable[[Callable[[], None]], None],
        listen: Callable[..., None] = follow,
    ) -> None:
        """``kinds`` are the types that may be watched, by the operation that lists them; ``begin`` starts a thread."""
        self.claim = claim
        self._store = store
        self._hearer = hearer
        self._kinds = kinds
        self._clock = clock
        self._begin = begin
        self._listen = listen
        self._types: dict[str, str] = {}
        self._ear = Ear(self._types)
        self._stopped = threading.Event()
        self._followed: set[str] = set()

    def look(self) -> None:
        """Follow what has been listed by now and is not followed yet.

        Raises:
            StaleFenceError: Somebody else watches this source.
        """
        with self._store.open(self.claim.tenant) as books:
            streams = books.streams(self.claim)
        for stream in streams:
            kind = self._kinds.get(stream.name.partition(" ")[0])
            if kind is None or not stream.version or stream.name in self._followed:
                continue
            self._types[stream.name] = kind.name
            if len(self._followed) >= MOST_STREAMS:
                self._ear.stands(stream.name, StreamState("failing", f"more than {MOST_STREAMS} listings"))
                continue
            self._followed.add(stream.name)
            self._begin(partial(self._listen, stream, kind, self._hearer, self._ear, self._stopped))

    def write(self) -> int:
        """Write down what was told since the last time; gives how many marks that were.

        Raises:
            StaleFenceError: Somebody else watches this source.
        """
        told = self._ear.take()
        if not told:
            return 0
        now = self._clock()
        try:
            with self._store.open(self.claim.tenant) as books:
                due: dict[Mark, datetime] = {
                    mark: now if urgent else now + SETTLES_IN for mark, urgent in told.marks.items()
                }
                books.heard(self.claim, due, told.versions, told.states, now=now)
        except StaleFenceError:
            raise
        except Exception:
            self._ear.put_back(told)
            raise
        # Only now may it be followed again, from the version that listing it anew will write there.
        self._followed -= {name for name, state in told.states.items() if state.word == "expired"}
        return len(told.marks)

    def end(self) -> None:
        """Stop listening; threads end with their next line."""
        self._stopped.set()

    def release(self) -> None:
        """Write down the last and let another watch this source at once.

        Raises:
            StaleFenceError: Another does already.
        """
        self.end()
        self.write()
        with self._store.open(self.claim.tenant) as books:
            books.release_watch(self.claim)
