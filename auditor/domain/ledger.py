"""A tenant's log as the steps see it: what waits, what was appended, what was signed; and how the tree grows.

The protocols are answered by the store (over PostgreSQL) and by a folder of tiles; what proves anything is ``auditor.proof``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from auditor.domain.source import public_id
from auditor.proof.merkle import HASH_BYTES, Frontier, Nodes, node_hash
from auditor.proof.note import Checkpoint
from auditor.proof.tiles import HEIGHT, WIDTH, nodes_of, tiles

Tiles = Mapping[tuple[int, int], bytes]
"""Full tiles by level and number, each 256 hashes joined."""


@dataclass(frozen=True, slots=True)
class Log:
    """How far a log has come: its left edge now, and what of it was signed last."""

    origin: str
    frontier: Frontier
    signed_size: int = 0
    signed_root: bytes | None = None

    @property
    def size(self) -> int:
        """How many entries it has."""
        return self.frontier.size


@dataclass(frozen=True, slots=True)
class Pending:
    """An entry that waits to be appended."""

    id: int
    entry: bytes
    event: UUID | None


@dataclass(frozen=True, slots=True)
class Appended:
    """An entry with its place in the log."""

    index: int
    leaf: bytes
    entry: bytes
    event: UUID | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """A signed head as it is kept."""

    size: int
    note: str
    token: bytes | None = None
    anchored_at: datetime | None = None


class Book(Protocol):
    """One tenant's log inside one transaction, held by nobody else until it ends."""

    def log(self) -> Log | None:
        """The log; none if nothing was ever appended."""

    def begin(self, origin: str) -> None:
        """Start an empty log under this name."""

    def pending(self, limit: int, *, until: datetime, since: datetime | None = None) -> Sequence[Pending]:
        """What waits, in the order in which it was noted, and says it happened by then, and since then if that is given."""

    def latest(self) -> datetime | None:
        """The latest time that an entry says which no signed head covers."""

    def known(self, events: Sequence[UUID]) -> frozenset[UUID]:
        """Which of these events the log has already."""

    def leaves(self, start: int) -> list[bytes]:
        """The leaf hashes from there to the end."""

    def tile(self, level: int, number: int) -> bytes:
        """A full tile."""

    def append(self, entries: Sequence[Appended], full: Tiles, frontier: Frontier) -> None:
        """Keep entries, the tiles that became full, and the new left edge."""

    def settle(self, ids: Sequence[int]) -> None:
        """These wait no more."""

    def head(self, size: int) -> Head | None:
        """The head that was signed for this size."""

    def keep_head(self, size: int, root: bytes, note: str) -> None:
        """Keep a signed head; there is one for a size."""

    def index_of(self, event: UUID) -> int | None:
        """Where the log has an event."""

    def unstamped(self, *, since: datetime) -> Head | None:
        """The latest head, if it has no time stamp and no other was given one since then."""

    def mark_anchored(self, size: int, *, at: datetime, token: bytes | None = None) -> None:
        """A copy of this head lies outside, or somebody stamped it; the first of each stays."""


class Anchor(Protocol):
    """Somewhere outside of our reach: where a copy of a head is kept, or where somebody says when they saw it."""

    def keep(self, tenant: UUID, head: Head) -> bytes | None:
        """Take the head there; gives the token that came back for it, if the place gives any."""


class Ledger(Protocol):
    """Every tenant's log, as the one process sees them that appends and signs."""

    def waiting(self) -> tuple[UUID, ...]:
        """Tenants with something to append."""

    def tenants(self) -> tuple[UUID, ...]:
        """Tenants that have a log."""

    def unsigned(self) -> tuple[UUID, ...]:
        """Tenants whose log grew since it was signed."""

    def open(self, tenant: UUID) -> AbstractContextManager[Book]:
        """One transaction over one log, under its lock; committed on leaving, rolled back on an error."""


class Copy(Protocol):
    """A log that can be read from its first entry: the database's, or a folder of tiles."""

    def log(self) -> Log | None:
        """What it says of itself; none if it is empty."""

    def entries(self, start: int = 0) -> Iterator[Appended]:
        """Every entry in order, with the leaf hash kept beside it."""

    def heads(self) -> Iterable[Head]:
        """Every signed head, the smallest first."""

    def tile(self, level: int, number: int) -> bytes | None:
        """A full tile; none if it is not kept."""


class Signer(Protocol):
    """Who signs heads."""

    def sign(self, head: Checkpoint, *, covers: Callable[[UUID], bool]) -> str:
        """The signed note. ``covers`` tells whether the head's log has an event; a new key signs once its own is there."""

    def signed(self, origin: str, note: str) -> bool:
        """Whether a key of this signer signed the note."""

    def announcements(self, tenant: UUID) -> Iterable[tuple[str, str]]:
        """Subject and digest of each key that followed another: noted as ``key.rotate``."""


def rotation_event(tenant: UUID, subject: str) -> UUID:
    """The natural key of the entry that brings a new key into a tenant's log."""
    return public_id(tenant, "key.rotate", subject)


def grown(
    frontier: Frontier, start: Sequence[bytes], leaves: Sequence[bytes], tile: Callable[[int, int], bytes]
) -> tuple[Frontier, dict[tuple[int, int], bytes]]:
    """The left edge after these leaves, and the tiles that they fill.

    Args:
        frontier: The left edge before; it stays as it is.
        start: The leaves since the last full tile of level 0.
        leaves: What comes to it.
        tile: Full tiles of before.
    """
    after = Frontier(frontier.size, frontier.hashes)
    for leaf in leaves:
        after.append(leaf)
    row, first = [*start, *leaves], frontier.size - len(start)
    full: dict[tuple[int, int], bytes] = {}

    def root(level: int, number: int) -> bytes:
        return tile_root(full[level, number] if (level, number) in full else tile(level, number))

    for one in tiles(after.size, since=frontier.size):
        if one.width != WIDTH:
            continue
        low = one.number * WIDTH
        hashes = row[low - first : low - first + WIDTH] if one.level == 0 else None
        full[one.level, one.number] = b"".join(hashes or (root(one.level - 1, low + i) for i in range(WIDTH)))
    return after, full


def tile_root(hashes: bytes) -> bytes:
    """The root over a full tile."""
    row = [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def nodes(size: int, tile: Callable[[int, int], bytes], leaves: Callable[[int], Sequence[bytes]]) -> Nodes:
    """The node hashes of a tree, from its full tiles and the leaves after the last of them; read as they are asked for."""
    read: dict[tuple[int, int], bytes] = {}

    def hashes(level: int, number: int) -> bytes:
        if (level, number) not in read:
            width = (size >> HEIGHT * level) - number * WIDTH
            if width >= WIDTH:
                read[level, number] = tile(level, number)
            elif level == 0:
                read[level, number] = b"".join(leaves(number * WIDTH))[: width * HASH_BYTES]
            else:
                low = number * WIDTH
                read[level, number] = b"".join(tile_root(tile(level - 1, low + i)) for i in range(width))
        return read[level, number]

    return nodes_of(hashes)
