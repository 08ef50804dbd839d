"""Noting and appending: four processes note in batches while one appends and signs; then the whole log is gone through.

The database is the embedded one in a temp folder, with its ordinary durability: each batch is a commit on disk.
"""

from __future__ import annotations

import multiprocessing
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from auditor.pipeline.checkpoint import integrate, sign
from auditor.pipeline.recheck import recheck
from auditor.store import embedded
from auditor.store.database import connect
from auditor.store.identity import Identities
from auditor.store.ledger import PostgresCopy, PostgresLedger
from auditor.store.memory import MemoryObjects
from auditor.store.noting import Note
from auditor.store.provision import Roles, migrate
from auditor.store.tenant_store import PostgresStore
from auditor.trust.signing import LogKeys, ensure, open_head
from benchmarks.figures import Row, at_least, at_most

WRITERS = 4
BATCH = 50
ENTRIES, QUICK = 100_000, 4_000
WORLD = "ledger, four writers"
RATE, RECHECKED, P95 = 3_000, 50_000, 100.0
DIGEST = "ab" * 32


def appended(*, quick: bool) -> Iterator[Row]:
    """Entries noted, appended and signed in a second, how long a batch waits for its commit, and how fast all is checked."""
    folder = Path(tempfile.mkdtemp(prefix="auditor-bench-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        server = embedded.start(folder / "home")
        try:
            migrate(server.urls.owner, Roles())
            yield from _measured(server.urls, folder / "ledger.key", QUICK if quick else ENTRIES)
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measured(urls: embedded.Urls, key: Path, total: int) -> Iterator[Row]:
    ensure(key)
    keys, tenant = LogKeys(key), uuid4()
    app, appending = connect(urls.app, connections=2), connect(urls.ledger, connections=2)
    ledger = PostgresLedger(appending)
    origin = f"auditor.example/{tenant}"
    Identities(app).add_tenant(tenant, slug="bench", name="Bench", now=datetime.now(UTC))
    context = multiprocessing.get_context("spawn")
    told: Any = context.Queue()
    ready, go = context.Barrier(WRITERS + 1), context.Event()
    writers = [
        context.Process(target=_write, args=(urls.app, tenant, total // WRITERS, ready, go, told))
        for _ in range(WRITERS)
    ]
    try:
        for one in writers:
            one.start()
        ready.wait()
        go.set()
        began, done, heads = time.perf_counter(), 0, 0
        while done < total:
            n = integrate(ledger, tenant, origin=origin, now=datetime.now(UTC))
            done += n
            heads += sign(ledger, tenant, keys, now=datetime.now(UTC)) is not None
            if not n:
                time.sleep(0.01)
        took = time.perf_counter() - began
        waits = sorted(wait for _ in writers for wait in told.get())
        for one in writers:
            one.join()
        yield at_least(WORLD, f"{total:,} entries noted, appended and signed", total / took, RATE, "/s")
        yield Row(
            WORLD, f"heads signed meanwhile; commit of {BATCH} notes, median", _ms(heads, statistics.median(waits))
        )
        yield at_most(
            WORLD, f"commit of {BATCH} notes, 95 of 100 within", waits[len(waits) * 95 // 100] * 1e3, P95, " ms"
        )
        began = time.perf_counter()
        with PostgresCopy.reading(app, tenant) as copy:
            found = recheck(copy, partial(open_head, keys=keys.known(origin)))
        yield at_least(
            WORLD,
            "entries gone through again, every hash and head",
            found.size / (time.perf_counter() - began),
            RECHECKED,
            "/s",
        )
    finally:
        for one in writers:
            if one.is_alive():
                one.kill()
        app.close()
        appending.close()


def _ms(heads: int, seconds: float) -> str:
    return f"{heads}; {seconds * 1e3:.1f} ms"


def _write(url: str, tenant: UUID, count: int, ready: Any, go: Any, told: Any) -> None:
    """Note in batches, each a transaction; how long each took goes back."""
    database = connect(url, connections=1)
    store, waits = PostgresStore(database, MemoryObjects()), []
    with store.open(tenant):
        pass
    ready.wait()
    go.wait()
    for _ in range(count // BATCH):
        now, began = datetime.now(UTC), time.perf_counter()
        with store.open(tenant) as books:
            events = [uuid4() for _ in range(BATCH)]
            books.note_all([Note("finding.open", str(one), DIGEST, now, event=one) for one in events])
        waits.append(time.perf_counter() - began)
    told.put(waits)
    database.close()
