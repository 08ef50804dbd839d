"""The Merkle tree of RFC 6962: what proves that an entry is in the log, and that the log only ever grew.

Enters: leaf hashes, or a function that gives the hash of any perfect subtree. Leaves: roots, proofs, and yes or no.
Guards the rule that leaves and inner nodes are hashed apart, so that neither can be taken for the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

Nodes = Callable[[int, int], bytes]
"""The hash of the perfect subtree at (level, index): it stands over the leaves ``[index << level, (index + 1) << level)``."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of an entry's stored bytes."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two neighbours."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The left edge of a growing tree: the fewest hashes from which it can go on growing and tell its root.

    ``hashes`` are the roots of the perfect subtrees that ``size`` leaves fall into, the largest first.
    """

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size = size
        self.hashes = list(hashes)
        peaks = bin(size).count("1")  # noqa: FURB161 - int.bit_count came with 3.10, these files promise 3.9
        if size < 0 or len(self.hashes) != peaks or any(len(one) != HASH_BYTES for one in self.hashes):
            raise ValueError(f"these are not the hashes of a tree of {size} leaves")

    def append(self, leaf: bytes) -> None:
        """Take in the hash of the next leaf."""
        self.append_subtree(0, leaf)

    def append_subtree(self, level: int, root: bytes) -> None:
        """Take in ``1 << level`` leaves at once, known by the root of their subtree only.

        Raises:
            ValueError: The tree's size is no multiple of the subtree's: its leaves would lie under two parents.
        """
        if not 0 <= level < 63 or self.size & ((1 << level) - 1):
            raise ValueError(f"a subtree of level {level} cannot begin at leaf {self.size}")
        place = self.size >> level
        while place & 1:
            root = node_hash(self.hashes.pop(), root)
            place >>= 1
        self.hashes.append(root)
        self.size += 1 << level

    def root(self) -> bytes:
        """The root over all leaves so far."""
        return _fold(self.hashes) if self.hashes else EMPTY_ROOT

    def to_bytes(self) -> bytes:
        """Eight bytes of size, big-endian, and the hashes: at most 2 kB, whatever the size."""
        return self.size.to_bytes(8, "big") + b"".join(self.hashes)

    @classmethod
    def from_bytes(cls, stored: bytes) -> Frontier:
        """What ``to_bytes`` wrote.

        Raises:
            ValueError: The hashes do not go with the size.
        """
        if len(stored) < 8 or len(stored) % HASH_BYTES != 8:
            raise ValueError("not a stored frontier")
        return cls(int.from_bytes(stored[:8], "big"), _cut(stored[8:]))


def cover(start: int, stop: int) -> list[tuple[int, int]]:
    """The fewest perfect subtrees that stand over the leaves ``[start, stop)``, as (level, index) from left to right."""
    found = []
    while start < stop:
        level = (stop - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        found.append((level, start >> level))
        start += 1 << level
    return found


def root_of(size: int, nodes: Nodes) -> bytes:
    """The root of the first ``size`` leaves."""
    return _range_root(0, size, nodes) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """The hashes that lead from leaf ``index`` to the root of ``size`` leaves, from the leaf upwards.

    Raises:
        ValueError: There is no such leaf in a tree of this size.
    """
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} among {size}")
    path = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            path.append(_range_root(middle, stop, nodes))
            stop = middle
        else:
            path.append(_range_root(start, middle, nodes))
            start = middle
    return path[::-1]


def consistency_proof(old: int, new: int, nodes: Nodes) -> list[bytes]:
    """The hashes that show the tree of ``old`` leaves to be the beginning of the tree of ``new`` leaves.

    Raises:
        ValueError: The old tree is the larger one.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {old} leaves cannot be the beginning of one of {new}")
    if old in {0, new}:
        return []
    path = []
    start, stop, whole = 0, new, True
    while old != stop:
        middle = start + _split(stop - start)
        if old <= middle:
            path.append(_range_root(middle, stop, nodes))
            stop = middle
        else:
            path.append(_range_root(start, middle, nodes))
            start, whole = middle, False
    if not whole:
        path.append(_range_root(start, stop, nodes))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof leads from this leaf, at this index, to the root of a tree of this size."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for one in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(one, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, one)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows the old tree to be the beginning of the new one; the empty tree begins every other."""
    if not 0 <= old <= new:
        return False
    if old in {0, new}:
        return not proof and old_root == (new_root if old == new else EMPTY_ROOT)
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    was = now_is = path[0]
    for one in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            was, now_is = node_hash(one, was), node_hash(one, now_is)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            now_is = node_hash(now_is, one)
        place, last = place >> 1, last >> 1
    return last == 0 and was == old_root and now_is == new_root


def _split(width: int) -> int:
    """The largest power of two below ``width``: where RFC 6962 parts a tree in two."""
    return 1 << ((width - 1).bit_length() - 1)


def _range_root(start: int, stop: int, nodes: Nodes) -> bytes:
    return _fold([nodes(level, index) for level, index in cover(start, stop)])


def _fold(hashes: Sequence[bytes]) -> bytes:
    found = hashes[-1]
    for one in reversed(hashes[:-1]):
        found = node_hash(one, found)
    return found


def _cut(joined: bytes) -> list[bytes]:
    return [joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES)]
