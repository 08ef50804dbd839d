"""A worker, a tick, or both with a web server, over rows in a SQLite file: ``python -m tests.integration.worker_process``.

The rows stand in for the store, so that what is tried here is the worker alone: leases, fences, signals, the broker.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from pydantic import SecretStr

from auditor.domain.errors import StaleFenceError
from auditor.domain.ports import Claim, Queue
from auditor.settings import Settings
from auditor.worker.app import make_app, run_worker
from auditor.worker.tasks import LEASE_FOR, register
from auditor.worker.tick import Ticker

SCHEMA = """
CREATE TABLE IF NOT EXISTS work (
    id TEXT PRIMARY KEY, queue TEXT, lease_until REAL DEFAULT 0, fence INTEGER DEFAULT 0, done INTEGER DEFAULT 0,
    seconds REAL);
CREATE TABLE IF NOT EXISTS told (what TEXT, id TEXT, fence INTEGER, pid INTEGER);
"""
TENANT = UUID(int=1)


class Rows:
    """Claims and duties over one file; a unit of work is to sleep, then to be done under its fence."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as rows:
            rows.executescript(SCHEMA)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        rows = sqlite3.connect(self._path, timeout=20, isolation_level=None)
        try:
            rows.execute("BEGIN IMMEDIATE")
            yield rows
            if rows.in_transaction:
                rows.execute("COMMIT")
        finally:
            rows.close()

    def add(self, queue: Queue, id: UUID, *, seconds: float = 0.0) -> None:  # noqa: A002
        with self._open() as rows:
            rows.execute("INSERT INTO work (id, queue, seconds) VALUES (?, ?, ?)", (str(id), queue, seconds))

    def told(self, what: str) -> list[tuple[str, int, int]]:
        with self._open() as rows:
            return list(rows.execute("SELECT id, fence, pid FROM told WHERE what = ? ORDER BY rowid", (what,)))

    def lease(self, queue: Queue, *, now: datetime, limit: int, lease_for: float) -> tuple[Claim, ...]:
        with self._open() as rows:
            due = "SELECT id, fence FROM work WHERE queue = ? AND NOT done AND lease_until < ? LIMIT ?"
            found = list(rows.execute(due, (queue, now.timestamp(), limit)))
            until = now.timestamp() + lease_for
            rows.executemany(
                "UPDATE work SET fence = fence + 1, lease_until = ? WHERE id = ?", [(until, id_) for id_, _ in found]
            )
        return tuple(Claim(TENANT, UUID(id_), queue, fence + 1) for id_, fence in found)

    def due(self, queue: Queue, *, now: datetime) -> bool:
        with self._open() as rows:
            return rows.execute("SELECT 1 FROM work WHERE queue = ? AND NOT done", (queue,)).fetchone() is not None

    def plan_due(self) -> int:
        return 0

    def renew(self, claim: Claim, lease_for: float) -> None:
        self._fenced(claim, "lease_until = ?", time.time() + lease_for)

    def canary(self, queue: Queue) -> None:
        self._tell("canary", queue, 0)

    def collect(self, claim: Claim) -> None:
        with self._open() as rows:
            (seconds,) = rows.execute("SELECT seconds FROM work WHERE id = ?", (str(claim.id),)).fetchone()
        self._tell("begun", str(claim.id), claim.fence)
        time.sleep(seconds)
        self._fenced(claim, "done = done + ?", 1)
        self._tell("done", str(claim.id), claim.fence)

    assess = deliver = preflight = upkeep = export = collect

    def _fenced(self, claim: Claim, change: str, value: float) -> None:
        with self._open() as rows:
            which = "WHERE id = ? AND fence = ? AND NOT done"
            changed = rows.execute(f"UPDATE work SET {change} {which}", (value, str(claim.id), claim.fence)).rowcount
        if not changed:
            self._tell("stale", str(claim.id), claim.fence)
            raise StaleFenceError("somebody else has it")

    def _tell(self, what: str, id: str, fence: int) -> None:  # noqa: A002
        with self._open() as rows:
            rows.execute("INSERT INTO told VALUES (?, ?, ?, ?)", (what, id, fence, os.getpid()))


def clock() -> datetime:
    return datetime.now(UTC)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["worker", "tick", "embedded"])
    parser.add_argument("rows", type=Path)
    parser.add_argument("--broker")
    parser.add_argument("--prefix", default="auditor.")
    parser.add_argument("--lease", type=float, default=90.0)
    chosen = parser.parse_args()
    LEASE_FOR.update({"collect": chosen.lease, "assess": chosen.lease, "notify": chosen.lease})
    broker = SecretStr(chosen.broker) if chosen.broker else None
    app = make_app(Settings(broker_url=broker, home=chosen.rows.parent), prefix=chosen.prefix)
    rows = Rows(chosen.rows)
    ticker = Ticker(app, rows, rows, clock, every=0.2)
    register(app, lambda: rows, ring=ticker.ring)
    if chosen.mode == "worker":
        return run_worker(app, ("collect", "assess", "notify"), processes=2)
    if chosen.mode == "tick":
        ticker.run(threading.Event())
        return 0
    return embedded(app, ticker)


def announce(port: int) -> None:
    sys.stdout.write(f"ready {port}\n")
    sys.stdout.flush()


def embedded(app: object, ticker: Ticker) -> int:
    import waitress
    from celery import Celery

    from auditor.worker.embedded import run

    def page(_environ: object, start_response: object) -> list[bytes]:
        assert callable(start_response)
        start_response("200 OK", [("content-length", "5")])
        return [b"hello"]

    assert isinstance(app, Celery)
    server = waitress.create_server(page, host="127.0.0.1", port=0)
    port = server.effective_port
    return run(app, server, ticker, lambda: announce(port), threads=2)


if __name__ == "__main__":
    sys.exit(main())
