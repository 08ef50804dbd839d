"""The log of a tenant over real PostgreSQL: what is noted is appended once, in order, apart, and cannot be changed unseen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from auditor.domain.errors import LedgerError
from auditor.domain.ledger import nodes
from auditor.pipeline.checkpoint import Checkpointer, integrate, sign
from auditor.pipeline.recheck import Sound, recheck
from auditor.proof.entry import EntryError, commitment, parse
from auditor.proof.merkle import EMPTY_ROOT, inclusion_proof, verify_inclusion
from auditor.proof.note import Checkpoint, VerifierKey, open_note, parse_note
from auditor.proof.tiles import WIDTH
from auditor.store.database import Database, engine
from auditor.store.identity import Identities
from auditor.store.ledger import PostgresCopy, PostgresLedger
from auditor.store.memory import MemoryObjects
from auditor.store.noting import Note
from auditor.store.tenant_store import PostgresStore
from auditor.trust.signing import LogKeys, ensure, open_head, retire, rotate
from tests.fixtures.database import Provisioned

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
DIGEST = "ab" * 32


class Logs:
    """A tenant with books, a log and a key."""

    def __init__(self, app: Database, ledger: Database, path: Path) -> None:
        self.app, self.now, self.tenant = app, NOW, uuid4()
        self.store = PostgresStore(app, MemoryObjects())
        self.ledger = PostgresLedger(ledger)
        self.keys = LogKeys(path)
        Identities(app).add_tenant(self.tenant, slug=f"t{self.tenant.hex}", name="Tests", now=NOW)
        self.checkpointer = Checkpointer(self.ledger, self.store.open, self.keys, self.origin, lambda: self.now)

    def origin(self, tenant: UUID) -> str:
        return f"auditor.example/{tenant}"

    def note(self, count: int = 1, tenant: UUID | None = None) -> list[UUID]:
        events = [uuid4() for _ in range(count)]
        with self.store.open(tenant or self.tenant) as books:
            books.note_all([Note("finding.open", str(one), DIGEST, self.now, event=one) for one in events])
        return events

    def integrate(self, **limit: int) -> int:
        return integrate(self.ledger, self.tenant, origin=self.origin(self.tenant), now=self.now, **limit)

    def round(self) -> None:
        self.checkpointer.round(self.broken)

    def broken(self, tenant: UUID, error: LedgerError) -> None:
        if tenant == self.tenant:  # the others were signed with keys of other tests
            raise error

    def subjects(self, tenant: UUID | None = None) -> list[str]:
        with PostgresCopy.reading(self.app, tenant or self.tenant) as copy:
            return [parse(one.entry).subject for one in copy.entries()]

    def recheck(self) -> Sound:
        keys = [key.verifier(self.origin(self.tenant)) for key in self.keys.keys()]  # noqa: SIM118  (keys of a file, no dictionary)
        with PostgresCopy.reading(self.app, self.tenant) as copy:
            return recheck(copy, lambda note: open_head(note, keys))

    def verifier(self) -> VerifierKey:
        return self.keys.keys()[0].verifier(self.origin(self.tenant))


@pytest.fixture
def logs(app_database: Database, ledger_database: Database, tmp_path: Path) -> Iterator[Logs]:
    path = tmp_path / "ledger.key"
    ensure(path)
    made = Logs(app_database, ledger_database, path)
    yield made
    with ledger_database.plain() as connection:  # what waits must not be found by the next test
        assert (
            connection.scalar(text("SELECT count(*) FROM ledger_pending WHERE tenant_id = :t"), {"t": made.tenant}) == 0
        )


def superuser(provisioned: Provisioned, *statements: str) -> None:
    pool = engine(provisioned.admin_url, connections=1, autocommit=True)
    try:
        with pool.connect() as connection:
            connection.exec_driver_sql("SET session_replication_role = replica")  # no trigger fires: past every guard
            for statement in statements:
                connection.exec_driver_sql(statement)
    finally:
        pool.dispose()


def test_what_is_noted_is_appended_in_its_order_and_once(logs: Logs) -> None:
    first, second = logs.note(3), logs.note(2)
    with logs.store.open(logs.tenant) as books:  # two who did not see each other noted the same event
        books.note("finding.open", str(first[0]), DIGEST, at=NOW, salt=b"s" * 16, event=first[0])
    assert logs.integrate() == 6
    assert logs.integrate() == 0
    assert logs.subjects() == [str(one) for one in (*first, *second)]


def test_what_is_rolled_back_is_not_noted(logs: Logs) -> None:
    refused = Note("heartbeat", "a name with spaces", DIGEST, NOW)
    with pytest.raises(EntryError), logs.store.open(logs.tenant) as books:
        books.note_all([Note("heartbeat", "x", DIGEST, NOW), refused])
    assert logs.integrate() == 0
    with PostgresCopy.reading(logs.app, logs.tenant) as copy:
        assert copy.log() is None


def test_an_entry_from_a_clock_that_runs_ahead_waits_for_its_time(logs: Logs) -> None:
    logs.now = NOW + timedelta(minutes=20)
    late = logs.note(1)
    logs.now = NOW
    early = logs.note(1)
    assert logs.integrate() == 1
    assert logs.subjects() == [str(early[0])]
    logs.now = NOW + timedelta(minutes=16)
    assert logs.integrate() == 1
    assert logs.subjects() == [str(early[0]), str(late[0])]


@pytest.mark.parametrize("signed", [True, False])
def test_an_entry_from_a_clock_far_behind_is_held_back_and_told_of_and_the_others_go_on(
    logs: Logs, ledger_database: Database, signed: bool
) -> None:
    first = logs.note()
    logs.round() if signed else logs.integrate()
    logs.now = NOW - timedelta(minutes=50)
    slow = logs.note()
    logs.now = NOW - timedelta(minutes=90)
    held = logs.note(3)
    logs.now = NOW
    after = logs.note()
    told: list[str] = []
    for _ in range(3):
        logs.checkpointer.round(lambda tenant, error: told.append(str(error)) if tenant == logs.tenant else None)
    noted = [str(one) for one in (*first, *slow, *held, *after)]
    assert [one for one in logs.subjects() if one in noted] == [str(one) for one in (*first, *slow, *after)]
    assert len(told) == 1
    assert "3 entries are held back" in told[0]
    assert "2026-11-22T09:00:00Z" in told[0]
    assert "the clock of the host that noted it is more than an hour behind" in told[0]
    with ledger_database.under(logs.tenant) as connection:
        assert (
            connection.execute(text("DELETE FROM ledger_pending WHERE tenant_id = :t"), {"t": logs.tenant}).rowcount
            == 3
        )


def test_entries_of_one_batch_are_held_back_behind_one_another_and_never_fill_the_next(
    logs: Logs, ledger_database: Database
) -> None:
    first = logs.note()
    logs.now = NOW - timedelta(hours=2)
    logs.note(4)
    logs.now = NOW
    last = logs.note()
    while logs.integrate(limit=2):
        pass
    assert logs.subjects() == [str(first[0]), str(last[0])]
    with ledger_database.under(logs.tenant) as connection:
        assert (
            connection.execute(text("DELETE FROM ledger_pending WHERE tenant_id = :t"), {"t": logs.tenant}).rowcount
            == 4
        )


def test_what_is_no_entry_stops_its_own_log_and_no_other(logs: Logs) -> None:
    (event,) = logs.note(1)
    other = uuid4()
    Identities(logs.app).add_tenant(other, slug=f"t{other.hex}", name="Tests", now=NOW)
    with logs.app.under(other) as connection:
        connection.execute(
            text("INSERT INTO ledger_pending (tenant_id, entry, created_at) VALUES (:t, 'a name', :now)"),
            {"t": other, "now": NOW},
        )
    told: list[tuple[UUID, LedgerError]] = []
    logs.checkpointer.round(lambda tenant, error: told.append((tenant, error)))
    assert {tenant: str(error)[:22] for tenant, error in told}[other] == "what was noted as numb"
    assert str(event) in logs.subjects()
    with pytest.raises(LedgerError, match="is no entry"):
        integrate(logs.ledger, other, origin=logs.origin(other), now=NOW)


def test_the_commitment_opens_with_the_salt_that_was_kept(logs: Logs) -> None:
    (event,) = logs.note(1)
    logs.integrate()
    with logs.app.under(logs.tenant) as connection:
        salt = connection.scalar(text("SELECT salt FROM ledger_salt WHERE subject = :one"), {"one": str(event)})
    with PostgresCopy.reading(logs.app, logs.tenant) as copy:
        (entry,) = copy.entries()
    assert parse(entry.entry).commit == commitment(bytes(salt), DIGEST)


def test_a_person_stands_in_the_log_under_a_pseudonym(logs: Logs) -> None:
    who = uuid4()
    with logs.store.open(logs.tenant) as books:
        for actor in ("ana@example.org", "ana@example.org", "bob@example.org", str(who), "auditor"):
            books.record_action(actor, "scope.change", "production", {"why": "a move"}, now=NOW)
    logs.integrate()
    with PostgresCopy.reading(logs.app, logs.tenant) as copy:
        entries = list(copy.entries())
    actors = [parse(one.entry).actor for one in entries]
    assert actors[0] == actors[1] != actors[2]
    assert actors[3:] == [str(who), "system"]
    assert all(word not in one.entry for one in entries for word in (b"ana", b"bob", b"production", b"move"))
    assert {parse(one.entry).type for one in entries} == {"config.change"}


def test_tenants_have_logs_of_their_own(
    logs: Logs, app_database: Database, ledger_database: Database, tmp_path: Path
) -> None:
    ensure(tmp_path / "other.key")
    other = Logs(app_database, ledger_database, tmp_path / "other.key")
    mine, theirs = logs.note(2), other.note(3)
    logs.round()
    assert logs.subjects()[:2] == [str(one) for one in mine]
    assert other.subjects()[:3] == [str(one) for one in theirs]
    with PostgresCopy.reading(app_database, logs.tenant) as copy:
        assert copy.find(str(theirs[0])) is None


def test_every_entry_is_proven_under_the_signed_head_by_the_kernel(logs: Logs) -> None:
    logs.note(2 * WIDTH + 5)
    for limit in (WIDTH - 1, 2, 100, 1_000):
        logs.integrate(limit=limit)
    head = sign(logs.ledger, logs.tenant, logs.keys, now=NOW)
    assert head is not None
    said = Checkpoint.parse(open_note(head.note, logs.verifier()))
    assert (said.origin, said.size, said.at) == (logs.origin(logs.tenant), 2 * WIDTH + 5, NOW)
    with PostgresCopy.reading(logs.app, logs.tenant) as copy:
        tree = nodes(said.size, lambda level, n: copy.tile(level, n) or b"", copy.leaves)
        for index in (0, 1, WIDTH - 1, WIDTH, 2 * WIDTH, said.size - 1):
            entry = copy.find(str(index))
            assert entry is not None
            proof = inclusion_proof(index, said.size, tree)
            assert verify_inclusion(entry.leaf, index, said.size, proof, said.root)
            assert not verify_inclusion(b"x" * 32, index, said.size, proof, said.root)
    assert logs.recheck().size == said.size


def test_a_size_is_signed_once_and_heads_follow_each_other(logs: Logs) -> None:
    logs.note(3)
    logs.integrate()
    assert sign(logs.ledger, logs.tenant, logs.keys, now=NOW) is not None
    assert sign(logs.ledger, logs.tenant, logs.keys, now=NOW + timedelta(minutes=1)) is None
    logs.note(4)
    logs.integrate()
    assert sign(logs.ledger, logs.tenant, logs.keys, now=NOW) is not None
    sound = logs.recheck()
    assert (sound.size, sound.heads, sound.signed_size) == (7, 2, 7)


def test_a_heartbeat_is_noted_once_an_hour_also_when_nothing_happens(logs: Logs) -> None:
    logs.note(1)
    logs.round()
    for minutes in (1, 2, 59, 61, 121):
        logs.now = NOW + timedelta(minutes=minutes)
        logs.round()
    with PostgresCopy.reading(logs.app, logs.tenant) as copy:
        beats = [parse(one.entry).at for one in copy.entries() if parse(one.entry).type == "heartbeat"]
    assert beats == [NOW + timedelta(minutes=one) for one in (1, 59, 121)]
    logs.recheck()


def test_a_new_key_signs_beside_the_old_one_once_the_log_tells_of_it(logs: Logs, tmp_path: Path) -> None:
    logs.note(1)
    logs.integrate()
    old = logs.verifier()
    new = rotate(tmp_path / "ledger.key").verifier(old.name)
    before = sign(logs.ledger, logs.tenant, logs.keys, now=NOW)
    assert before is not None
    assert not parse_note(before.note).signed_by(new)
    logs.round()
    assert f"ed25519:{new.key.hex()}" in logs.subjects()
    with PostgresCopy.reading(logs.app, logs.tenant) as copy:
        after = copy.last_head()
    assert after is not None
    note = parse_note(after.note)
    assert note.signed_by(old)
    assert note.signed_by(new)
    retire(tmp_path / "ledger.key")
    logs.note(1)
    logs.round()
    with PostgresCopy.reading(logs.app, logs.tenant) as copy:
        last = copy.last_head()
    assert last is not None
    assert not parse_note(last.note).signed_by(old)
    with PostgresCopy.reading(logs.app, logs.tenant) as copy:
        recheck(copy, lambda one: open_head(one, [old, new]))


@pytest.mark.parametrize("table", ["ledger_log", "ledger_entry", "ledger_tile", "ledger_checkpoint"])
def test_the_application_may_neither_append_nor_change_the_log(logs: Logs, table: str) -> None:
    for statement in (
        f"DELETE FROM {table}",
        f"UPDATE {table} SET tenant_id = tenant_id",
        f"INSERT INTO {table} DEFAULT VALUES",
    ):
        with pytest.raises(ProgrammingError, match="permission denied"), logs.app.under(logs.tenant) as connection:
            connection.execute(text(statement))


def test_the_application_cannot_take_back_what_it_noted_or_read_what_waits(logs: Logs) -> None:
    logs.note(1)
    for statement in (
        "DELETE FROM ledger_pending",
        "SELECT entry FROM ledger_pending",
        "UPDATE ledger_pending SET entry = ''",
    ):
        with pytest.raises(ProgrammingError, match="permission denied"), logs.app.under(logs.tenant) as connection:
            connection.execute(text(statement))
    logs.integrate()


def test_the_role_that_appends_reads_nothing_else(logs: Logs, ledger_database: Database) -> None:
    for table in ("finding", "evidence", "source", "ledger_salt", "user_action", "webhook", "tenant", "work"):
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            ledger_database.under(logs.tenant) as connection,
        ):
            connection.execute(text(f"SELECT 1 FROM {table}"))


def test_neither_the_role_that_appends_nor_the_owner_changes_what_was_appended(
    logs: Logs, provisioned: Provisioned, ledger_database: Database
) -> None:
    logs.note(1)
    logs.round()
    for statement in (
        "UPDATE ledger_entry SET entry = ''",
        "DELETE FROM ledger_entry",
        "DELETE FROM ledger_checkpoint",
    ):
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            ledger_database.under(logs.tenant) as connection,
        ):
            connection.execute(text(statement))
    owner = Database(engine(provisioned.owner_url, connections=1))
    try:
        for statement in (
            "UPDATE ledger_entry SET entry = ''",
            "DELETE FROM ledger_entry",
            "TRUNCATE ledger_entry",
            "DELETE FROM ledger_tile",
            "DELETE FROM ledger_checkpoint",
            "UPDATE ledger_checkpoint SET note = ''",
            "UPDATE ledger_log SET size = 0, signed_size = 0",
        ):
            with pytest.raises(IntegrityError, match=r"append-only|only grows"), owner.under(logs.tenant) as connection:
                connection.execute(text(statement))
    finally:
        owner.close()


TAMPERED = {
    "an edited entry": (
        "UPDATE ledger_entry SET entry = replace(encode(entry, 'escape'), 'open', 'close')::bytea WHERE idx = 3 AND {mine}",
        "entry 3 is not what it was",
    ),
    "an edited entry with its leaf hash": (
        """UPDATE ledger_entry SET (entry, leaf_hash) =
            (SELECT entry, leaf_hash FROM ledger_entry e WHERE e.idx = 4 AND {mine}) WHERE idx = 3 AND {mine}""",
        "do not give the root|not what its entries give",
    ),
    "a dropped entry": ("DELETE FROM ledger_entry WHERE idx = 3 AND {mine}", "entry 3 is missing"),
    "a cut log": ("DELETE FROM ledger_entry WHERE idx > 250 AND {mine}", "the log was cut"),
    "a tile": (
        "UPDATE ledger_tile SET hashes = overlay(hashes PLACING 'xxxx'::bytea FROM 9) WHERE {mine}",
        "tile 0 of level 0",
    ),
    "a missing tile": ("DELETE FROM ledger_tile WHERE {mine}", "tile 0 of level 0 is missing"),
    "a head's root": (
        "UPDATE ledger_checkpoint SET note = replace(note, '=', '/') WHERE {mine}",
        "the head of size",
    ),
    "the last head": ("DELETE FROM ledger_checkpoint WHERE {mine}", "its last head covers 0"),
    "the left edge": (
        "UPDATE ledger_log SET frontier = overlay(frontier PLACING 'xxxx'::bytea FROM 20) WHERE {mine}",
        "another left edge",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_tampering_past_every_guard_is_noticed(logs: Logs, provisioned: Provisioned, what: str) -> None:
    logs.note(WIDTH + 10)
    logs.round()
    logs.recheck()
    statement, told = TAMPERED[what]
    superuser(provisioned, statement.format(mine=f"tenant_id = '{logs.tenant}'"))
    with pytest.raises(LedgerError, match=told):
        logs.recheck()


def test_a_log_that_was_rewritten_is_not_signed_again(logs: Logs, provisioned: Provisioned) -> None:
    logs.note(5)
    logs.integrate()
    sign(logs.ledger, logs.tenant, logs.keys, now=NOW)
    superuser(
        provisioned,
        f"UPDATE ledger_log SET frontier = overlay(frontier PLACING 'xxxx'::bytea FROM 20) WHERE tenant_id = '{logs.tenant}'",
    )
    with pytest.raises(LedgerError, match="signed with another root"):
        sign(logs.ledger, logs.tenant, logs.keys, now=NOW)


def test_an_empty_log_is_sound(logs: Logs) -> None:
    assert (logs.recheck().size, logs.recheck().root) == (0, EMPTY_ROOT)
