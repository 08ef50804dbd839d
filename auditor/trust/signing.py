"""The key that signs heads. One process mounts its file; web and collectors never see it.

The file holds a key a line, base64 of 32 bytes, the oldest first; usually one. A second line is a new key that signs beside
the old one from the head on that has its ``key.rotate`` entry, until the old one is retired. Of a retired key the public
part stays, as ``ed25519:<hex>``: what it signed must still be checked.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from auditor.domain.bundle import Signed
from auditor.domain.errors import ConfigurationError
from auditor.domain.ledger import rotation_event
from auditor.proof.canonical import digest
from auditor.proof.note import Checkpoint, NoteError, Signature, VerifierKey, format_note, parse_note
from auditor.proof.rotation import SUBJECT, subject_of
from auditor.proof.sshsig import NAMESPACE, armour, signed_bytes, signed_digest

KEY_BYTES = 32


class LogKey:
    """One private key."""

    def __init__(self, secret: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def subject(self) -> str:
        """How a ledger entry names the key."""
        return subject_of(self.public)

    def verifier(self, origin: str) -> VerifierKey:
        """The public key under the name of a log."""
        return VerifierKey(origin, self.public)

    def line(self, origin: str, text: str) -> Signature:
        """The signature line under a note's text."""
        return Signature(origin, self.verifier(origin).hash, self._key.sign(text.encode()))

    def sshsig(self, message: bytes, namespace: str = NAMESPACE) -> str:
        """The same key's signature in the form of ``ssh-keygen -Y verify``."""
        return armour(self.public, self._key.sign(signed_bytes(message, namespace)), namespace)

    def sshsig_of(self, sha512: bytes) -> str:
        """The same over a bundle's manifest, known by its SHA-512 alone."""
        return armour(self.public, self._key.sign(signed_digest(sha512)))


class LogKeys:
    """The keys of a file, the oldest first; satisfies ``domain.ledger.Signer``. The file is read each time it is needed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keys(self) -> tuple[LogKey, ...]:
        """Every key in the file. Raises ``ConfigurationError`` if it cannot be used."""
        return tuple(LogKey(secret) for secret in read(self._path)[0])

    def known(self, origin: str) -> list[VerifierKey]:
        """The public keys that sign, or once signed, the log of this name."""
        secrets_, retired = read(self._path)
        return [VerifierKey(origin, one) for one in (*retired, *(LogKey(secret).public for secret in secrets_))]

    def sign(self, head: Checkpoint, *, covers: Callable[[UUID], bool]) -> str:
        """The head, signed by the oldest key and by each that followed once the log tells of it."""
        oldest, *followed = self.keys()
        tenant = UUID(head.origin.rpartition("/")[2])
        signing = [oldest, *(key for key in followed if covers(rotation_event(tenant, key.subject)))]
        text = str(head)
        return format_note(text, [key.line(head.origin, text) for key in signing])

    def signed(self, origin: str, note: str) -> bool:
        """Whether one of these keys signed the note."""
        try:
            open_head(note, self.known(origin))
        except NoteError:
            return False
        return True

    def sign_text(self, origin: str, text: str) -> str:
        """Any other note, such as a bundle's seal, signed by the newest key."""
        return format_note(text, [self.keys()[-1].line(origin, text)])

    def sign_seal(self, origin: str, text: str, sha512: bytes) -> Signed:
        """A bundle's seal and manifest, signed by the oldest key: every head carries its line until it is retired."""
        secrets_, retired = read(self._path)
        key = LogKey(secrets_[0])
        note = format_note(text, [key.line(origin, text)])
        before = tuple(str(VerifierKey(origin, one)) for one in retired)
        return Signed(note, key.sshsig_of(sha512), str(key.verifier(origin)), before)

    def announcements(self, tenant: UUID) -> Iterable[tuple[str, str]]:
        """Each key that followed another: its subject, and a digest of it."""
        del tenant
        return [(key.subject, digest({"key": key.subject})) for key in self.keys()[1:]]


def open_head(note: str, keys: Iterable[VerifierKey]) -> Checkpoint:
    """What a head says that one of these keys has signed; ``auditor.proof`` does the same without a library, and slower.

    Raises:
        NoteError: None of them signed it, or a line that claims to be theirs is not.
    """
    parsed = parse_note(note)
    for key in keys:
        mine = [one for one in parsed.signatures if one.name == key.name and one.key_hash == key.hash]
        for one in mine:
            try:
                Ed25519PublicKey.from_public_bytes(key.key).verify(one.signature, parsed.text.encode())
            except (InvalidSignature, ValueError) as error:
                raise NoteError(f"the signature of {key.name} does not belong to this text") from error
        if mine:
            return Checkpoint.parse(parsed.text)
    raise NoteError("no key that we were given has signed this")


def ensure(path: Path) -> None:
    """Make a key where there is no file yet; of two processes that do so at once both end with the same one."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = _draft(path, [], [secrets.token_bytes(KEY_BYTES)])
        try:
            with suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink()


def rotate(path: Path) -> LogKey:
    """Add a new key to the file; it signs beside the old one as soon as the log tells of it.

    Raises:
        ConfigurationError: Another rotation is under way: its old key was not retired yet.
    """
    before, retired = read(path)
    if len(before) > 1:
        raise ConfigurationError(
            "a rotation is under way: the file holds two keys", advice="End it first: auditor ledger rotate --retire"
        )
    secret = secrets.token_bytes(KEY_BYTES)
    _draft(path, retired, [*before, secret]).replace(path)
    return LogKey(secret)


def retire(path: Path) -> LogKey:
    """Forget the secrets of every key but the newest. Raises ``ConfigurationError`` if there is only one."""
    before, retired = read(path)
    if len(before) == 1:
        raise ConfigurationError("there is one key, and nothing to retire", advice="Begin with: auditor ledger rotate")
    gone = [LogKey(secret).public for secret in before[:-1]]
    _draft(path, [*retired, *gone], before[-1:]).replace(path)
    return LogKey(before[-1])


def read(path: Path) -> tuple[list[bytes], list[bytes]]:
    """The secrets in a key file, and the public parts of retired keys.

    Raises:
        ConfigurationError: There is no such file, others may read it, or it does not hold keys.
    """
    if not path.is_file():
        raise ConfigurationError(
            f"AUDITOR_LEDGER_KEY_FILE names no file: {path}",
            advice="It is made by the process that signs: auditor checkpoint; no other process needs it",
        )
    if stat.S_IMODE(path.stat().st_mode) & stat.S_IRWXO:
        raise ConfigurationError(f"{path} can be read by everybody", advice=f"Run: chmod 600 {path}")
    found: list[bytes] = []
    retired: list[bytes] = []
    with suppress(binascii.Error, ValueError):
        for line in path.read_text("ascii").split():
            if line.startswith(SUBJECT):
                retired.append(bytes.fromhex(line.removeprefix(SUBJECT)))
            else:
                found.append(base64.b64decode(line, validate=True))
    if not found or any(len(one) != KEY_BYTES for one in (*found, *retired)):
        raise ConfigurationError(f"{path} does not hold a key a line, 32 bytes in base64 each")
    return found, retired


def fingerprint(key: bytes) -> str:
    """A public key as people compare it: SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(key).hexdigest()


def _draft(path: Path, retired: Iterable[bytes], keys: Iterable[bytes]) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(b"".join(f"{SUBJECT}{one.hex()}\n".encode() for one in retired))
        file.write(b"".join(base64.b64encode(one) + b"\n" for one in keys))
        file.flush()
        os.fsync(file.fileno())
    return draft
