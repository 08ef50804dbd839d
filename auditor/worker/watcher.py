"""The process that watches: it leases sources, follows each, and holds on to them; any number of these may run.

One of them watches a source at a time. Of a killed one the leases run out, and another goes on from what it had written.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from auditor.domain.errors import StaleFenceError
from auditor.domain.ports import Claim, Clock, Queue
from auditor.telemetry import logger

log = logger(__name__)

LEASE_FOR = 30.0
"""Seconds after which another may watch what a killed watcher held."""
LOOK_EVERY = 10.0
"""Seconds between two renewals of what is held, and two looks for what nobody holds or what was listed meanwhile."""
MOST_SOURCES = 20
"""Sources that one process watches: each has some forty streams, and each stream a thread that waits."""


class Leases(Protocol):
    """Who leases sources, across tenants."""

    def lease(self, queue: Queue, *, now: datetime, limit: int, lease_for: float) -> tuple[Claim, ...]:
        """As ``domain.ports.Claims``."""

    def renew(self, claim: Claim, *, now: datetime, lease_for: float) -> None:
        """Hold a lease. Raises ``StaleFenceError`` if somebody else has it."""


class Followed(Protocol):
    """A source that is watched; see ``pipeline.watch.Watching``."""

    claim: Claim

    def look(self) -> None:
        """Follow what has been listed by now."""

    def write(self) -> int:
        """Write down what was told."""

    def end(self) -> None:
        """Stop listening."""

    def release(self) -> None:
        """Let another watch it at once."""


class Watcher:
    """Rounds until told to stop: every ``every`` seconds what was told is written down, every ``look_every`` leases are renewed.

    ``pulse`` is a file that is touched after each round, for a health check to look at.
    """

    def __init__(
        self,
        claims: Leases,
        follow: Callable[[Claim], Followed],
        clock: Clock,
        *,
        every: float = 1.0,
        look_every: float = LOOK_EVERY,
        lease_for: float = LEASE_FOR,
        most: int = MOST_SOURCES,
        pulse: Path | None = None,
    ) -> None:
        self._claims = claims
        self._follow = follow
        self._clock = clock
        self._every = every
        self._look_every = look_every
        self._lease_for = lease_for
        self._most = most
        self._pulse = pulse
        self._held: dict[Claim, Followed] = {}
        self._look_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Watch until ``stop`` is set; then everything is let go, for another to take at once."""
        while not stop.is_set():
            self.round()
            if self._pulse is not None:
                self._pulse.touch()
            stop.wait(self._every)
        for followed in list(self._held.values()):
            self._guarded(followed.release, followed)
        self._held.clear()
        if self._pulse is not None:
            self._pulse.unlink(missing_ok=True)

    def round(self) -> None:
        """Write down what was told; when it is time also renew the leases, take what nobody watches, see what is listed."""
        looking = time.monotonic() >= self._look_at
        if looking:
            self._look_at = time.monotonic() + self._look_every
            self._take()
        for followed in list(self._held.values()):
            if self._guarded(followed.write, followed) and looking:
                self._guarded(partial(self._hold, followed), followed)

    def _take(self) -> None:
        try:
            room = self._most - len(self._held)
            if room <= 0:
                return
            for claim in self._claims.lease("watch", now=self._clock(), limit=room, lease_for=self._lease_for):
                self._held[claim] = self._follow(claim)
                log.info("watching", tenant=str(claim.tenant), source=str(claim.id), fence=claim.fence)
        except Exception:
            log.exception("leasing sources to watch failed")

    def _hold(self, followed: Followed) -> None:
        self._claims.renew(followed.claim, now=self._clock(), lease_for=self._lease_for)
        followed.look()

    def _guarded(self, step: Callable[[], object], followed: Followed) -> bool:
        """One step; a source that was lost is let go of, a database that restarts is back at the next round."""
        about = {"tenant": str(followed.claim.tenant), "source": str(followed.claim.id)}
        try:
            step()
        except StaleFenceError:
            log.info("no longer ours to watch", fence=followed.claim.fence, **about)
            followed.end()
            self._held.pop(followed.claim, None)
            return False
        except Exception:
            log.exception("watching stumbled", **about)
            return False
        return True
