"""The ledger's part of a bundle: every entry of the period, between two signed heads, and single entries from before.

Enters: the ledger files of a bundle, the keys that signed the log. Leaves: what happened, by the id it happened to.
Guards completeness: the left edge of the tree and *every* entry since must give the root that was signed at the end, so
none of them can be left out, changed or moved; and none may lie later in time than the head that covers it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from .bag import Bag, spelled
from .canonical import UTC, stamp
from .entry import Entry, EntryError, parse
from .merkle import Frontier, leaf_hash, verify_inclusion
from .note import Checkpoint, InclusionProof, NoteError, VerifierKey, open_note
from .report import RefusedError

AHEAD = timedelta(minutes=5)
"""How far a clock may run ahead of the one that signs."""
BEHIND = timedelta(hours=1)
"""How much earlier than one before it an entry may say it is: work that took a while, never a clock set back."""

FOLDER = "data/ledger"
_PACKED = struct.Struct(">BQq32s")
_KINDS = ("finding.open", "finding.change", "finding.close", "evidence.put", "run.manifest")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Happened(NamedTuple):
    """One entry as far as others are held against it: its type, its leaf's index, its time and its commitment."""

    type: str
    leaf: int
    at: datetime
    commit: str


class Ledger:
    """What the ledger says happened, by subject; ``take_finding`` gives each event once, so that what is left was left out."""

    def __init__(self, start: int, end: Checkpoint) -> None:
        self.start = start
        self.end = end
        self.longest_silence = timedelta(0)
        self._findings: dict[str, bytes] = {}
        self._others: dict[str, bytes] = {}

    def note(self, entry: Entry, index: int, where: str) -> None:
        """Remember what an entry says; packed, for a year may hold a million of them."""
        if entry.type not in _KINDS:
            return
        kept = self._findings if entry.type.startswith("finding.") else self._others
        micros = (entry.at - _EPOCH) // _MICROSECOND
        packed = _PACKED.pack(_KINDS.index(entry.type), index, micros, bytes.fromhex(entry.commit))
        if entry.type == "evidence.put":
            kept[entry.subject] = packed  # put anew after it was erased, under another salt: the last one holds
        elif kept.setdefault(entry.subject, packed) != packed:
            raise RefusedError(where, f"{entry.type} stands twice for {entry.subject}")

    def take_finding(self, event: str) -> Happened | None:
        """The opening of a span, once."""
        packed = self._findings.pop(event, None)
        return None if packed is None else _unpacked(packed)

    def other(self, subject: str) -> Happened | None:
        """Evidence that was kept, or a run that ended."""
        packed = self._others.get(subject)
        return None if packed is None else _unpacked(packed)

    def left_out(self) -> tuple[str, Happened] | None:
        """The first event of the period that no span was found for."""
        left = ((event, _unpacked(packed)) for event, packed in self._findings.items())
        return min((one for one in left if one[1].leaf >= self.start), key=lambda one: one[1].leaf, default=None)

    def manifests(self) -> Mapping[str, Happened]:
        """The runs that ended in the period, by run."""
        said = ((subject, _unpacked(packed)) for subject, packed in self._others.items())
        return {subject: one for subject, one in said if one.type == "run.manifest" and one.leaf >= self.start}


def read_ledger(bag: Bag, keys: tuple[VerifierKey, ...], begins: datetime) -> Ledger:
    """The ledger between the period's beginning and the signed head at its end, every entry of it.

    Raises:
        RefusedError: A head is signed by none of the keys, the entries do not lead from one to the other, times run wild,
            or the segment begins after the period does.
    """
    end = _signed(bag, f"{FOLDER}/checkpoint.end", keys)
    frontier = _frontier(bag.object(f"{FOLDER}/frontier.start.json"))
    ledger = Ledger(frontier.size, end)
    start = _start(bag, keys, frontier, begins)
    if f"{FOLDER}/earlier.jsonl" in bag.payload:
        _read_earlier(bag, frontier, ledger, start)
    _read_proofs(bag, ledger)
    _read_entries(bag, frontier, ledger, start)
    where = f"{FOLDER}/entries.jsonl"
    if frontier.size != end.size:
        raise RefusedError(where, f"the entries lead to size {frontier.size}, the signed end says {end.size}")
    if frontier.root() != end.root:
        raise RefusedError(where, "the entries do not give the root that was signed: one was changed, dropped or moved")
    return ledger


def _start(bag: Bag, keys: tuple[VerifierKey, ...], frontier: Frontier, begins: datetime) -> datetime | None:
    path = f"{FOLDER}/checkpoint.start"
    if frontier.size == 0 and path not in bag.payload:
        return None  # the ledger began within the period, and all of it is here
    start = _signed(bag, path, keys)
    if (start.size, start.root) != (frontier.size, frontier.root()):
        raise RefusedError(f"{FOLDER}/frontier.start.json", "not the tree that checkpoint.start signed")
    if frontier.size and _time(start, path) > begins:
        raise RefusedError(path, f"signed at {stamp(_time(start, path))}, after the period began ({stamp(begins)})")
    return start.at


def _read_entries(bag: Bag, frontier: Frontier, ledger: Ledger, start: datetime | None) -> None:
    ends = _time(ledger.end, f"{FOLDER}/checkpoint.end")
    latest = start
    for where, line in bag.lines(f"{FOLDER}/entries.jsonl"):
        entry = _entry(line, where)
        if entry.at > ends + AHEAD:
            raise RefusedError(where, f"at {stamp(entry.at)}, later than the head that covers it ({stamp(ends)})")
        if latest is not None and entry.at < latest - BEHIND:
            raise RefusedError(where, f"at {stamp(entry.at)}, after {stamp(latest)} was written: a clock was set back")
        if latest is not None and entry.at - latest > ledger.longest_silence:
            ledger.longest_silence = entry.at - latest
        latest = entry.at if latest is None else max(latest, entry.at)
        ledger.note(entry, frontier.size, where)
        frontier.append(leaf_hash(line))
    if latest is not None and ends - latest > ledger.longest_silence:
        ledger.longest_silence = ends - latest


def _read_earlier(bag: Bag, frontier: Frontier, ledger: Ledger, start: datetime | None) -> None:
    """Entries from before the period, with the hashes of what lies between: together they must give the same left edge."""
    path = f"{FOLDER}/earlier.jsonl"
    again = Frontier()
    for where, line in bag.lines(path):
        try:
            if line.startswith(b'{"hash":'):
                skipped = spelled(line, where)
                again.append_subtree(_whole(skipped.get("level"), where), bytes.fromhex(skipped["hash"]))
                continue
            entry = _entry(line, where)
            if start is not None and entry.at > start + AHEAD:
                raise RefusedError(where, f"at {stamp(entry.at)}, later than the head that covers it ({stamp(start)})")
            ledger.note(entry, again.size, where)
            again.append(leaf_hash(line))
        except (ValueError, TypeError) as error:
            raise RefusedError(where, f"not an entry, nor a skipped subtree: {error}") from error
    if (again.size, again.hashes) != (frontier.size, frontier.hashes):
        raise RefusedError(path, "these entries do not give the tree that checkpoint.start signed")


def _read_proofs(bag: Bag, ledger: Ledger) -> None:
    signed = bag.text(f"{FOLDER}/checkpoint.end")
    for path in bag.payload:
        if path.startswith(f"{FOLDER}/proofs/"):
            try:
                proof = InclusionProof.parse(bag.text(path))
            except NoteError as error:
                raise RefusedError(path, str(error)) from error
            entry = _entry(proof.extra, path)
            if path != f"{FOLDER}/proofs/{entry.subject}.tlog-proof" or proof.checkpoint != signed:
                raise RefusedError(path, "a proof for another entry, or under another head than checkpoint.end")
            leaf = leaf_hash(proof.extra)
            if proof.leaf >= ledger.start or not verify_inclusion(
                leaf, proof.leaf, ledger.end.size, proof.hashes, ledger.end.root
            ):
                raise RefusedError(path, "the entry does not lie in the ledger before the period")
            ledger.note(entry, proof.leaf, path)


def _signed(bag: Bag, path: str, keys: tuple[VerifierKey, ...]) -> Checkpoint:
    try:
        head = Checkpoint.parse(open_note(bag.text(path), *keys))
    except NoteError as error:
        raise RefusedError(path, str(error)) from error
    if head.origin != keys[-1].name:
        raise RefusedError(path, f"the head of another log: {head.origin}")
    return head


def _frontier(said: Mapping[str, Any]) -> Frontier:
    where = f"{FOLDER}/frontier.start.json"
    try:
        return Frontier(_whole(said["size"], where), [bytes.fromhex(one) for one in said["hashes"]])
    except (KeyError, TypeError, ValueError) as error:
        raise RefusedError(where, f"not the left edge of a tree: {error}") from error


def _entry(line: bytes, where: str) -> Entry:
    try:
        return parse(line)
    except EntryError as error:
        raise RefusedError(where, str(error)) from error


def _time(head: Checkpoint, path: str) -> datetime:
    if head.at is None:
        raise RefusedError(path, "a head without the time of its signing (the line 'at ...')")
    return head.at


def _whole(value: object, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 53:
        raise RefusedError(where, "not a whole number")
    return value


def _unpacked(packed: bytes) -> Happened:
    kind, index, micros, commit = _PACKED.unpack(packed)
    return Happened(_KINDS[kind], index, _EPOCH + micros * _MICROSECOND, commit.hex())
