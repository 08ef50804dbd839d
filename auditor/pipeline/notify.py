"""Telling: a leased delivery goes out once, and what came back decides what follows.

Enters a claim, leaves a recorded attempt. The send happens outside any transaction: a receiver may take seconds, and a
database lock must not wait for a stranger. A crash between sending and recording sends again later, under the same id.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

from auditor.domain.delivery import Attempt, Delivered, Delivery, Disable, Failed, Outcome, Reply, RetryAt
from auditor.domain.errors import AuditorError
from auditor.domain.ports import Claim, Clock

SCHEDULE: tuple[timedelta, ...] = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""How long to wait before the first, second, … attempt; its length is how often we try."""
JITTER = 0.2
LONGEST_WAIT = timedelta(hours=24)
_BUSY = frozenset({429, 503})
_HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"  # read without the mail library, which would bring sockets into this room


class Deliveries(Protocol):
    """Where deliveries are kept; each call is one short transaction of its own."""

    def load(self, tenant: UUID, id: UUID, fence: int) -> Delivery | None:  # noqa: A002  (the word people use)
        """The leased delivery with its secrets opened; none if nothing is left to do (delivered, or the webhook is off).

        Raises:
            StaleFenceError: Another worker holds the lease.
        """

    def record(self, delivery: Delivery, attempt: Attempt, outcome: Outcome, now: datetime) -> None:
        """Keep the attempt and move the delivery on; ``Disable`` also switches its webhook off.

        Raises:
            StaleFenceError: Another worker holds the lease: it will tell what happened.
        """


class Channel(Protocol):
    """A way to tell: sends once."""

    def send(self, delivery: Delivery, *, now: datetime) -> Reply:
        """What was answered. Raises ``DeliveryError`` when nothing usable was."""


def notify(
    claim: Claim, *, deliveries: Deliveries, channel: Channel, clock: Clock, jitter: Callable[[], float]
) -> Outcome | None:
    """Try one leased delivery and record what happened; none if there was nothing left to send.

    ``jitter`` gives a number from -1 to 1.
    """
    delivery = deliveries.load(claim.tenant, claim.id, claim.fence)
    if delivery is None:
        return None
    at = clock()
    answer: Reply | AuditorError
    try:
        answer = channel.send(delivery, now=at)
    except AuditorError as error:
        answer = error
    now = clock()
    # A crash here has told the receiver but kept nothing: the lease runs out and the same id goes out again.
    attempt = _attempt(delivery, answer, at=at, now=now)
    outcome = next_attempt(attempt.n, answer, now=now, jitter=jitter())
    deliveries.record(delivery, attempt, outcome, now)
    return outcome


def next_attempt(attempts: int, answer: Reply | AuditorError, *, now: datetime, jitter: float) -> Outcome:
    """What follows from the answer to attempt number ``attempts`` (the first is 1); ``jitter`` from -1 to 1.

    A redirect is not followed: it would let a receiver choose an address that nobody judged.
    """
    if isinstance(answer, AuditorError):
        reason = f"{answer.code}: {answer}"
        return _later(attempts, reason, now=now, jitter=jitter) if answer.retryable else Failed(reason)
    if 200 <= answer.status < 300:
        return Delivered()
    reason = f"answered {answer.status}"
    if 300 <= answer.status < 400:
        return Failed(f"{reason}: redirects are not followed")
    if answer.status == 410:
        return Disable(f"{reason}: gone for good")
    asked = _asked_to_wait(answer, now=now) if answer.status in _BUSY else timedelta(0)
    return _later(attempts, reason, now=now, jitter=jitter, at_least=asked)


def _later(
    attempts: int, reason: str, *, now: datetime, jitter: float, at_least: timedelta = timedelta(0)
) -> RetryAt | Failed:
    if attempts >= len(SCHEDULE):
        return Failed(f"{reason}; tried {attempts} times")
    wait = SCHEDULE[attempts] * (1 + JITTER * jitter)
    return RetryAt(now + max(wait, at_least), reason)


def _asked_to_wait(reply: Reply, *, now: datetime) -> timedelta:
    """What ``Retry-After`` asks for, as seconds or a date, at most a day; nothing if it cannot be read."""
    asked = (reply.retry_after or "").strip()
    if asked.isascii() and asked.isdigit():
        return min(timedelta(seconds=int(asked[:9])), LONGEST_WAIT)
    try:
        until = datetime.strptime(asked, _HTTP_DATE).replace(tzinfo=UTC)
    except ValueError:
        return timedelta(0)
    return min(max(until - now, timedelta(0)), LONGEST_WAIT)


def _attempt(delivery: Delivery, answer: Reply | AuditorError, *, at: datetime, now: datetime) -> Attempt:
    n = delivery.attempts + 1
    if isinstance(answer, Reply):
        return Attempt(n, at, round(answer.took * 1000), status=answer.status, head=answer.head)
    took = round((now - at).total_seconds() * 1000)
    return Attempt(n, at, took, error=f"{answer.code}: {answer}")
