"""The tick and the shell around a task: what fails there must keep nothing else from happening."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr

from auditor.domain.errors import StaleFenceError
from auditor.domain.ports import Claim, Queue
from auditor.settings import Settings
from auditor.worker.app import HARD_LIMIT, QUEUES, VISIBILITY, make_app, waiting
from auditor.worker.health import tick_is_alive
from auditor.worker.tasks import LEASE_FOR, PerProcess, Sender, perform, register
from auditor.worker.tick import Ticker, tick

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLAIM = Claim(UUID(int=1), UUID(int=2), "collect", 3)


class Work:
    """Claims and duties that remember what was asked of them and fail where they are told to."""

    def __init__(self, *failing: str) -> None:
        self.failing = failing
        self.asked: list[tuple[str, int]] = []
        self.renewed = 0

    def lease(self, queue: Queue, *, now: datetime, limit: int, lease_for: float) -> tuple[Claim, ...]:
        self.asked.append((queue, limit))
        if queue in self.failing:
            raise ConnectionError("the database is away")
        return (Claim(UUID(int=1), UUID(int=2), queue, 1),)

    def due(self, queue: Queue, *, now: datetime) -> bool:
        return False

    def plan_due(self) -> int:
        if "plan" in self.failing:
            raise ConnectionError("the database is away")
        return 1

    def renew(self, claim: Claim, lease_for: float) -> None:
        self.renewed += 1
        if "renew" in self.failing:
            raise StaleFenceError("somebody else has it")

    def collect(self, claim: Claim) -> None:
        self.asked.append(("collect", claim.fence))
        if "stale" in self.failing:
            raise StaleFenceError("somebody else has it")
        if "collect" in self.failing:
            raise ValueError("our bug")

    assess = deliver = preflight = upkeep = export = collect

    def canary(self, queue: Queue) -> None:
        self.asked.append((queue, 0))


def sent_by(work: Work, room: Callable[[Queue], int] = lambda _queue: 7) -> list[str]:
    sent: list[str] = []
    assert tick(work, work, lambda claim: sent.append(claim.queue), lambda: NOW, room=room) == len(sent)
    return sent


def test_due_work_of_every_queue_is_leased_up_to_its_room_and_sent() -> None:
    work = Work()
    assert sent_by(work) == list(QUEUES)
    assert work.asked == [(queue, 7) for queue in QUEUES]


def test_a_plan_that_fails_keeps_no_work_from_being_leased() -> None:
    assert sent_by(Work("plan")) == list(QUEUES)


def test_a_queue_that_fails_keeps_no_other_from_being_leased() -> None:
    assert sent_by(Work("collect")) == list(QUEUES[1:])


def test_a_full_queue_leases_nothing_whose_lease_would_run_out_waiting() -> None:
    work = Work()
    assert sent_by(work, room=lambda queue: 0 if queue == "collect" else 1) == list(QUEUES[1:])
    assert work.asked == [(queue, 1) for queue in QUEUES[1:]]


@pytest.mark.parametrize("failing", ["stale", "collect"])
def test_a_task_never_fails_in_the_brokers_eyes(failing: str) -> None:
    work = Work(failing)
    perform(work, CLAIM, lambda duties, claim: duties.collect(claim))
    assert work.asked == [("collect", 3)]


def test_a_message_whose_lease_was_taken_over_is_dropped_before_any_work() -> None:
    work = Work("renew")
    perform(work, CLAIM, lambda duties, claim: duties.collect(claim))
    assert work.asked == []


def test_a_lease_is_renewed_while_the_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LEASE_FOR, "collect", 0.15)
    work = Work()
    perform(work, CLAIM, lambda duties, claim: time.sleep(0.3))
    assert work.renewed >= 3
    held = work.renewed
    time.sleep(0.2)
    assert work.renewed == held


def test_a_broker_that_is_away_costs_the_tick_nothing_but_a_line() -> None:
    broken = make_app(Settings(broker_url=SecretStr("redis://127.0.0.1:1/0")))
    Sender(broken).send(CLAIM)


def test_the_ticker_ticks_at_once_when_the_bell_is_rung(tmp_path: Path) -> None:
    work, stop = Work(), threading.Event()
    memory = make_app(Settings(home=tmp_path))
    register(memory, lambda: work)
    pulse = tmp_path / "pulse"
    ticker = Ticker(memory, work, work, lambda: NOW, every=60, pulse=pulse)
    thread = threading.Thread(target=ticker.run, args=(stop,))
    thread.start()
    until = time.monotonic() + 10
    while not pulse.exists() and time.monotonic() < until:
        time.sleep(0.02)
    first = len(work.asked)
    ticker.ring()
    while len(work.asked) == first and time.monotonic() < until:
        time.sleep(0.02)
    stop.set()
    ticker.ring()
    thread.join(5)
    assert len(work.asked) > first > 0
    assert not thread.is_alive()
    assert waiting(memory, "collect") >= 2


def test_a_tick_is_alive_while_its_pulse_is_young(tmp_path: Path) -> None:
    pulse = tmp_path / "pulse"
    assert not tick_is_alive(pulse, now=time.time())
    pulse.touch()
    assert tick_is_alive(pulse, now=time.time())
    assert not tick_is_alive(pulse, now=time.time() + 61)


def test_a_value_is_made_again_after_a_fork() -> None:
    shared = PerProcess(os.getpid)
    shared()
    child = os.fork()
    if child == 0:
        os._exit(0 if shared() == os.getpid() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_value_is_made_once_in_a_process() -> None:
    numbers = iter(range(9))
    shared = PerProcess(lambda: next(numbers))
    assert [shared(), shared()] == [0, 0]


def test_the_broker_is_configured_as_it_was_tried() -> None:
    conf = make_app(Settings(broker_url=SecretStr("redis://127.0.0.1/0"))).conf
    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.worker_prefetch_multiplier == 1
    assert conf.task_ignore_result
    assert conf.accept_content == ["json"]
    assert conf.task_time_limit == HARD_LIMIT < VISIBILITY == conf.broker_transport_options["visibility_timeout"]
    assert all(lease < HARD_LIMIT for lease in LEASE_FOR.values())
    assert set(LEASE_FOR) == set(QUEUES)


def test_in_memory_the_broker_is_polled_fast_enough() -> None:
    conf = make_app(Settings()).conf
    assert conf.broker_url.startswith("memory://")
    assert conf.broker_transport_options == {"polling_interval": 0.05}


def test_what_was_just_planned_is_leased_in_the_same_tick() -> None:
    moments = iter([NOW.replace(minute=minute) for minute in (1, 2)])
    planned: list[datetime] = []
    leased_at: list[datetime] = []

    class Planner(Work):
        def plan_due(self) -> int:
            planned.append(next(moments))
            return 1

        def lease(self, queue: Queue, *, now: datetime, limit: int, lease_for: float) -> tuple[Claim, ...]:
            leased_at.append(now)
            return ()

    planner = Planner()
    tick(planner, planner, lambda _claim: None, lambda: next(moments))
    assert min(leased_at) > planned[0]
