"""The tick: plans what is due, leases it, rings for it. Any number may run at once, as leases exclude each other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.domain.ports import Claim, Claims, Clock, Queue
from auditor.telemetry import logger
from auditor.worker.app import QUEUES, waiting
from auditor.worker.tasks import LEASE_FOR, Duties, Sender

if TYPE_CHECKING:
    from celery import Celery

log = logger(__name__)

AT_ONCE = 200
"""How many leased rows may wait in a queue: more would run out of their lease before a worker comes to them."""
CANARY_EVERY = 60.0


def tick(
    claims: Claims,
    duties: Duties,
    send: Callable[[Claim], None],
    clock: Clock,
    *,
    room: Callable[[Queue], int] = lambda _queue: AT_ONCE,
    lease_for: Mapping[Queue, float] = LEASE_FOR,
) -> int:
    """Plan due schedules, lease due work of each queue up to its ``room``, send it; gives how many were sent.

    A crash between leasing and sending loses nothing: the lease runs out and the row is leased again.
    """
    _guarded("planning failed", duties.plan_due)
    now = (
        clock()
    )  # read after planning, or what was just planned would be due a moment later and wait for the next tick
    return sum(
        _guarded("leasing failed", partial(_ring, claims, send, now, queue, room, lease_for[queue])) for queue in QUEUES
    )


def _ring(
    claims: Claims,
    send: Callable[[Claim], None],
    now: datetime,
    queue: Queue,
    room: Callable[[Queue], int],
    lease_for: float,
) -> int:
    limit = room(queue)
    leased = claims.lease(queue, now=now, limit=limit, lease_for=lease_for) if limit > 0 else ()
    for claim in leased:
        send(claim)
    return len(leased)


def _guarded(what: str, step: Callable[[], int]) -> int:
    """One step whose failure must not keep the next from happening: a database that restarts is back a second later."""
    try:
        return step()
    except Exception:
        log.exception(what)
        return 0


class Ticker:
    """Ticks until told to stop: every ``every`` seconds, and at once when the bell is rung.

    ``pulse`` is a file that is touched after each tick, for a health check to look at.
    """

    def __init__(
        self,
        app: Celery,
        claims: Claims,
        duties: Duties,
        clock: Clock,
        *,
        every: float = 1.0,
        pulse: Path | None = None,
        lease_for: Mapping[Queue, float] = LEASE_FOR,
    ) -> None:
        self._app = app
        self._claims = claims
        self._duties = duties
        self._clock = clock
        self._every = every
        self._pulse = pulse
        self._lease_for = lease_for
        self._sender = Sender(app, lease_for)
        self._bell = threading.Event()

    def ring(self) -> None:
        """Tick again soon: something may have become due."""
        self._bell.set()

    def run(self, stop: threading.Event) -> None:
        """Tick until ``stop`` is set; ring the bell after setting it, to be heard at once."""
        canary_at = time.monotonic()
        while not stop.is_set():
            self._bell.clear()
            if time.monotonic() >= canary_at:
                self._sender.canaries()
                canary_at = time.monotonic() + CANARY_EVERY
            tick(
                self._claims,
                self._duties,
                self._sender.send,
                self._clock,
                room=self._room,
                lease_for=self._lease_for,
            )
            if self._pulse is not None:
                self._pulse.touch()
            self._bell.wait(self._every)
        if self._pulse is not None:
            self._pulse.unlink(missing_ok=True)

    def _room(self, queue: Queue) -> int:
        return AT_ONCE - waiting(self._app, queue)
