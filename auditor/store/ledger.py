"""The log of each tenant in PostgreSQL, through a role that appends and may do nothing else.

One transaction holds a log under an advisory lock: two processes that integrate at once do so one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from auditor.domain.errors import LedgerError
from auditor.domain.ledger import Appended, Head, Log, Pending, Tiles
from auditor.proof.canonical import instant
from auditor.proof.merkle import Frontier
from auditor.proof.tiles import WIDTH
from auditor.store.bundles import PostgresSeals
from auditor.store.database import Database

_WAITING = text("SELECT DISTINCT tenant_id FROM ledger_pending ORDER BY tenant_id")
_TENANTS = text("SELECT tenant_id FROM ledger_log ORDER BY tenant_id")
_UNSIGNED = text("SELECT tenant_id FROM ledger_log WHERE size > signed_size ORDER BY tenant_id")
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"
_LOG = "SELECT origin, size, frontier, signed_size, signed_root FROM ledger_log WHERE tenant_id = :tenant"
_BEGIN = "INSERT INTO ledger_log (tenant_id, origin, frontier) VALUES (:tenant, :origin, :frontier)"
_PENDING = """
SELECT id, entry, event_id FROM ledger_pending
WHERE tenant_id = :tenant AND created_at <= :until AND created_at >= coalesce(CAST(:since AS timestamptz), '-infinity')
ORDER BY id LIMIT :limit
"""
_LATEST = """
SELECT max(rtrim(substring(encode(entry, 'escape') FROM '"at":"([0-9T:.-]+Z)"'), 'Z') COLLATE "C") FROM ledger_entry
WHERE tenant_id = :tenant AND idx >= (SELECT signed_size FROM ledger_log WHERE tenant_id = :tenant)
"""
_APPEND = """
INSERT INTO ledger_entry (tenant_id, idx, leaf_hash, entry, event_id)
SELECT :tenant, r.idx, r.leaf, r.entry, r.event
FROM unnest(CAST(:indexes AS bigint[]), CAST(:leaves AS bytea[]), CAST(:entries AS bytea[]), CAST(:events AS uuid[]))
    AS r (idx, leaf, entry, event)
"""
_TILES = """
INSERT INTO ledger_tile (tenant_id, level, n, hashes)
SELECT :tenant, r.level, r.n, r.hashes
FROM unnest(CAST(:levels AS int[]), CAST(:numbers AS bigint[]), CAST(:hashes AS bytea[])) AS r (level, n, hashes)
"""
_GROW = "UPDATE ledger_log SET size = :size, frontier = :frontier WHERE tenant_id = :tenant"
_SETTLE = "DELETE FROM ledger_pending WHERE tenant_id = :tenant AND id = ANY (:ids)"
_HEAD = "SELECT size, note, tsa_token, anchored_at FROM ledger_checkpoint WHERE size = :size"
_KEEP_HEAD = "INSERT INTO ledger_checkpoint (tenant_id, size, note) VALUES (:tenant, :size, :note)"
_SIGNED = "UPDATE ledger_log SET signed_size = :size, signed_root = :root WHERE tenant_id = :tenant"
_BY_SUBJECT = """
SELECT idx, leaf_hash, entry, event_id FROM ledger_entry WHERE position(CAST(:subject AS bytea) IN entry) > 0 ORDER BY idx DESC LIMIT 1
"""
_ANCHORED = """
UPDATE ledger_checkpoint SET anchored_at = coalesce(anchored_at, :at), tsa_token = coalesce(tsa_token, :token),
    stamped_at = coalesce(stamped_at, CASE WHEN CAST(:token AS bytea) IS NOT NULL THEN CAST(:at AS timestamptz) END)
WHERE tenant_id = :tenant AND size = :size
"""
_UNSTAMPED = """
SELECT size, note, tsa_token, anchored_at FROM ledger_checkpoint
WHERE size = (SELECT signed_size FROM ledger_log WHERE tenant_id = :tenant) AND tsa_token IS NULL
    AND NOT EXISTS (SELECT 1 FROM ledger_checkpoint WHERE tenant_id = :tenant AND stamped_at >= :since)
"""


class PostgresBook:
    """``domain.ledger.Book`` over one open transaction."""

    def __init__(self, connection: Connection, tenant: UUID) -> None:
        self._connection = connection
        self._tenant = tenant

    def log(self) -> Log | None:
        """The log; none if nothing was ever appended."""
        return read_log(self._connection, self._tenant)

    def begin(self, origin: str) -> None:
        """Start an empty log."""
        self._run(_BEGIN, tenant=self._tenant, origin=origin, frontier=Frontier().to_bytes())

    def pending(self, limit: int, *, until: datetime, since: datetime | None = None) -> list[Pending]:
        """What waits, by the id it was noted under."""
        rows = self._run(_PENDING, tenant=self._tenant, until=until, since=since, limit=limit)
        return [Pending(row.id, bytes(row.entry), row.event_id) for row in rows]

    def latest(self) -> datetime | None:
        """The latest time that an entry says which no signed head covers. Raises ``LedgerError`` if it is none."""
        found = self._run(_LATEST, tenant=self._tenant).scalar_one()
        try:
            return None if found is None else instant(f"{found}Z")
        except ValueError as error:
            raise LedgerError(f"an entry says no time: {error}", advice="Run: auditor ledger verify") from error

    def known(self, events: Sequence[UUID]) -> frozenset[UUID]:
        """Which of these events the log has."""
        asked = "SELECT event_id FROM ledger_entry WHERE tenant_id = :tenant AND event_id = ANY (:events)"
        return (
            frozenset(self._run(asked, tenant=self._tenant, events=list(events)).scalars()) if events else frozenset()
        )

    def leaves(self, start: int) -> list[bytes]:
        """The leaf hashes from there on."""
        return leaves(self._connection, start)

    def tile(self, level: int, number: int) -> bytes:
        """A full tile. Raises ``NoResultFound`` if it is not there."""
        asked = "SELECT hashes FROM ledger_tile WHERE level = :level AND n = :n"
        return bytes(self._run(asked, level=level, n=number).scalar_one())

    def append(self, entries: Sequence[Appended], full: Tiles, frontier: Frontier) -> None:
        """Entries, the tiles they filled, and the left edge: all or none."""
        self._run(
            _APPEND,
            tenant=self._tenant,
            indexes=[one.index for one in entries],
            leaves=[one.leaf for one in entries],
            entries=[one.entry for one in entries],
            events=[one.event for one in entries],
        )
        if full:
            levels, numbers = zip(*full, strict=True)
            self._run(
                _TILES, tenant=self._tenant, levels=list(levels), numbers=list(numbers), hashes=list(full.values())
            )
        self._run(_GROW, tenant=self._tenant, size=frontier.size, frontier=frontier.to_bytes())

    def settle(self, ids: Sequence[int]) -> None:
        """These wait no more."""
        self._run(_SETTLE, tenant=self._tenant, ids=list(ids))

    def head(self, size: int) -> Head | None:
        """The head that was signed for this size."""
        row = self._run(_HEAD, size=size).one_or_none()
        return None if row is None else Head(row.size, row.note, row.tsa_token, row.anchored_at)

    def keep_head(self, size: int, root: bytes, note: str) -> None:
        """Keep a signed head."""
        self._run(_KEEP_HEAD, tenant=self._tenant, size=size, note=note)
        self._run(_SIGNED, tenant=self._tenant, size=size, root=root)

    def unstamped(self, *, since: datetime) -> Head | None:
        """The latest head, if it has no time stamp and no other was given one since then."""
        row = self._run(_UNSTAMPED, tenant=self._tenant, since=since).one_or_none()
        return None if row is None else Head(row.size, row.note, row.tsa_token, row.anchored_at)

    def mark_anchored(self, size: int, *, at: datetime, token: bytes | None = None) -> None:
        """A copy of this head lies outside since then, or a timestamp was given for it; the first of each stays."""
        self._run(_ANCHORED, tenant=self._tenant, size=size, at=at, token=token)

    def index_of(self, event: UUID) -> int | None:
        """Where the log has an event."""
        asked = "SELECT idx FROM ledger_entry WHERE tenant_id = :tenant AND event_id = :event"
        found: int | None = self._run(asked, tenant=self._tenant, event=event).scalar_one_or_none()
        return found

    def _run(self, sql: str, **values: Any) -> Any:
        return self._connection.execute(text(sql), values)


class PostgresLedger:
    """``domain.ledger.Ledger`` over the role of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def seals(self) -> PostgresSeals:
        """What bundles wait to have signed, through the same role."""
        return PostgresSeals(self._database)

    def waiting(self) -> tuple[UUID, ...]:
        """Tenants with something to append."""
        with self._database.plain() as connection:
            return tuple(connection.execute(_WAITING).scalars())

    def tenants(self) -> tuple[UUID, ...]:
        """Tenants that have a log."""
        with self._database.plain() as connection:
            return tuple(connection.execute(_TENANTS).scalars())

    def unsigned(self) -> tuple[UUID, ...]:
        """Tenants whose log grew since it was signed."""
        with self._database.plain() as connection:
            return tuple(connection.execute(_UNSIGNED).scalars())

    @contextmanager
    def open(self, tenant: UUID) -> Iterator[PostgresBook]:
        """One transaction over one log, alone."""
        with self._database.under(tenant) as connection:
            connection.execute(text(_LOCK), {"key": f"{tenant}\x1fledger"})
            yield PostgresBook(connection, tenant)


class PostgresCopy:
    """``domain.ledger.Copy``: a tenant's log read in one snapshot, as the application may; use it in a ``with`` block."""

    def __init__(self, connection: Connection, tenant: UUID) -> None:
        self._connection = connection
        self._tenant = tenant

    @classmethod
    @contextmanager
    def reading(cls, database: Database, tenant: UUID) -> Iterator[PostgresCopy]:
        """The log as it stands at one instant, however long reading it takes."""
        with database.reading(tenant) as connection:
            yield cls(connection, tenant)

    def log(self) -> Log | None:
        """What the log says of itself."""
        return read_log(self._connection, self._tenant)

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Appended]:
        """Every entry of ``[start, stop)`` in order; some thousands are held at a time."""
        sql = "SELECT idx, leaf_hash, entry, event_id FROM ledger_entry WHERE idx >= :at ORDER BY idx LIMIT :limit"
        while stop is None or start < stop:
            limit = WIDTH * 32 if stop is None else min(WIDTH * 32, stop - start)
            rows = self._connection.execute(text(sql), {"at": start, "limit": limit}).all()
            if not rows:
                return
            for row in rows:
                yield Appended(row.idx, bytes(row.leaf_hash), bytes(row.entry), row.event_id)
            start = rows[-1].idx + 1

    def heads(self) -> Iterator[Head]:
        """Every signed head, the smallest first; some thousands are held at a time."""
        sql = "SELECT size, note, tsa_token, anchored_at FROM ledger_checkpoint WHERE size > :after ORDER BY size LIMIT 4096"
        after = -1
        while rows := self._connection.execute(text(sql), {"after": after}).all():
            for row in rows:
                yield Head(row.size, row.note, row.tsa_token, row.anchored_at)
            after = rows[-1].size

    def last_head(self, *, until: int | None = None, stamped: bool = False) -> Head | None:
        """The latest signed head, or the latest of at most that size; ``stamped``: of those with a time stamp."""
        sql = """SELECT size, note, tsa_token, anchored_at FROM ledger_checkpoint
            WHERE (CAST(:until AS bigint) IS NULL OR size <= :until) AND (NOT :stamped OR stamped_at IS NOT NULL)
            ORDER BY size DESC LIMIT 1"""
        row = self._connection.execute(text(sql), {"until": until, "stamped": stamped}).one_or_none()
        return None if row is None else Head(row.size, row.note, row.tsa_token, row.anchored_at)

    def tile(self, level: int, number: int) -> bytes | None:
        """A full tile; none if it is not kept."""
        sql = "SELECT hashes FROM ledger_tile WHERE level = :level AND n = :n"
        found = self._connection.execute(text(sql), {"level": level, "n": number}).scalar_one_or_none()
        return None if found is None else bytes(found)

    def leaves(self, start: int) -> list[bytes]:
        """The leaf hashes from there on."""
        return leaves(self._connection, start)

    def find(self, wanted: str) -> Appended | None:
        """An entry by its index, by the event it names, or by its subject (then the latest of them)."""
        by, value = ("idx", int(wanted)) if wanted.isdigit() else ("event_id", _uuid(wanted))
        sql = f"SELECT idx, leaf_hash, entry, event_id FROM ledger_entry WHERE {by} = :value"  # noqa: S608  (one of two words of ours)
        row = None if value is None else self._connection.execute(text(sql), {"value": value}).one_or_none()
        if row is None:  # an entry's subject is no column: the whole log is gone through
            named = {"subject": f'"subject":"{wanted}"'.encode()}
            row = self._connection.execute(text(_BY_SUBJECT), named).one_or_none()
        return None if row is None else Appended(row.idx, bytes(row.leaf_hash), bytes(row.entry), row.event_id)


def read_log(connection: Connection, tenant: UUID) -> Log | None:
    """A tenant's log as its row says it."""
    row = connection.execute(text(_LOG), {"tenant": tenant}).one_or_none()
    if row is None:
        return None
    root = None if row.signed_root is None else bytes(row.signed_root)
    return Log(row.origin, Frontier.from_bytes(bytes(row.frontier)), row.signed_size, root)


def leaves(connection: Connection, start: int) -> list[bytes]:
    """The leaf hashes from an index to the end."""
    asked = text("SELECT leaf_hash FROM ledger_entry WHERE idx >= :start ORDER BY idx")
    return [bytes(one) for one in connection.execute(asked, {"start": start}).scalars()]


def _uuid(text_: str) -> UUID | None:
    try:
        return UUID(text_)
    except ValueError:
        return None
