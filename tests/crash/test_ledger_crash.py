"""Power is lost before and after every write of appending and signing, twice each; whoever starts next has an unbroken log."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from auditor.pipeline.checkpoint import integrate, sign
from auditor.pipeline.recheck import recheck
from auditor.proof.entry import parse
from auditor.proof.note import Checkpoint
from auditor.store.database import Database, connect
from auditor.store.identity import Identities
from auditor.store.ledger import PostgresBook, PostgresCopy, PostgresLedger
from auditor.store.memory import MemoryObjects
from auditor.store.noting import Note
from auditor.store.tenant_store import PostgresStore
from auditor.trust.signing import LogKeys, ensure, open_head
from tests.fixtures.database import Provisioned

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
DIGEST = "cd" * 32
WRITES = ("INSERT", "UPDATE", "DELETE")
AT_A_TIME = 130
"""Two rounds fill a tile, so that tiles are written under half of the kills."""


class Fuse:
    """Ends the process without a word at the step it was set for."""

    def __init__(self, at: int) -> None:
        self._left = at

    def step(self) -> None:
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


class FusedBook(PostgresBook):
    """A book that steps the fuse before and after each write."""

    fuse: Fuse

    def _run(self, sql: str, **values: Any) -> Any:
        if not sql.lstrip().startswith(WRITES):
            return super()._run(sql, **values)
        self.fuse.step()
        result = super()._run(sql, **values)
        self.fuse.step()
        return result


class FusedLedger(PostgresLedger):
    """A ledger that steps the fuse once more when a transaction is committed: done, and nobody heard of it."""

    def __init__(self, database: Database, fuse: Fuse) -> None:
        super().__init__(database)
        self._fuse = fuse

    @contextmanager
    def open(self, tenant: UUID) -> Iterator[PostgresBook]:
        with super().open(tenant) as book:
            book.__class__ = FusedBook
            book.fuse = self._fuse  # type: ignore[attr-defined]
            yield book
        self._fuse.step()


class RecordedKeys(LogKeys):
    """A signer that writes down each head it was asked to sign before it does."""

    def __init__(self, path: Path, record: Path) -> None:
        super().__init__(path)
        self._record = record

    def sign(self, head: Checkpoint, *, covers: Callable[[UUID], bool]) -> str:
        with self._record.open("a", encoding="ascii") as record:
            record.write(f"{head.size} {head.root.hex()}\n")
        return super().sign(head, covers=covers)


def origin(tenant: UUID) -> str:
    return f"auditor.example/{tenant}"


def killed_at(step: int, provisioned: Provisioned, tenant: UUID, keys: RecordedKeys) -> bool:
    """Append and sign in a process of its own that dies at a step; false if it came to its end before."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            fuse, database = Fuse(step), connect(provisioned.ledger_url, connections=1)
            ledger = FusedLedger(database, fuse)
            while integrate(ledger, tenant, origin=origin(tenant), now=NOW):
                pass
            sign(ledger, tenant, keys, now=NOW)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the process failed by itself"
    return False


@pytest.fixture
def keys(tmp_path: Path) -> RecordedKeys:
    ensure(tmp_path / "ledger.key")
    return RecordedKeys(tmp_path / "ledger.key", tmp_path / "signed")


def test_a_kill_at_any_step_twice_loses_and_doubles_nothing_and_signs_one_root_a_size(
    provisioned: Provisioned, app_database: Database, ledger_database: Database, keys: RecordedKeys, tmp_path: Path
) -> None:
    store, ledger, tenant = PostgresStore(app_database, MemoryObjects()), PostgresLedger(ledger_database), uuid4()
    Identities(app_database).add_tenant(tenant, slug=f"t{tenant.hex}", name="Tests", now=NOW)
    noted: list[str] = []

    def note() -> None:
        events = [uuid4() for _ in range(AT_A_TIME)]
        noted.extend(map(str, events))
        with store.open(tenant) as books:
            books.note_all([Note("finding.open", str(one), DIGEST, NOW, event=one) for one in events])

    def sound() -> int:
        with PostgresCopy.reading(app_database, tenant) as copy:
            found = recheck(copy, lambda text: open_head(text, keys.known(origin(tenant))))
            assert [parse(one.entry).subject for one in copy.entries()] == noted[: found.size]
        return found.size

    step, died = 0, True
    while died:
        note()
        died = killed_at(step, provisioned, tenant, keys)
        sound()
        killed_at(step, provisioned, tenant, keys)
        sound()
        while integrate(ledger, tenant, origin=origin(tenant), now=NOW):
            pass
        sign(ledger, tenant, keys, now=NOW)
        assert sound() == len(noted)
        step += 1
    assert step > 12, "a first round has more writes than that"
    roots: dict[str, set[str]] = {}
    for line in (tmp_path / "signed").read_text("ascii").splitlines():
        size, root = line.split()
        roots.setdefault(size, set()).add(root)
    assert all(len(found) == 1 for found in roots.values())
    with PostgresCopy.reading(app_database, tenant) as copy:
        assert {str(head.size) for head in copy.heads()} <= roots.keys()


def test_two_who_append_at_once_make_one_log(
    provisioned: Provisioned, app_database: Database, keys: RecordedKeys
) -> None:
    store, tenant = PostgresStore(app_database, MemoryObjects()), uuid4()
    Identities(app_database).add_tenant(tenant, slug=f"t{tenant.hex}", name="Tests", now=NOW)
    events = [uuid4() for _ in range(600)]
    with store.open(tenant) as books:
        books.note_all([Note("finding.open", str(one), DIGEST, NOW, event=one) for one in events])
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                ledger = PostgresLedger(connect(provisioned.ledger_url, connections=1))
                while integrate(ledger, tenant, origin=origin(tenant), now=NOW, limit=37):
                    sign(ledger, tenant, keys, now=NOW)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]
    with PostgresCopy.reading(app_database, tenant) as copy:
        found = recheck(copy, lambda text: open_head(text, keys.known(origin(tenant))))
        assert [parse(one.entry).subject for one in copy.entries()] == [str(one) for one in events]
    assert found.size == 600
