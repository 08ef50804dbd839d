"""Going through a log from its first entry: whether what is kept is what was signed.

Enters a copy of the log, the keys that may have signed it. Leaves figures, or the first thing that is wrong. Every stored byte
is hashed again, so a row that was edited, dropped or moved past the database's own guards shows here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from auditor.domain.errors import LedgerError
from auditor.domain.ledger import Appended, Copy, Head, Log, tile_root
from auditor.proof.canonical import stamp
from auditor.proof.entry import EntryError, parse
from auditor.proof.merkle import HASH_BYTES, Frontier, leaf_hash
from auditor.proof.note import Checkpoint, NoteError
from auditor.proof.segment import AHEAD, BEHIND
from auditor.proof.tiles import WIDTH

ADVICE = "Keep the database as it is, compare with a copy kept outside (bundle, webhook, anchor), and find out who wrote there"


@dataclass(frozen=True, slots=True)
class Sound:
    """A log in which nothing is wrong, and how far that reaches."""

    origin: str
    size: int
    root: bytes
    heads: int
    signed_size: int
    signed_at: datetime | None
    first_at: datetime | None
    last_at: datetime | None


def recheck(copy: Copy, opened: Callable[[str], Checkpoint]) -> Sound:
    """Hash every entry again, in order, and hold each tile, each signed head and the log's own word against that.

    Args:
        copy: The log.
        opened: What a signed note says, if a key that we trust has signed it; raises ``NoteError`` if none has.

    Raises:
        LedgerError: The first thing that is wrong, by its place.
    """
    log = copy.log()
    if log is None:
        return Sound("", 0, Frontier().root(), 0, 0, None, None, None)
    going = _Going(copy, log, opened)
    for one in copy.entries():
        going.take(one)
    return going.end()


class _Going:
    """One walk through one log."""

    def __init__(self, copy: Copy, log: Log, opened: Callable[[str], Checkpoint]) -> None:
        self._copy = copy
        self._log = log
        self._opened = opened
        self._frontier = Frontier()
        self._rows: list[bytearray] = [bytearray()]
        self._heads: Iterator[Head] = iter(copy.heads())
        self._next: Head | None = next(self._heads, None)
        self._count = 0
        self._last: Checkpoint | None = None
        self._first_at: datetime | None = None
        self._latest: datetime | None = None

    def take(self, one: Appended) -> None:
        """The next entry."""
        index = self._frontier.size
        if one.index != index:
            raise _wrong(f"entry {index} is missing: the one after {index - 1} says it is {one.index}")
        leaf = leaf_hash(one.entry)
        if leaf != one.leaf:
            raise _wrong(f"entry {index} is not what it was: its bytes and its leaf hash disagree")
        try:
            at = parse(one.entry).at
        except EntryError as error:
            raise _wrong(f"entry {index}: {error}") from error
        if self._latest is not None and at < self._latest - BEHIND:
            raise _wrong(f"entry {index} says {stamp(at)}, after {stamp(self._latest)} was written")
        self._first_at = self._first_at or at
        self._latest = at if self._latest is None else max(at, self._latest)
        self._frontier.append(leaf)
        self._fill(0, leaf)
        while self._next is not None and self._next.size == self._frontier.size:
            self._hold_head(self._next)

    def end(self) -> Sound:
        """What was found, once everything was taken."""
        size, root = self._frontier.size, self._frontier.root()
        if self._next is not None:
            raise _wrong(f"{size} entries are left, {self._next.size} were signed: the log was cut")
        if (self._log.size, self._log.frontier.hashes) != (size, self._frontier.hashes):
            raise _wrong(f"the log says it has {self._log.size} entries with another left edge; its entries are {size}")
        signed = self._last.size if self._last else 0
        if self._log.signed_size != signed:
            raise _wrong(f"the log says it was signed up to {self._log.signed_size}, its last head covers {signed}")
        at = self._last.at if self._last else None
        return Sound(self._log.origin, size, root, self._count, signed, at, self._first_at, self._latest)

    def _hold_head(self, head: Head) -> None:
        try:
            said = self._opened(head.note)
        except NoteError as error:
            raise _wrong(f"the head of size {head.size}: {error}") from error
        if (said.origin, said.size, said.root) != (self._log.origin, self._frontier.size, self._frontier.root()):
            raise _wrong(f"the entries up to {head.size} do not give the root that was signed for them")
        if said.at is not None and self._latest is not None and self._latest > said.at + AHEAD:
            raise _wrong(f"the head of size {head.size} was signed before what it covers ({stamp(self._latest)})")
        self._count, self._last, self._next = self._count + 1, said, next(self._heads, None)

    def _fill(self, level: int, node: bytes) -> None:
        row = self._rows[level]
        row += node
        if len(row) < WIDTH * HASH_BYTES:
            return
        number = (self._frontier.size >> 8 * (level + 1)) - 1
        if self._copy.tile(level, number) != bytes(row):
            raise _wrong(f"tile {number} of level {level} is missing, or not what its entries give")
        if level + 1 == len(self._rows):
            self._rows.append(bytearray())
        self._rows[level] = bytearray()
        self._fill(level + 1, tile_root(bytes(row)))


def _wrong(what: str) -> LedgerError:
    return LedgerError(what, advice=ADVICE)
