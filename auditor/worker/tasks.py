"""The tasks: a claim comes in as ids, the lease is held while a duty does the work, and that is all.

What a duty does is given from outside. A task never fails in the broker's eyes: whatever went wrong, the row is still
leased, the lease runs out, and the tick leases it again.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar
from uuid import UUID

from kombu.exceptions import OperationalError

from auditor.domain.errors import StaleFenceError
from auditor.domain.ports import Claim, Queue
from auditor.telemetry import logger
from auditor.worker.app import HARD_LIMIT, QUEUES, waiting

if TYPE_CHECKING:
    from celery import Celery

T = TypeVar("T")
log = logger(__name__)

UNHEARD = 500
"""How many messages may lie in a queue before no canary is added: more than the tick ever puts into one that is worked on."""
LEASE_FOR: dict[Queue, float] = dict.fromkeys(QUEUES, 90.0) | {"notify": 60.0}
"""Seconds a lease lasts, from being sent and again from being begun; with a killed worker this is how long its work waits."""


def leases(seconds: float) -> dict[Queue, float]:
    """Leases of this length; those of deliveries are never longer than usual, since a person waits for the message."""
    return {queue: min(seconds, LEASE_FOR[queue]) if queue == "notify" else seconds for queue in QUEUES}


class Duties(Protocol):
    """What the work is. Safe to share by threads; made anew in each forked process."""

    def collect(self, claim: Claim) -> None:
        """Look at a unit's place and keep what was seen."""

    def assess(self, claim: Claim) -> None:
        """Judge what a unit brought home and track the turns."""

    def deliver(self, claim: Claim) -> None:
        """Try one delivery."""

    def preflight(self, claim: Claim) -> None:
        """Ask what may be asked of a source."""

    def upkeep(self, claim: Claim) -> None:
        """Do what a tenant's evidence needs once a day."""

    def export(self, claim: Claim) -> object:
        """Go on with a bundle."""

    def plan_due(self) -> int:
        """Plan the runs that are due, and say how many were."""

    def renew(self, claim: Claim, lease_for: float) -> None:
        """Hold the lease for so many seconds from now. Raises ``StaleFenceError`` if somebody else has it."""

    def canary(self, queue: Queue) -> None:
        """Note that this queue was heard just now."""


class PerProcess(Generic[T]):
    """A value made on first use and again after a fork: connections must not be shared with the parent."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: dict[int, T] = {}

    def __call__(self) -> T:
        """The value of this process."""
        pid = os.getpid()
        if pid not in self._made:
            with self._lock:
                if pid not in self._made:
                    self._made[pid] = self._make()
        return self._made[pid]


def register(
    app: Celery,
    duties: Callable[[], Duties],
    *,
    ring: Callable[[], None] = lambda: None,
    lease_for: Mapping[Queue, float] = LEASE_FOR,
) -> None:
    """Give the application its tasks; ``ring`` is called when one ends, for more may be due then."""
    ours = PerProcess(duties)

    def work(queue: Queue, tenant: str, id: str, fence: int, do: Callable[[Duties, Claim], object]) -> None:  # noqa: A002
        perform(ours(), Claim(UUID(tenant), UUID(id), queue, fence), do, lease_for=lease_for)
        ring()

    @app.task(name=task_name("collect"))  # type: ignore[untyped-decorator]  # celery has no types
    def collect(tenant: str, id: str, fence: int) -> None:  # noqa: A002
        work("collect", tenant, id, fence, lambda duties, claim: duties.collect(claim))

    @app.task(name=task_name("assess"))  # type: ignore[untyped-decorator]  # celery has no types
    def assess(tenant: str, id: str, fence: int) -> None:  # noqa: A002
        work("assess", tenant, id, fence, lambda duties, claim: duties.assess(claim))

    @app.task(name=task_name("notify"))  # type: ignore[untyped-decorator]  # celery has no types
    def deliver(tenant: str, id: str, fence: int) -> None:  # noqa: A002
        work("notify", tenant, id, fence, lambda duties, claim: duties.deliver(claim))

    @app.task(name=task_name("preflight"))  # type: ignore[untyped-decorator]  # celery has no types
    def preflight(tenant: str, id: str, fence: int) -> None:  # noqa: A002
        work("preflight", tenant, id, fence, lambda duties, claim: duties.preflight(claim))

    @app.task(name=task_name("upkeep"))  # type: ignore[untyped-decorator]  # celery has no types
    def upkeep(tenant: str, id: str, fence: int) -> None:  # noqa: A002
        work("upkeep", tenant, id, fence, lambda duties, claim: duties.upkeep(claim))

    @app.task(name=task_name("export"))  # type: ignore[untyped-decorator]  # celery has no types
    def export(tenant: str, id: str, fence: int) -> None:  # noqa: A002
        work("export", tenant, id, fence, lambda duties, claim: duties.export(claim))

    @app.task(name=task_name("canary"))  # type: ignore[untyped-decorator]  # celery has no types
    def canary(queue: Queue) -> None:
        try:
            ours().canary(queue)
        except Exception:  # the edge of the worker: nobody above can answer it
            log.exception("canary failed", queue=queue)


def task_name(kind: str) -> str:
    """How a task is called on the wire."""
    return f"auditor.{kind}"


def perform(
    duties: Duties,
    claim: Claim,
    do: Callable[[Duties, Claim], object],
    *,
    lease_for: Mapping[Queue, float] = LEASE_FOR,
) -> None:
    """Do a claim's work while its lease is held on; a claim that somebody else has by now is dropped."""
    about: dict[str, Any] = {"queue": claim.queue, "tenant": str(claim.tenant), "id": str(claim.id)}
    started = time.monotonic()
    try:
        with _held(duties, claim, lease_for[claim.queue]):
            do(duties, claim)
    except StaleFenceError:
        log.info("late work dropped", fence=claim.fence, **about)
    except Exception:  # the edge of the worker: the lease runs out and the row is leased again
        log.exception("work failed", fence=claim.fence, **about)
    else:
        log.info("work done", fence=claim.fence, took_ms=round((time.monotonic() - started) * 1000), **about)


@contextmanager
def _held(duties: Duties, claim: Claim, lease_for: float) -> Iterator[None]:
    """Renew the lease now, which drops a late message early, and then at each third of it while the work goes on."""
    duties.renew(claim, lease_for)
    done = threading.Event()
    give_up_at = time.monotonic() + HARD_LIMIT

    def hold_on() -> None:
        while not done.wait(lease_for / 3) and time.monotonic() < give_up_at:
            try:
                duties.renew(claim, lease_for)
            except StaleFenceError:
                return
            except Exception:
                log.exception("lease not renewed", queue=claim.queue, id=str(claim.id))

    holding = threading.Thread(target=hold_on, name=f"lease-{claim.id}", daemon=True)
    holding.start()
    try:
        yield
    finally:
        done.set()
        holding.join()


class Sender:
    """Puts claims and canaries on the wire; a message that cannot be put is let go, since the lease brings it back."""

    def __init__(self, app: Celery, lease_for: Mapping[Queue, float] = LEASE_FOR) -> None:
        self._app = app
        self._lease_for = lease_for

    def send(self, claim: Claim) -> None:
        """Ring for one claim. The message is worthless once the lease has run out, so it expires with it."""
        args = [str(claim.tenant), str(claim.id), claim.fence]
        self._put(claim.queue, claim.queue, args, expires=self._lease_for[claim.queue])

    def canaries(self) -> None:
        """One canary into each queue, unless nobody has taken anything out of it for hours: an expired message still lies there."""
        for queue in QUEUES:
            if self._waiting(queue) < UNHEARD:
                self._put("canary", queue, [queue], expires=120)

    def _waiting(self, queue: Queue) -> int:
        try:
            return waiting(self._app, queue)
        except (OperationalError, OSError):
            return 0  # putting will fail too, and say so

    def _put(self, kind: str, queue: Queue, args: list[Any], *, expires: float) -> None:
        try:
            self._app.send_task(task_name(kind), args=args, queue=queue, expires=expires, ignore_result=True)
        except (OperationalError, OSError) as error:
            log.warning("message not sent", kind=kind, queue=queue, error=str(error))
