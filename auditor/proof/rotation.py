"""Keys that followed each other on a log: which of them a reader may have pinned, and whose heads count.

Enters: the key that sealed a bundle, and what the bundle brings of those before it. Leaves: all of them, the oldest first.
Guards the direction of trust: a key names the one that follows it, by signing a head over its ``key.rotate`` entry. Never the
other way round, for anybody can put a line of their own under a head.
"""

from __future__ import annotations

from .bag import Bag
from .entry import EntryError, parse
from .merkle import leaf_hash, verify_inclusion
from .note import Checkpoint, InclusionProof, NoteError, VerifierKey, open_note
from .report import RefusedError

RETIRED = "keys/retired.vkey"
FOLDER = "keys/rotations"
SUBJECT = "ed25519:"


def subject_of(key: bytes) -> str:
    """How a ledger entry names a key: it is public, so it stands there as it is."""
    return SUBJECT + key.hex()


def proof_path(key: VerifierKey) -> str:
    """Where the proof lies that this key followed another."""
    return f"{FOLDER}/{key.hash.hex()}.tlog-proof"


def read_chain(bag: Bag, files: frozenset[str], key: VerifierKey) -> tuple[VerifierKey, ...]:
    """The keys that signed the log one after the other, this one last; alone if the bundle names none before it.

    Raises:
        RefusedError: That one of them followed the one before is not shown.
    """
    if RETIRED not in files:
        return (key,)
    try:
        chain = (*(VerifierKey.parse(line) for line in bag.text(RETIRED).splitlines()), key)
    except NoteError as error:
        raise RefusedError(RETIRED, str(error)) from error
    for number in range(1, len(chain)):
        _hold(bag, chain[number - 1], chain[number])
    return chain


def _hold(bag: Bag, before: VerifierKey, after: VerifierKey) -> None:
    path = proof_path(after)
    try:
        proof = InclusionProof.parse(bag.text(path))
        head = Checkpoint.parse(open_note(proof.checkpoint, before))
        open_note(proof.checkpoint, after)
        entry = parse(proof.extra)
    except (NoteError, EntryError) as error:
        raise RefusedError(path, str(error)) from error
    if before.name != after.name or head.origin != after.name:
        raise RefusedError(path, "of another log")
    if (entry.type, entry.subject) != ("key.rotate", subject_of(after.key)):
        raise RefusedError(path, f"not the entry that names {after.hash.hex()} as the next key")
    if not verify_inclusion(leaf_hash(proof.extra), proof.leaf, head.size, proof.hashes, head.root):
        raise RefusedError(path, "the entry does not lie under the head that both keys signed")
