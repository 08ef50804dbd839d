"""Accounts already connected to, kept by the process that asks them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from threading import Lock
from time import monotonic

from auditor.domain.errors import CollectionError
from auditor.domain.ports import Caller
from auditor.domain.source import Manners, Source
from auditor.domain.watching import Hearer, Versioned


class Callers:
    """Accounts already connected to: their clients cost 20 to 60 ms each, so a process keeps those of its latest sources.

    An identity is asserted anew after ``renew_after``, so a role that was taken away is noticed within the hour.
    """

    def __init__(
        self, connect: Callable[[Source, Manners], Caller], *, size: int = 16, renew_after: float = 3600.0
    ) -> None:
        self._connect = connect
        self._size = size
        self._renew_after = renew_after
        self._known: OrderedDict[tuple[Source, Manners], tuple[float, Caller]] = OrderedDict()
        self._lock = Lock()

    def __call__(self, source: Source, manners: Manners) -> Caller:
        """The source's caller at its pace, connected now or within the hour."""
        key = (source, manners)
        with self._lock:
            made_at, caller = self._known.get(key, (0.0, None))
            if caller is not None and monotonic() - made_at < self._renew_after:
                self._known.move_to_end(key)
                return caller
        caller = self._connect(source, manners)
        with self._lock:
            self._known[key] = (monotonic(), caller)
            while len(self._known) > self._size:
                self._known.popitem(last=False)
        return caller


def listed_versions(caller: Caller) -> Mapping[str, str]:
    """The version that each listing of a cluster was of, by operation; an account has none."""
    return caller.versions() if isinstance(caller, Versioned) else {}


def hearer_of(caller: Caller) -> Hearer:
    """Whoever hears what a source tells by itself.

    Raises:
        CollectionError: It tells nothing by itself.
    """
    from auditor.collectors.kubernetes._client import ClusterCaller  # noqa: PLC0415  (the library costs 0.25 s)
    from auditor.collectors.kubernetes._watch import ClusterHearer  # noqa: PLC0415  (likewise)

    if not isinstance(caller, ClusterCaller):
        raise CollectionError(f"{caller.account} is no cluster, and only clusters are watched")
    return ClusterHearer(caller)


def switched_on(caller: Caller) -> tuple[str, ...]:
    """The regions that the account has switched on; none where it does not say, and those known from before go on."""
    from auditor.collectors.aws._client import enabled_regions  # noqa: PLC0415  (boto3 costs 134 ms to import)

    try:
        return enabled_regions(caller)
    except CollectionError:
        return ()
