"""Sessions and clients of the library as we use them: declared operations only, and nothing done twice for each client.

The library copies its event handlers for every client and looks up each event's older names again for each of them;
here the handlers that only write documentation are left out, and the names are looked up once per process.
"""

from __future__ import annotations

import copy
import re
from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import datetime
from functools import cache
from threading import Lock
from typing import Any

import botocore
import botocore.handlers
import botocore.hooks
import botocore.session
import botocore.utils

from auditor import __version__
from auditor.collectors.aws._models import loader

USER_AGENT = f"auditor/{__version__} botocore/{botocore.__version__}"
"""How we show in the account's own trail. The library's own, longer line is put together anew for each request."""
KEPT = 160
"""Clients of a process: every service in three places. One is some 120 KiB."""
_NAMES: dict[str, str] = {}
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)


class _Events(botocore.hooks.EventAliaser):  # type: ignore[misc]  # the library has no types
    """The library's table of event names, whose answers all clients share: they depend on the name alone."""

    def __init__(self, emitter: Any, aliases: Any = None) -> None:
        super().__init__(emitter, aliases)
        self._alias_name_cache = _NAMES

    def __copy__(self) -> _Events:
        return _Events(copy.copy(self._emitter), self._event_aliases)


def new_session(profile: str | None = None) -> Any:
    """A session with the usual credential chain. Make one client at a time: sessions are not for many threads."""
    session = botocore.session.Session(profile=profile, include_builtin_handlers=False)
    events = _Events(botocore.hooks.HierarchicalEmitter())
    for event, handler, *order in botocore.handlers.BUILTIN_HANDLERS:
        if event.startswith("docs."):
            continue
        if order and order[0] is botocore.handlers.REGISTER_FIRST:
            events.register_first(event, handler)
        elif order and order[0] is botocore.handlers.REGISTER_LAST:
            events.register_last(event, handler)
        else:
            events.register(event, handler)
    session.register_component("event_emitter", events)
    session.register_component("data_loader", loader())
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=moment)
    return session


def moment(told: Any) -> datetime:
    """A time in an answer. Nearly all are RFC 3339, which Python reads itself; the library reads the rest, slowly."""
    if isinstance(told, str) and _INSTANT.fullmatch(told):
        return datetime.fromisoformat(told)
    read: datetime = botocore.utils.parse_timestamp(told)
    return read


class Clients:
    """The clients used latest, at most ``size`` of them, of all accounts of a process. Safe to share by threads.

    Who holds one that goes may use it to the end: it is let go of, not closed.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> Any | None:
        """The client under this key, which is now the one used latest."""
        with self._lock:
            client = self._kept.get(key)
            if client is not None:
                self._kept.move_to_end(key)
            return client

    def put(self, key: Hashable, client: Any) -> None:
        """Keep one more; the one not used for longest goes where there are too many."""
        with self._lock:
            self._kept[key] = client
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)

    def drop(self, whose: Callable[[Any], bool]) -> None:
        """Let go of those whose key is chosen."""
        with self._lock:
            for key in [key for key in self._kept if whose(key)]:
                del self._kept[key]


@cache
def clients() -> Clients:
    """Those of this process."""
    return Clients(KEPT)
