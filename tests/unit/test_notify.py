"""What follows from each answer, and in which order a delivery is sent and recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest

from auditor.domain.delivery import Attempt, Delivered, Delivery, Disable, Failed, Outcome, Reply, RetryAt
from auditor.domain.errors import AuditorError, DeliveryError, EgressError, StaleFenceError
from auditor.domain.ports import Claim
from auditor.pipeline.notify import SCHEDULE, next_attempt, notify

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TENANT, ID, EVENT = UUID(int=1), UUID(int=2), UUID(int=3)
CLAIM = Claim(TENANT, ID, "notify", 4)


def after(answer: Reply | AuditorError, *, attempts: int = 1, jitter: float = 0.0) -> Outcome:
    return next_attempt(attempts, answer, now=NOW, jitter=jitter)


def answered(status: int, *, retry_after: str | None = None) -> Reply:
    return Reply(status, b"", 0.1, retry_after)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_delivered(status: int) -> None:
    assert after(answered(status)) == Delivered()


@pytest.mark.parametrize("status", [300, 301, 302, 304, 307, 308])
def test_a_redirect_fails_and_is_never_followed(status: int) -> None:
    outcome = after(answered(status))
    assert isinstance(outcome, Failed)
    assert "not followed" in outcome.reason


def test_gone_switches_the_webhook_off() -> None:
    assert isinstance(after(answered(410)), Disable)


@pytest.mark.parametrize("status", [400, 401, 404, 408, 429, 500, 502, 503])
def test_every_other_refusal_is_tried_again(status: int) -> None:
    assert after(answered(status)) == RetryAt(NOW + timedelta(seconds=5), f"answered {status}")


def test_the_waits_follow_the_schedule_and_end() -> None:
    waits = []
    for attempts in range(1, len(SCHEDULE)):
        outcome = after(answered(500), attempts=attempts)
        assert isinstance(outcome, RetryAt)
        waits.append((outcome.at - NOW).total_seconds())
    hour = 3600
    assert waits == [5, 300, 1800, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour]
    assert after(answered(500), attempts=10) == Failed("answered 500; tried 10 times")
    assert all(earlier < later for earlier, later in pairwise(SCHEDULE))


@pytest.mark.parametrize(("jitter", "seconds"), [(-1.0, 240), (0.0, 300), (1.0, 360)])
def test_waits_are_spread_by_a_fifth(jitter: float, seconds: int) -> None:
    outcome = after(answered(500), attempts=2, jitter=jitter)
    assert isinstance(outcome, RetryAt)
    assert outcome.at == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("status", "asked", "seconds"),
    [
        (429, "120", 120),
        (503, "120", 120),
        (503, "Sun, 01 Mar 2026 12:10:00 GMT", 600),
        (429, "999999", 24 * 3600),
        (429, "9" * 400, 24 * 3600),
        (429, "1", 5),
        (429, "Sun, 01 Mar 2020 12:10:00 GMT", 5),
        (429, "soon", 5),
        (429, "-3", 5),
        (500, "120", 5),
    ],
)
def test_a_busy_receiver_says_when_to_come_back_within_a_day(status: int, asked: str, seconds: int) -> None:
    outcome = after(answered(status, retry_after=asked))
    assert isinstance(outcome, RetryAt)
    assert outcome.at == NOW + timedelta(seconds=seconds)


def test_a_broken_connection_is_tried_again() -> None:
    assert after(DeliveryError("connection refused")) == RetryAt(
        NOW + timedelta(seconds=5), "delivery: connection refused"
    )


def test_an_address_that_may_not_be_dialled_is_not_tried_again() -> None:
    assert after(EgressError("not public")) == Failed("egress: not public")


class Rows:
    """One delivery, as rows would hold it."""

    def __init__(self) -> None:
        self.delivery: Delivery | None = Delivery(
            tenant=TENANT,
            id=ID,
            fence=4,
            webhook_id=UUID(int=5),
            event_id=EVENT,
            type="finding.opened",
            url="https://receiver.example/",
            secrets=("whsec_AAAA",),
            body=b"{}",
        )
        self.attempts: list[tuple[Attempt, Outcome]] = []
        self.dies_before_recording = False

    def load(self, tenant: UUID, id: UUID, fence: int) -> Delivery | None:  # noqa: A002
        if (tenant, id, fence) != (TENANT, ID, 4):
            raise StaleFenceError("leased by another worker")
        return self.delivery

    def record(self, delivery: Delivery, attempt: Attempt, outcome: Outcome, now: datetime) -> None:
        if self.dies_before_recording:
            raise KeyboardInterrupt
        self.attempts.append((attempt, outcome))
        self.delivery = None if isinstance(outcome, Delivered) else replace(delivery, attempts=attempt.n)


class Receiver:
    """A channel that remembers what it was handed and answers in turn."""

    def __init__(self, *answers: Reply | AuditorError) -> None:
        self.answers = list(answers)
        self.got: list[UUID] = []

    def send(self, delivery: Delivery, *, now: datetime) -> Reply:
        self.got.append(delivery.event_id)
        answer = self.answers.pop(0)
        if isinstance(answer, AuditorError):
            raise answer
        return answer


def told(rows: Rows, receiver: Receiver, claim: Claim = CLAIM) -> Outcome | None:
    return notify(claim, deliveries=rows, channel=receiver, clock=lambda: NOW, jitter=lambda: 0.0)


def test_a_delivery_is_sent_and_its_attempt_recorded() -> None:
    rows, receiver = Rows(), Receiver(Reply(200, b"ok", 0.25))
    assert told(rows, receiver) == Delivered()
    assert rows.attempts == [(Attempt(1, NOW, 250, status=200, head=b"ok"), Delivered())]


def test_a_crash_between_sending_and_recording_repeats_the_same_id() -> None:
    rows, receiver = Rows(), Receiver(answered(200), answered(200))
    rows.dies_before_recording = True
    with pytest.raises(KeyboardInterrupt):
        told(rows, receiver)
    rows.dies_before_recording = False
    assert told(rows, receiver) == Delivered()
    assert receiver.got == [EVENT, EVENT]
    assert [attempt.n for attempt, _ in rows.attempts] == [1]


def test_attempts_are_counted_and_errors_kept() -> None:
    rows, receiver = Rows(), Receiver(DeliveryError("timed out"), answered(200))
    assert isinstance(told(rows, receiver), RetryAt)
    assert told(rows, receiver) == Delivered()
    assert [(a.n, a.status, a.error) for a, _ in rows.attempts] == [(1, None, "delivery: timed out"), (2, 200, None)]


def test_what_is_delivered_already_is_not_sent_again() -> None:
    rows, receiver = Rows(), Receiver()
    rows.delivery = None
    assert told(rows, receiver) is None
    assert receiver.got == []


def test_a_lease_that_was_lost_sends_nothing() -> None:
    receiver = Receiver()
    with pytest.raises(StaleFenceError):
        told(Rows(), receiver, Claim(TENANT, ID, "notify", 3))
    assert receiver.got == []
