"""Real worker processes on a real Redis: killed, paused, robbed of their messages, told to stop; and all in one process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from redis import Redis

from tests.fixtures.redis_server import RedisServer, free_port, redis_server, spawned
from tests.integration.worker_process import Rows

__all__ = ["redis_server"]
ROOT = Path(__file__).parents[2]


class Crew:
    """Processes of one test, on one file of rows and one key prefix; none outlives the test."""

    def __init__(self, folder: Path, broker: RedisServer | None) -> None:
        self.file = folder / "rows.sqlite"
        self.rows = Rows(self.file)
        self.prefix = f"{broker.prefix if broker else ''}{uuid4().hex}."
        self._log = (folder / "log").open("wb")
        self._options = ["--broker", broker.url, "--prefix", self.prefix] if broker else []
        self._running: list[subprocess.Popen[str]] = []

    def start(self, mode: str, *, lease: float = 90.0) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.integration.worker_process", mode, str(self.file), *self._options]
        process = subprocess.Popen(
            [*command, "--lease", str(lease)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,
        )
        self._running.append(process)
        return process

    def add(self, *, count: int = 1, seconds: float = 0.0) -> list[UUID]:
        ids = [uuid4() for _ in range(count)]
        for id_ in ids:
            self.rows.add("collect", id_, seconds=seconds)
        return ids

    def close(self) -> None:
        for process in self._running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
            if process.stdout is not None:
                process.stdout.close()
        self._log.close()


@pytest.fixture
def crew(tmp_path: Path, redis_server: RedisServer) -> Iterator[Crew]:
    people = Crew(tmp_path, redis_server)
    yield people
    people.close()


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Crew]:
    people = Crew(tmp_path, None)
    yield people
    people.close()


def eventually(true: Callable[[], bool], *, within: float = 120.0) -> None:
    until = time.monotonic() + within
    while not true():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.1)


def kill(process: subprocess.Popen[str]) -> None:
    """The worker and its forked children at once, as a machine that loses power."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


@pytest.mark.redis
def test_leased_work_is_done_once_each_by_a_worker_process(crew: Crew) -> None:
    worker = crew.start("worker")
    crew.start("tick")
    ids = crew.add(count=20)
    eventually(lambda: len(crew.rows.told("done")) >= 20)
    done = crew.rows.told("done")
    assert sorted(id_ for id_, _, _ in done) == sorted(map(str, ids))
    assert {fence for _, fence, _ in done} == {1}
    assert worker.pid not in {pid for _, _, pid in done}
    eventually(lambda: {queue for queue, _, _ in crew.rows.told("canary")} == {"collect", "assess", "notify"})


@pytest.mark.redis
def test_the_work_of_a_killed_worker_is_done_again_by_another_under_a_higher_fence(crew: Crew) -> None:
    victim = crew.start("worker", lease=2.0)
    crew.start("tick", lease=2.0)
    (id_,) = crew.add(seconds=1.5)
    eventually(lambda: bool(crew.rows.told("begun")))
    kill(victim)
    assert crew.rows.told("done") == []
    crew.start("worker", lease=2.0)
    eventually(lambda: bool(crew.rows.told("done")))
    ((done, fence, _),) = crew.rows.told("done")
    assert (done, fence > 1) == (str(id_), True)


@pytest.mark.redis
def test_a_worker_that_slept_through_its_lease_comes_back_and_is_refused(crew: Crew) -> None:
    sleeper = crew.start("worker", lease=2.0)
    crew.start("tick", lease=2.0)
    crew.add(seconds=1.5)
    eventually(lambda: bool(crew.rows.told("begun")))
    asleep = crew.rows.told("begun")[0][1]  # a slow start may have cost it the first lease already
    os.killpg(sleeper.pid, signal.SIGSTOP)
    crew.start("worker", lease=2.0)
    eventually(lambda: bool(crew.rows.told("done")))
    os.killpg(sleeper.pid, signal.SIGCONT)
    eventually(lambda: any(fence == asleep for _, fence, _ in crew.rows.told("stale")))
    ((_, fence, _),) = crew.rows.told("done")
    assert fence > asleep


@pytest.mark.redis
def test_work_longer_than_its_lease_is_held_on_to(crew: Crew) -> None:
    crew.start("worker", lease=1.5)
    crew.start("tick", lease=1.5)
    crew.add(seconds=5)
    eventually(lambda: bool(crew.rows.told("done")))
    assert len({fence for _, fence, _ in crew.rows.told("begun")}) == 1


@pytest.mark.redis
def test_messages_that_the_broker_loses_are_sent_again(crew: Crew, redis_server: RedisServer) -> None:
    crew.start("tick", lease=2.0)
    client = Redis.from_url(redis_server.url)
    ids = crew.add(count=3)
    eventually(lambda: client.llen(f"{crew.prefix}collect") >= 3)
    client.delete(f"{crew.prefix}collect")
    client.close()
    crew.start("worker", lease=2.0)
    eventually(lambda: len(crew.rows.told("done")) >= 3)
    assert sorted(done for done, _, _ in crew.rows.told("done")) == sorted(map(str, ids))


@pytest.mark.redis
def test_a_worker_told_to_stop_ends_its_task_first(crew: Crew) -> None:
    worker = crew.start("worker")
    tick = crew.start("tick")
    crew.add(seconds=2)
    eventually(lambda: bool(crew.rows.told("begun")))
    kill(tick)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert len(crew.rows.told("done")) == 1


@pytest.mark.redis
def test_a_broker_that_restarts_is_found_again(tmp_path: Path, redis_server: RedisServer) -> None:
    """On a server of its own, as others may be using the shared one."""
    port = free_port()
    people: Crew | None = None
    try:
        with spawned(port) as first:
            people = Crew(tmp_path, first)
            people.start("worker", lease=2.0)
            people.start("tick", lease=2.0)
            people.add()
            rows = people.rows
            eventually(lambda: len(rows.told("done")) == 1)
        people.add(count=3)
        with spawned(port):
            eventually(lambda: len(rows.told("done")) == 4, within=150)
    finally:
        if people is not None:
            people.close()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_one_process_serves_ticks_and_works_and_leaves_cleanly(alone: Crew, how: signal.Signals) -> None:
    process = alone.start("embedded")
    assert process.stdout is not None
    word, port = process.stdout.readline().split()
    assert word == "ready"
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
        assert page.read() == b"hello"
    ids = alone.add(count=5)
    eventually(lambda: len(alone.rows.told("done")) >= 5, within=90)
    assert sorted(id_ for id_, _, _ in alone.rows.told("done")) == sorted(map(str, ids))
    process.send_signal(how)
    assert process.wait(20) == 0


def test_one_process_that_was_killed_takes_its_work_up_again(alone: Crew) -> None:
    process = alone.start("embedded", lease=1.5)
    alone.add(seconds=1)
    eventually(lambda: bool(alone.rows.told("begun")))
    kill(process)
    alone.start("embedded", lease=1.5)
    eventually(lambda: bool(alone.rows.told("done")), within=90)
    ((_, fence, _),) = alone.rows.told("done")
    assert fence > 1
