"""Secrets at rest: one root key, a key per tenant and purpose derived from it, AES-256-GCM around each value.

A sealed value is ``version (1 byte) ‖ nonce (12) ‖ ciphertext and tag``. Tenant and kind are authenticated with it, so a
value moved to another tenant's row, or to another column, does not open. Losing the root key loses every sealed value.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from auditor.domain.errors import ConfigurationError

KEY_BYTES = 32
_VERSION = b"\x01"
_NONCE_BYTES = 12
_TAG_BYTES = 16


def root_key(configured: str | None, home: Path) -> bytes:
    """The root key: as configured (base64), else from ``home/root.key``, which is made on first use, readable by us alone.

    Raises:
        ConfigurationError: It is not 32 bytes of base64, or others may read the file.
    """
    if configured:
        return _decoded(configured, "AUDITOR_ROOT_KEY")
    path = home / "root.key"
    if not path.exists():
        _create(path)
    return _read(path)


def _read(path: Path) -> bytes:
    if stat.S_IMODE(path.stat().st_mode) & stat.S_IRWXO:
        raise ConfigurationError(f"{path} can be read by everybody", advice=f"Run: chmod 600 {path}")
    return _decoded(path.read_text(encoding="ascii"), str(path))


def _create(path: Path) -> None:
    """Make the key so that of two processes starting at once both end with the same one, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        # A link is refused when the name is taken: whoever came first wins, and the other reads that key.
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _decoded(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        advice = "Make one with: python3 -c 'import base64, os; print(base64.b64encode(os.urandom(32)).decode())'"
        raise ConfigurationError(f"{where} does not hold 32 bytes in base64", advice=advice)
    return key


class Keyring:
    """Keys of tenants, derived from one root key; nothing derived is ever written down."""

    def __init__(self, root: bytes) -> None:
        self._root = root

    def key(self, tenant: UUID, purpose: str) -> bytes:
        """32 bytes for one tenant and purpose (HKDF-SHA256); knowing them tells nothing about any other."""
        info = b"auditor\x1f" + purpose.encode() + b"\x1f" + tenant.bytes
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(self._root)

    def seal(self, tenant: UUID, kind: str, plain: bytes) -> bytes:
        """Encrypt a value of one kind for one tenant; sealing twice gives different bytes."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(self.key(tenant, "seal")).encrypt(nonce, plain, _bound_to(tenant, kind))
        return _VERSION + nonce + sealed

    def open(self, tenant: UUID, kind: str, sealed: bytes) -> bytes:
        """The value as it was sealed for this tenant and kind.

        Raises:
            ConfigurationError: Another root key, another tenant or kind, or bytes that were changed: these look the same.
        """
        if len(sealed) < 1 + _NONCE_BYTES + _TAG_BYTES or sealed[:1] != _VERSION:
            raise ConfigurationError(f"a sealed {kind} has a form that this release does not know")
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return AESGCM(self.key(tenant, "seal")).decrypt(nonce, body, _bound_to(tenant, kind))
        except InvalidTag as error:
            advice = "Give this process the root key that sealed it: AUDITOR_ROOT_KEY, or home/root.key."
            raise ConfigurationError(f"a sealed {kind} does not open", advice=advice) from error


def _bound_to(tenant: UUID, kind: str) -> bytes:
    return _VERSION + tenant.bytes + kind.encode()
