"""What a process that watches follows, joined from the store, the declarations and the clusters' own door."""

from __future__ import annotations

import time
from threading import Lock, Thread
from typing import TYPE_CHECKING
from uuid import UUID

from auditor.collectors import declared
from auditor.collectors.callers import hearer_of
from auditor.domain.errors import CollectionError
from auditor.domain.ports import Claim
from auditor.domain.resource_type import ResourceType
from auditor.domain.watching import Hearer
from auditor.pipeline.plan import select
from auditor.pipeline.watch import MOST_STREAMS, Watching

if TYPE_CHECKING:
    from auditor.bootstrap.installation import Installation

RENEW_AFTER = 600.0
"""Seconds after which a way into a cluster is made anew: for a token that was renewed meanwhile."""
FAILED_FOR = 5.0
"""Seconds for which a way that could not be made is not tried by every stream in turn."""


def follow(here: Installation, claim: Claim) -> Watching:
    """A claimed source with everything of it that may be watched, not listened to yet."""
    with here.store.open(claim.tenant) as books:
        source, scope = books.source(claim.id), books.scope(claim.id)
    own = (kind for kind in declared.resource_types() if kind.name.startswith(f"{source.kind}."))
    return Watching(
        claim,
        here.store,
        _Way(here, claim.tenant, claim.id),
        watchable(select(here.library, own, scope).collected),
        here.clock,
        begin=lambda listen: Thread(target=listen, name=f"watch-{claim.id}", daemon=True).start(),
    )


def watchable(kinds: tuple[ResourceType, ...]) -> dict[str, ResourceType]:
    """The types that may be watched, by the operation that lists them."""
    return {kind.listing.operation: kind for kind in kinds if kind.listing is not None and kind.listing.watched}


class _Way:
    """The way into a source, made by the first stream that needs it and shared by all."""

    def __init__(self, here: Installation, tenant: UUID, source: UUID) -> None:
        self._here = here
        self._tenant = tenant
        self._source = source
        self._lock = Lock()
        self._hearer: Hearer | None = None
        self._failed: CollectionError | None = None
        self._until = 0.0

    def __call__(self) -> Hearer:
        """Whoever hears the source, connected now or within ten minutes.

        Raises:
            CollectionError: It cannot be reached, now or a moment ago.
        """
        with self._lock:
            if time.monotonic() >= self._until:
                self._hearer, self._failed, self._until = self._made()
            if self._hearer is None:
                raise self._failed or CollectionError("the cluster was not reached")
            return self._hearer

    def _made(self) -> tuple[Hearer | None, CollectionError | None, float]:
        try:
            with self._here.store.open(self._tenant) as books:
                source = books.source(self._source)
            hearer = hearer_of(self._here.caller(source, threads=MOST_STREAMS))
        except CollectionError as failed:
            return None, failed, time.monotonic() + FAILED_FOR
        return hearer, None, time.monotonic() + RENEW_AFTER
