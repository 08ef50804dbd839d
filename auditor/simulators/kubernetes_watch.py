"""Watches: what happens after a version, one JSON event per line, until the time the client set is over."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from threading import Event
from typing import Any

from auditor.simulators.kubernetes_answers import Refused, bad_request, encode, failure
from auditor.simulators.kubernetes_kinds import Kind
from auditor.simulators.kubernetes_lists import partial, refuse_selectors
from auditor.simulators.kubernetes_requests import Asked
from auditor.simulators.kubernetes_store import Change, Store, Stored

_LONGEST = 1800.0
_BOOKMARK_EVERY = 60.0
_LAST_BOOKMARK = 2.0
_GLANCE = 0.5  # so that a stopping server is noticed


def watch(
    store: Store, kind: Kind, asked: Asked, stopping: Event, *, metadata_only: bool = False, gone: bool = False
) -> Iterator[bytes]:
    """The lines of a watch; ``gone`` makes it end at once with the ERROR 410 that comes inside an HTTP 200.

    Without a version, or with ``sendInitialEvents``, everything there is comes first as ADDED.

    Raises:
        Refused: The version is no number, or a selector was sent; raised here, before the first line.
    """
    refuse_selectors(asked)
    told, seconds = asked.query.get("resourceVersion", ""), asked.query.get("timeoutSeconds", "")
    if not (told or "0").isdecimal() or not (seconds or "0").isdecimal():
        raise Refused(bad_request(f'strconv.ParseUint: parsing "{told or seconds}": invalid syntax'))
    initial = asked.query.get("sendInitialEvents") == "true"
    bookmarks = asked.query.get("allowWatchBookmarks") == "true"
    following = _Watch(store, kind, asked.namespace, bookmarks=bookmarks, metadata_only=metadata_only)
    until = time.monotonic() + (float(seconds) if int(seconds or 0) else _LONGEST)
    version = None if initial or int(told or 0) == 0 else int(told)
    return following.lines(version, until, stopping, initial=initial, gone=gone)


def _due(now: float, until: float) -> float:
    """When the next bookmark is sent: every minute and two seconds before the end, as the real server does."""
    at = min(now + _BOOKMARK_EVERY, until - _LAST_BOOKMARK)
    return at if at > now else math.inf


class _Watch:
    def __init__(self, store: Store, kind: Kind, namespace: str, *, bookmarks: bool, metadata_only: bool) -> None:
        self._store = store
        self._kind = kind
        self._namespace = namespace
        self._bookmarks = bookmarks
        self._metadata_only = metadata_only

    def lines(
        self, version: int | None, until: float, stopping: Event, *, initial: bool, gone: bool
    ) -> Iterator[bytes]:
        if gone:
            yield self._too_old(version or self._store.version)
            return
        if version is None:
            view = self._store.view(self._kind, self._namespace)
            version = view.version
            yield from (self._line("ADDED", one) for one in view.items)
            if initial and self._bookmarks:
                yield self._bookmark(version, {"k8s.io/initial-events-end": "true"})
        bookmark_at = _due(time.monotonic(), until)
        while (now := time.monotonic()) < until and not stopping.is_set():
            changes, reached = self._next(version, min(until - now, _GLANCE))
            if changes is None:
                yield self._too_old(version)
                return
            yield from (self._line(change.type, change.object) for change in changes)
            version = reached
            if self._bookmarks and now > bookmark_at:
                yield self._bookmark(version)
                bookmark_at = _due(now, until)

    def _next(self, version: int, seconds: float) -> tuple[tuple[Change, ...] | None, int]:
        """What happened since, waiting a moment for it, and the version that this brings us to."""
        with self._store.changed:
            changes = self._store.since(self._kind, self._namespace, version)
            if changes == ():
                self._store.changed.wait(seconds)
                changes = self._store.since(self._kind, self._namespace, version)
            return changes, max(version, self._store.version)

    def _line(self, type_: str, one: Stored) -> bytes:
        body = encode(partial(one)) if self._metadata_only else one.typed
        return b'{"type":"' + type_.encode() + b'","object":' + body + b"}\n"

    def _bookmark(self, version: int, notes: dict[str, str] | None = None) -> bytes:
        meta: dict[str, Any] = {"resourceVersion": str(version)} | ({"annotations": notes} if notes else {})
        body = {"kind": self._kind.kind, "apiVersion": self._kind.api_version, "metadata": meta}
        if self._metadata_only:
            body |= {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
        return encode({"type": "BOOKMARK", "object": body}) + b"\n"

    def _too_old(self, version: int) -> bytes:
        message = f"too old resource version: {version} ({self._store.oldest})"
        return encode({"type": "ERROR", "object": failure(410, "Expired", message)}) + b"\n"
