"""Appending what was noted, and signing how far that came: the last two writes, each in a transaction of its own.

First the root is committed, then it is signed; never the other way round, or a crash between would leave a signature under a
tree that does not exist. One size has one root and one head. Whoever integrates beside us waits, then finds less to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from auditor.domain.errors import LedgerError
from auditor.domain.ledger import Appended, Head, Ledger, Log, Pending, Signer, grown, rotation_event
from auditor.domain.ports import Clock
from auditor.proof.entry import EntryError, parse
from auditor.proof.merkle import Frontier, leaf_hash
from auditor.proof.note import Checkpoint, parse_note
from auditor.proof.segment import AHEAD
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
            except LedgerError as error:
                broken(tenant, error)
        for tenant in self.ledger.unsigned():
            try:
                sign(self.ledger, tenant, self.signer, now=self.clock())
            except LedgerError as error:
                broken(tenant, error)
        return appended

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
    runs ahead waits until its time is near, for no head may cover what lies later than itself.

    Raises:
        LedgerError: Something waits that is no entry; nothing of this batch is appended.
    """
    with ledger.open(tenant) as book:
        waiting = book.pending(limit, until=now + AHEAD)
        if not waiting:
            return 0
        log = book.log()
        if log is None:
            book.begin(origin)
            log = Log(origin, Frontier())
        entries = _placed(log, waiting, book.known([one.event for one in waiting if one.event is not None]))
        if entries:
            edge = book.leaves(log.size // WIDTH * WIDTH)
            frontier, full = grown(log.frontier, edge, [one.leaf for one in entries], book.tile)
            # A crash between these two leaves neither: they commit together with the new left edge.
            book.append(entries, full, frontier)
        book.settle([one.id for one in waiting])
    return len(waiting)


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


def _placed(log: Log, waiting: Sequence[Pending], known: frozenset[UUID]) -> list[Appended]:
    seen = set(known)
    placed: list[Appended] = []
    for one in waiting:
        if one.event in seen:
            continue
        if one.event is not None:
            seen.add(one.event)
        try:
            parse(one.entry)
        except EntryError as error:  # it must not become a leaf: it could never be taken out again
            raise LedgerError(
                f"what was noted as number {one.id} is no entry: {error}",
                advice="Nothing is appended to this log until that row is gone: find out who wrote it",
            ) from error
        placed.append(Appended(log.size + len(placed), leaf_hash(one.entry), one.entry, one.event))
    return placed


def _hold(head: Head, root: bytes) -> None:
    said = Checkpoint.parse(parse_note(head.note).text)
    if said.root != root:
        raise LedgerError(
            f"size {head.size} was signed with another root than the log has now",
            advice="The log was rewritten. Keep the database as it is and run: auditor ledger verify",
        )
