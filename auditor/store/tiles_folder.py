"""A log as a folder of files in the layout of C2SP's tlog-tiles: to hand out, to serve statically, to check elsewhere.

Written are the full and partial tiles, the entries in bundles of 256, and ``checkpoint``, the signed head that covers them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from auditor.domain.errors import LedgerError
from auditor.domain.ledger import Appended, Head, Log, nodes
from auditor.proof.merkle import HASH_BYTES, Frontier
from auditor.proof.note import Checkpoint, NoteError, parse_note
from auditor.proof.tiles import HEIGHT, WIDTH, Tile, pack, tiles, unpack
from auditor.store.ledger import PostgresCopy

CHECKPOINT = "checkpoint"


def write(copy: PostgresCopy, folder: Path) -> Head:
    """Write the log up to its latest signed head, and that head last; full tiles that are there already stay.

    Raises:
        LedgerError: Nothing was signed yet.
    """
    head = copy.last_head()
    if head is None:
        raise LedgerError("nothing is signed yet", advice="Run auditor checkpoint, or auditor ledger checkpoint --now")
    edge = head.size // WIDTH * WIDTH
    leaves = copy.leaves(edge)[: head.size - edge]
    node = nodes(head.size, lambda level, number: copy.tile(level, number) or b"", lambda _start: leaves)
    for one in tiles(head.size):
        path = folder / one.path
        if one.width == WIDTH and path.exists():
            continue
        first = one.number * WIDTH
        _put(path, b"".join(node(HEIGHT * one.level, first + at) for at in range(one.width)))
        if one.level == 0:
            entries = copy.entries(first, first + one.width)
            _put(folder / one.entries_path, pack(entry.entry for entry in entries))
    _put(folder / CHECKPOINT, head.note.encode())
    return head


class TilesFolder:
    """``domain.ledger.Copy`` over such a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def log(self) -> Log | None:
        """What its one head says; the left edge is taken from the entries, and held against that head."""
        said = self._said()
        frontier = Frontier()
        for one in self.entries():
            frontier.append(one.leaf)
        return Log(said.origin, frontier, said.size, said.root)

    def entries(self, start: int = 0) -> Iterator[Appended]:
        """Every entry, with the leaf hash of its tile."""
        size = self._said().size
        for number in range(start // WIDTH, -(-size // WIDTH)):
            tile = Tile(0, number, min(WIDTH, size - number * WIDTH))
            hashes = self._read(tile.path)
            try:
                entries = unpack(self._read(tile.entries_path))
            except ValueError as error:
                raise LedgerError(f"{tile.entries_path}: {error}") from error
            if len(entries) != tile.width or len(hashes) != tile.width * HASH_BYTES:
                raise LedgerError(f"{tile.path} has another width than its entries")
            for at, entry in enumerate(entries):
                index = number * WIDTH + at
                if index >= start:
                    yield Appended(index, hashes[at * HASH_BYTES : (at + 1) * HASH_BYTES], entry)

    def heads(self) -> Iterator[Head]:
        """The one head that lies here."""
        yield Head(self._said().size, self._read(CHECKPOINT).decode("utf-8", "replace"))

    def tile(self, level: int, number: int) -> bytes | None:
        """A full tile; none if it is not here."""
        path = self._folder / Tile(level, number).path
        return path.read_bytes() if path.is_file() else None

    def _said(self) -> Checkpoint:
        try:
            return Checkpoint.parse(parse_note(self._read(CHECKPOINT).decode("utf-8", "replace")).text)
        except NoteError as error:
            raise LedgerError(f"{self._folder / CHECKPOINT}: {error}") from error

    def _read(self, path: str) -> bytes:
        found = self._folder / path
        if not found.is_file():
            raise LedgerError(f"{found} is missing", advice="Name a folder that auditor ledger export wrote")
        return found.read_bytes()


def _put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.write_bytes(data)
    draft.replace(path)
