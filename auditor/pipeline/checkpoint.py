"""Appending what was noted, and signing how far that came: the last two writes, each in a transaction of its own.

First the root is committed, then it is signed; never the other way round, or a crash between would leave a signature under a
tree that does not exist. One size has one root and one head. Whoever integrates beside us waits, then finds less to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from auditor.domain.errors import LedgerError
from auditor.domain.ledger import Appended, Book, Head, Ledger, Log, Pending, Signer, grown, rotation_event
from auditor.domain.ports import Clock
from auditor.proof.canonical import stamp
from auditor.proof.entry import Entry, EntryError, parse
from auditor.proof.merkle import Frontier, leaf_hash
from auditor.proof.note import Checkpoint, NoteError, parse_note
from auditor.proof.segment import AHEAD, BEHIND
from auditor.proof.tiles import WIDTH

AT_ONCE = 2_000


class Books(Protocol):
    """What the step writes into a tenant's books."""

    def heartbeat(self, *, now: datetime) -> None:
        """Note that we are here; once an hour, however often it is said."""

    def note(
        self,
        type: str,  # noqa: A002  (the entry's own word)
        subject: str,
        payload_digest: str,
        *,
        at: datetime,
        actor: str = ...,
        salt: bytes | None = ...,
        event: UUID | None = ...,
    ) -> None:
        """Note one thing."""


@dataclass(frozen=True, slots=True)
class Checkpointer:
    """Whoever integrates and signs.

    Args:
        ledger: The logs, through the role that may append.
        books: A tenant's books, for heartbeats and new keys.
        signer: Who signs.
        origin: The name that a tenant's log begins under; it keeps it.
        clock: The time.
    """

    ledger: Ledger
    books: Callable[[UUID], AbstractContextManager[Books]]
    signer: Signer
    origin: Callable[[UUID], str]
    clock: Clock
    beaten: dict[UUID, datetime] = field(default_factory=dict)
    """The last hour that was noted here, by tenant: saves asking again; noting twice would be noting once."""
    complained: dict[UUID, datetime] = field(default_factory=dict)
    """The last hour in which entries held back were told of, by tenant: rounds come every few seconds."""

    def round(self, broken: Callable[[UUID, LedgerError], None]) -> int:
        """Note new keys and each new hour, append all that waits, sign what grew; gives how many were appended.

        Args:
            broken: Told of a log that cannot be appended to or may not be signed; the others go on.
        """
        for tenant in self.ledger.tenants():
            self._beat(tenant)
        appended = 0
        for tenant in self.ledger.waiting():
            try:
                while n := integrate(self.ledger, tenant, origin=self.origin(tenant), now=self.clock()):
                    appended += n
                self._complain(tenant, broken)
            except LedgerError as error:
                broken(tenant, error)
        for tenant in self.ledger.unsigned():
            try:
                sign(self.ledger, tenant, self.signer, now=self.clock())
            except LedgerError as error:
                broken(tenant, error)
        return appended

    def _complain(self, tenant: UUID, broken: Callable[[UUID, LedgerError], None]) -> None:
        hour = self.clock().replace(minute=0, second=0, microsecond=0)
        if self.complained.get(tenant) == hour:
            return
        error = held_back(self.ledger, tenant)
        if error is not None:
            self.complained[tenant] = hour
            broken(tenant, error)

    def _beat(self, tenant: UUID) -> None:
        now = self.clock()
        hour, keys = now.replace(minute=0, second=0, microsecond=0), list(self.signer.announcements(tenant))
        if self.beaten.get(tenant) == hour and not keys:
            return
        with self.books(tenant) as books:
            books.heartbeat(now=now)
            for subject, said in keys:
                books.note("key.rotate", subject, said, at=now, event=rotation_event(tenant, subject))
        self.beaten[tenant] = hour


def integrate(ledger: Ledger, tenant: UUID, *, origin: str, now: datetime, limit: int = AT_ONCE) -> int:
    """Append up to ``limit`` of what waits, in the order in which it was noted; gives how many rows were taken off.

    An event that the log has already is dropped: it was noted by two who did not see each other. An entry from a clock that
    runs ahead waits until its time is near, for no head may cover what lies later than itself. One from a clock that is more
    than an hour behind the log is held back, see ``held_back``: appended, it would have every bundle over it refused.

    Raises:
        LedgerError: Something waits that is no entry; nothing of this batch is appended.
    """
    with ledger.open(tenant) as book:
        log = book.log()
        reached = None if log is None else _reached(book, log)
        waiting = book.pending(limit, until=now + AHEAD, since=None if reached is None else reached - BEHIND)
        if not waiting:
            return 0
        if log is None:
            book.begin(origin)
            log = Log(origin, Frontier())
        known = book.known([one.event for one in waiting if one.event is not None])
        entries, held = _placed(log, waiting, known, reached)
        if entries:
            edge = book.leaves(log.size // WIDTH * WIDTH)
            frontier, full = grown(log.frontier, edge, [one.leaf for one in entries], book.tile)
            # A crash between these two leaves neither: they commit together with the new left edge.
            book.append(entries, full, frontier)
        book.settle([one.id for one in waiting if one.id not in held])
    return len(waiting) - len(held)


def held_back(ledger: Ledger, tenant: UUID) -> LedgerError | None:
    """What to say of entries that wait because they are too far behind the log; none if there are none."""
    with ledger.open(tenant) as book:
        log = book.log()
        reached = None if log is None else _reached(book, log)
        if reached is None:
            return None
        behind = book.pending(AT_ONCE, until=reached - BEHIND - timedelta(microseconds=1))
        if not behind:
            return None
        first = _parsed(behind[0])
    some = f"{'at least ' if len(behind) == AT_ONCE else ''}{len(behind)}"
    return LedgerError(
        f"{some} entries are held back, first {first.type} by {first.actor} at {stamp(first.at)}: the log had come to "
        f"{stamp(reached)} before, so the clock of the host that noted it is more than an hour behind, "
        "or the log was led ahead by another host's clock",
        advice="Set the clocks of every host that runs a worker, the web server or the checkpoint, by NTP. What is held back "
        "keeps its wrong time, stays in ledger_pending and is in no bundle; what is noted from then on is appended again",
    )


def sign(ledger: Ledger, tenant: UUID, signer: Signer, *, now: datetime) -> Head | None:
    """Sign the log as it is committed; none if this size is signed already or there is nothing.

    Raises:
        LedgerError: A head of this size says another root: the log was rewritten, and nothing may be signed.
    """
    with ledger.open(tenant) as book:
        log = book.log()
        if log is None or not log.size:
            return None
        root = log.frontier.root()
        before = book.head(log.size)
        if before is not None:
            _hold(before, root)
            return None
        if log.size <= log.signed_size:
            raise LedgerError(f"the log has {log.size} entries, {log.signed_size} were signed: it was cut")
        last = book.head(log.signed_size)
        if last is not None and not signer.signed(log.origin, last.note):
            raise LedgerError(
                "the last head was signed by a key that this process does not have",
                advice="Give it the file that signed before: AUDITOR_LEDGER_KEY_FILE; a new key follows by rotation only",
            )
        # The signature leaves this function only with its row: what is rolled back here, nobody has seen.
        note = signer.sign(
            Checkpoint(log.origin, log.size, root, now),
            covers=lambda event: book.index_of(event) is not None,
        )
        book.keep_head(log.size, root, note)
    return Head(log.size, note)


def _reached(book: Book, log: Log) -> datetime | None:
    """No entry of the log says a later time than this: what was signed ends near its head, the rest is asked for."""
    head = book.head(log.signed_size) if log.signed_size else None
    try:
        signed_at = None if head is None else Checkpoint.parse(parse_note(head.note).text).at
    except NoteError:  # going through the log tells of it; what waits does not wait for that
        signed_at = None
    said = [one for one in (book.latest(), None if signed_at is None else signed_at + AHEAD) if one is not None]
    return max(said, default=None)


def _placed(
    log: Log, waiting: Sequence[Pending], known: frozenset[UUID], reached: datetime | None
) -> tuple[list[Appended], set[int]]:
    """What is appended, and the ids of what is held back, since others of the same batch are later by too much."""
    seen, held = set(known), set[int]()
    placed: list[Appended] = []
    for one in waiting:
        if one.event in seen:
            continue
        at = _parsed(one).at
        if reached is not None and at < reached - BEHIND:
            held.add(one.id)
            continue
        reached = at if reached is None else max(reached, at)
        if one.event is not None:
            seen.add(one.event)
        placed.append(Appended(log.size + len(placed), leaf_hash(one.entry), one.entry, one.event))
    return placed, held


def _parsed(one: Pending) -> Entry:
    try:
        return parse(one.entry)
    except EntryError as error:  # it must not become a leaf: it could never be taken out again
        raise LedgerError(
            f"what was noted as number {one.id} is no entry: {error}",
            advice="Nothing is appended to this log until that row is gone: find out who wrote it",
        ) from error


def _hold(head: Head, root: bytes) -> None:
    said = Checkpoint.parse(parse_note(head.note).text)
    if said.root != root:
        raise LedgerError(
            f"size {head.size} was signed with another root than the log has now",
            advice="The log was rewritten. Keep the database as it is and run: auditor ledger verify",
        )
