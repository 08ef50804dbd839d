"""The log in tiles, as C2SP's tlog-tiles lays them out: what to store, what to read, and how entries are packed.

Enters: a tree's size, a function that reads a tile. Leaves: tile coordinates and paths, node hashes, packed entries.
Guards the rule that a full tile never changes: what was once read of it stays true for every later size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from .merkle import HASH_BYTES, Nodes, node_hash

HEIGHT = 8
WIDTH = 1 << HEIGHT
ENTRY_LIMIT = 0xFFFF


class Tile(NamedTuple):
    """A run of up to 256 hashes: those of the nodes ``[number * 256, number * 256 + width)`` at level ``8 * level``."""

    level: int
    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where C2SP puts it: ``tile/0/x001/234.p/17``."""
        return f"tile/{self.level}/{self._numbered}"

    @property
    def entries_path(self) -> str:
        """Where the packed entries below a tile of level 0 lie."""
        return f"tile/entries/{self._numbered}"

    @property
    def _numbered(self) -> str:
        name, rest = f"{self.number % 1000:03d}", self.number // 1000
        while rest:
            name, rest = f"x{rest % 1000:03d}/{name}", rest // 1000
        return name if self.width == WIDTH else f"{name}.p/{self.width}"


def tiles(size: int, *, since: int = 0) -> Iterator[Tile]:
    """The tiles that a tree of ``size`` leaves has and one of ``since`` leaves had not, or had narrower; lowest level first."""
    level = 0
    while size:
        for index in range(since // WIDTH, size // WIDTH):
            yield Tile(level, index)
        if size % WIDTH and size != since:
            yield Tile(level, size // WIDTH, size % WIDTH)
        level, size, since = level + 1, size >> HEIGHT, since >> HEIGHT


def nodes_of(read: Callable[[int, int], bytes]) -> Nodes:
    """The node hashes of a tree whose tiles ``read(level, index)`` gives, as joined hashes, full or as wide as they are.

    Raises (when asked):
        ValueError: The tile is too narrow: the tree has no such perfect subtree.
    """

    def node(level: int, index: int) -> bytes:
        within = level % HEIGHT
        first = index << within
        hashes = read(level // HEIGHT, first // WIDTH)
        at = first % WIDTH * HASH_BYTES
        row = [hashes[i : i + HASH_BYTES] for i in range(at, at + (HASH_BYTES << within), HASH_BYTES)]
        if len(row[-1]) != HASH_BYTES:
            raise ValueError(f"the tile {Tile(level // HEIGHT, first // WIDTH).path} is too narrow")
        while len(row) > 1:
            row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
        return row[0]

    return node


def pack(entries: Iterable[bytes]) -> bytes:
    """Entries in one piece, each behind its length in two bytes, big-endian.

    Raises:
        ValueError: An entry is longer than two bytes can say.
    """
    packed = bytearray()
    for entry in entries:
        if len(entry) > ENTRY_LIMIT:
            raise ValueError(f"an entry of {len(entry)} bytes does not fit into a bundle of entries")
        packed += len(entry).to_bytes(2, "big") + entry
    return bytes(packed)


def unpack(packed: bytes) -> list[bytes]:
    """What ``pack`` joined.

    Raises:
        ValueError: The last entry is cut off.
    """
    entries, at = [], 0
    while at < len(packed):
        length = int.from_bytes(packed[at : at + 2], "big")
        entry = packed[at + 2 : at + 2 + length]
        if at + 2 > len(packed) or len(entry) != length:
            raise ValueError("a bundle of entries ends in the middle of one")
        entries.append(entry)
        at += 2 + length
    return entries
