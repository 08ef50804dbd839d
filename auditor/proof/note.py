"""Signed notes, checkpoints and inclusion proofs as text: the C2SP forms signed-note, tlog-checkpoint, tlog-proof.

Enters: texts, or the parts to write one. Leaves: the parts, or a text; and which lines of it were signed by a key we know.
Guards the rule that nothing of a text is read before its signature holds. Lines of keys we do not know are ignored, so
that a witness or the next key may sign beside ours. Making a signature is done elsewhere: these files hold no private key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from . import ed25519
from .canonical import instant, stamp

ED25519 = 1
NOTE_LIMIT = 1 << 20
_PROOF = "c2sp.org/tlog-proof@v1"
_AT = "at "


class NoteError(ValueError):
    """A text is not what it should be, or nobody we know has signed it."""


class VerifierKey(NamedTuple):
    """A public key with the name it signs under; ``kind`` is the C2SP signature type, of which we know Ed25519."""

    name: str
    key: bytes
    kind: int = ED25519

    @property
    def hash(self) -> bytes:
        """Four bytes that say which key a signature line is meant for; a hint, never a proof."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.hash.hex()}+{base64.b64encode(bytes([self.kind]) + self.key).decode()}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """The key that ``name+hash+base64`` spells.

        Raises:
            NoteError: Another form, an unknown kind, or a hash that does not belong to the key.
        """
        name, _, rest = text.strip().partition("+")
        hashed, _, encoded = rest.partition("+")
        raw = _decoded(encoded, "verifier key")
        if not _is_name(name) or len(raw) != 33 or raw[0] != ED25519:
            raise NoteError("not an Ed25519 verifier key of the form name+hash+base64")
        found = cls(name, raw[1:], raw[0])
        if found.hash.hex() != hashed:
            raise NoteError("the verifier key's hash does not belong to its name and key")
        return found

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether the signature over the message is this key's."""
        return self.kind == ED25519 and ed25519.verify(self.key, message, signature)


class Signature(NamedTuple):
    """One line under a note: who signed, a hint at the key, and the signature's bytes."""

    name: str
    key_hash: bytes
    signature: bytes


class Note(NamedTuple):
    """A text that ends in a newline, and the signatures under it."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        lines = (
            f"\u2014 {one.name} {base64.b64encode(one.key_hash + one.signature).decode()}\n" for one in self.signatures
        )
        return f"{self.text}\n{''.join(lines)}"

    def signed_by(self, key: VerifierKey) -> bool:
        """Whether the key's own line is there and holds; a bad line under a known key spoils the note.

        Raises:
            NoteError: A line claims to be this key's and is not.
        """
        mine = [one for one in self.signatures if one.name == key.name and one.key_hash == key.hash]
        for one in mine:
            if not key.verify(self.text.encode(), one.signature):
                raise NoteError(f"the signature of {key.name} does not belong to this text")
        return bool(mine)


def parse_note(text: str) -> Note:
    """A note's text and its signature lines, whoever made them; nothing is verified yet.

    Raises:
        NoteError: Not a signed note.
    """
    head, blank, tail = text.rpartition("\n\n")
    if len(text) > NOTE_LIMIT or not blank or not head or not tail.endswith("\n") or _has_control(text):
        raise NoteError("not a signed note")
    return Note(head + "\n", tuple(_signature(line) for line in tail[:-1].split("\n")))


def open_note(text: str, *keys: VerifierKey) -> str:
    """The text of a note that one of the keys has signed.

    Raises:
        NoteError: Not a signed note, signed by none of them, or a signature of theirs is of another text.
    """
    note = parse_note(text)
    signed = [note.signed_by(key) for key in keys]  # each is looked at: a bad line of one spoils the note
    if not any(signed):
        named = ", ".join(f"{key.name} ({key.hash.hex()})" for key in keys)
        raise NoteError(f"no signature of {named} is under this text")
    return note.text


class Checkpoint(NamedTuple):
    """A log's head: its name, how many entries it has, their root, and when it was signed (the extension line ``at``)."""

    origin: str
    size: int
    root: bytes
    at: datetime | None = None
    extensions: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [self.origin, str(self.size), base64.b64encode(self.root).decode()]
        lines += [] if self.at is None else [_AT + stamp(self.at)]
        return "\n".join((*lines, *self.extensions)) + "\n"

    @classmethod
    def parse(cls, body: str) -> Checkpoint:
        """What a checkpoint's text says; unknown extension lines are kept.

        Raises:
            NoteError: Not a checkpoint.
        """
        lines = body.split("\n")
        if len(lines) < 4 or lines[-1] or not all(lines[:-1]) or not _is_decimal(lines[1]):
            raise NoteError("not a checkpoint")
        root = _decoded(lines[2], "checkpoint's root")
        if len(root) != 32:
            raise NoteError("a checkpoint's root has 32 bytes")
        more = lines[3:-1]
        try:
            at = instant(more[0][len(_AT) :]) if more and more[0].startswith(_AT) else None
        except ValueError as error:
            raise NoteError(f"checkpoint: {error}") from error
        return cls(lines[0], int(lines[1]), root, at, tuple(more if at is None else more[1:]))


class InclusionProof(NamedTuple):
    """That one entry lies in the log under a checkpoint; ``leaf`` is its index, ``extra`` carries the entry's own bytes here."""

    leaf: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes = b""

    def __str__(self) -> str:
        extra = f"extra {base64.b64encode(self.extra).decode()}\n" if self.extra else ""
        hashes = "".join(f"{base64.b64encode(one).decode()}\n" for one in self.hashes)
        return f"{_PROOF}\n{extra}index {self.leaf}\n{hashes}\n{self.checkpoint}"

    @classmethod
    def parse(cls, text: str) -> InclusionProof:
        """What a tlog-proof's text says; neither the path nor the checkpoint is verified yet.

        Raises:
            NoteError: Not a tlog-proof.
        """
        head, _, checkpoint = text.partition("\n\n")
        lines = head.split("\n")
        if lines[0] != _PROOF or not checkpoint:
            raise NoteError("not a tlog-proof")
        extra = b""
        if len(lines) > 1 and lines[1].startswith("extra "):
            extra = _decoded(lines.pop(1)[6:], "tlog-proof's extra line")
        if len(lines) < 2 or not lines[1].startswith("index ") or not _is_decimal(lines[1][6:]):
            raise NoteError("a tlog-proof without an index")
        hashes = tuple(_decoded(line, "tlog-proof's hash") for line in lines[2:])
        if len(hashes) > 63 or any(len(one) != 32 for one in hashes):
            raise NoteError("a tlog-proof's hashes have 32 bytes each, and there are at most 63")
        return cls(int(lines[1][6:]), hashes, checkpoint, extra)


def format_note(text: str, signatures: Iterable[Signature]) -> str:
    """The note as it is written down.

    Raises:
        NoteError: The text does not end in a newline, or holds what a note may not.
    """
    written = str(Note(text, tuple(signatures)))
    if not text.endswith("\n") or parse_note(written).text != text:
        raise NoteError("not a text that can be signed as a note")
    return written


def _signature(line: str) -> Signature:
    words: Sequence[str] = line.split(" ")
    if len(words) != 3 or words[0] != "\u2014" or not _is_name(words[1]):
        raise NoteError("not a signature line")
    raw = _decoded(words[2], "signature line")
    if len(raw) < 5:
        raise NoteError("a signature line without a signature")
    return Signature(words[1], raw[:4], raw[4:])


def _decoded(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise NoteError(f"{what}: not base64") from error


def _is_name(text: str) -> bool:
    return bool(text) and "+" not in text and not any(one.isspace() for one in text)


def _is_decimal(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20 and (text == "0" or text[0] != "0")


def _has_control(text: str) -> bool:
    return any(one < " " and one != "\n" for one in text)
