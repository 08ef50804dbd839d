"""SSH signatures over an Ed25519 key: the form that ``ssh-keygen -Y verify`` reads, because every auditor has ssh-keygen.

Enters: a message, and a raw public key with the signature made over ``signed_bytes``. Leaves: the armoured text, or yes or no.
Guards the rule that a signature for one purpose serves no other: the namespace is part of what is signed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import textwrap

from . import ed25519

NAMESPACE = "evidence-bundle"
_MAGIC = b"SSHSIG"
_KIND = b"ssh-ed25519"
_HASH = b"sha512"
_BEGIN = "-----BEGIN SSH SIGNATURE-----"
_END = "-----END SSH SIGNATURE-----"


def signed_bytes(message: bytes, namespace: str = NAMESPACE) -> bytes:
    """What the private key signs to vouch for a message."""
    return signed_digest(hashlib.sha512(message).digest(), namespace)


def signed_digest(digest: bytes, namespace: str = NAMESPACE) -> bytes:
    """The same, for whoever knows the message by its SHA-512 alone."""
    return _MAGIC + _strings(namespace.encode(), b"", _HASH, digest)


def armour(key: bytes, signature: bytes, namespace: str = NAMESPACE) -> str:
    """The text of a ``.sshsig`` file, from the raw public key (32 bytes) and the raw signature (64 bytes)."""
    blob = _MAGIC + (1).to_bytes(4, "big")
    blob += _strings(_strings(_KIND, key), namespace.encode(), b"", _HASH, _strings(_KIND, signature))
    body = "\n".join(textwrap.wrap(base64.b64encode(blob).decode(), 70))
    return f"{_BEGIN}\n{body}\n{_END}\n"


def allowed_signer(principal: str, key: bytes, namespace: str = NAMESPACE) -> str:
    """The line of an ``allowed_signers`` file that lets a principal sign for this purpose with this key."""
    return f'{principal} namespaces="{namespace}" ssh-ed25519 {base64.b64encode(_strings(_KIND, key)).decode()}\n'


def verify(armoured: str, key: bytes, message: bytes, namespace: str = NAMESPACE) -> bool:
    """Whether the text is this key's signature over the message, for this purpose; every byte of its frame is held."""
    lines = armoured.strip().split("\n")
    if len(lines) < 3 or (lines[0], lines[-1]) != (_BEGIN, _END):
        return False
    try:
        blob = base64.b64decode("".join(lines[1:-1]).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return False
    # There is one way to frame a given signature, so the frame is compared instead of taken apart.
    signature = blob[-64:]
    framed = _MAGIC + (1).to_bytes(4, "big")
    framed += _strings(_strings(_KIND, key), namespace.encode(), b"", _HASH, _strings(_KIND, signature))
    return blob == framed and ed25519.verify(key, signed_bytes(message, namespace), signature)


def _strings(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
