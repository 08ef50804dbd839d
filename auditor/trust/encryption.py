"""Secrets at rest: one root key, a key per tenant and purpose derived from it, AES-256-GCM around each value.

A sealed value is ``version (1 byte) ‖ nonce (12) ‖ ciphertext and tag``. Tenant and kind are authenticated with it, so a
value moved to another tenant's row, or to another column, does not open. Losing the root key loses every sealed value.
Version 1 hangs on the root key alone, version 2 on a key of the tenant's own, where a key service holds the root.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from auditor.domain.errors import ConfigurationError, EvidenceError

KEY_BYTES = 32
TENANT_KEY = "tenant key"
_VERSION = b"\x01"
_BY_TENANT = b"\x02"
_NONCE_BYTES = 12
_TAG_BYTES = 16
_FINGERPRINT_BYTES = 8


def root_key(configured: str | None, home: Path, file: Path | None = None) -> bytes:
    """The root key: as configured (base64), else from ``home/root.key``, which is made on first use, readable by us alone.

    Args:
        configured: The key itself.
        home: Where it is kept when neither it nor a file was given.
        file: A file that holds it, such as a mounted secret; never made by us.

    Raises:
        ConfigurationError: It is not 32 bytes of base64, others may read the file, or it was given twice.
    """
    given = given_root_key(configured, file)
    if given is not None:
        return given
    path = home / "root.key"
    if not path.exists():
        _create(path)
    return _read(path)


def given_root_key(configured: str | None, file: Path | None) -> bytes | None:
    """The root key as an operator gave it, none if they did not. Raises as ``root_key`` does."""
    if configured and file:
        raise ConfigurationError("the root key was given twice", advice="Set AUDITOR_ROOT_KEY or AUDITOR_ROOT_KEY_FILE")
    if configured:
        return _decoded(configured, "AUDITOR_ROOT_KEY")
    if file is None:
        return None
    if not file.is_file():
        raise ConfigurationError(f"AUDITOR_ROOT_KEY_FILE names no file: {file}", advice="Mount it, or correct the path")
    return _read(file)


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
    """Keys of tenants, derived from one root key; nothing derived is ever written down.

    Args:
        root: The root key; none where a key service holds it.
        tenant_secret: A tenant's own key; when given, it seals what is new.
    """

    def __init__(self, root: bytes | None, tenant_secret: Callable[[UUID], bytes] | None = None) -> None:
        self._root = root
        self._tenant_secret = tenant_secret

    def key(self, tenant: UUID, purpose: str) -> bytes:
        """32 bytes for one tenant and purpose (HKDF-SHA256); knowing them tells nothing about any other."""
        return self._key(tenant, purpose, _VERSION if self._tenant_secret is None else _BY_TENANT)

    def seal(self, tenant: UUID, kind: str, plain: bytes) -> bytes:
        """Encrypt a value of one kind for one tenant; sealing twice gives different bytes."""
        version = _VERSION if self._tenant_secret is None else _BY_TENANT
        return version + _sealed(self._key(tenant, "seal", version), plain, _bound_to(version, tenant, kind))

    def open(self, tenant: UUID, kind: str, sealed: bytes) -> bytes:
        """The value as it was sealed for this tenant and kind.

        Raises:
            ConfigurationError: Another root key, another tenant or kind, or bytes that were changed: these look the same.
        """
        version = sealed[:1]
        if len(sealed) < 1 + _NONCE_BYTES + _TAG_BYTES or version not in {_VERSION, _BY_TENANT}:
            raise ConfigurationError(f"a sealed {kind} has a form that this release does not know")
        try:
            return _opened(self._key(tenant, "seal", version), sealed[1:], _bound_to(version, tenant, kind))
        except InvalidTag as error:
            advice = "Give this process the root key that sealed it: AUDITOR_ROOT_KEY, or home/root.key."
            raise ConfigurationError(f"a sealed {kind} does not open", advice=advice) from error

    def _key(self, tenant: UUID, purpose: str, version: bytes) -> bytes:
        if version == _BY_TENANT:
            secret = None if self._tenant_secret is None else self._tenant_secret(tenant)
        else:
            secret = self._root
        if secret is None:
            raise ConfigurationError(
                "this was sealed under another root than this process was given",
                advice="Give it AUDITOR_ROOT_KEY, AUDITOR_ROOT_KEY_FILE or AUDITOR_KMS_KEY_ARN as it was",
            )
        return _derived(secret, b"auditor\x1f" + purpose.encode() + b"\x1f" + tenant.bytes)


class LocalRoot:
    """Wraps the keys of tenants under the root key. Satisfies ``store.keys.Root``."""

    kind = "local"

    def __init__(self, root: bytes) -> None:
        self._ring = Keyring(root)

    def wrap(self, tenant: UUID, key: bytes) -> bytes:
        """The key, sealed for this tenant."""
        return self._ring.seal(tenant, TENANT_KEY, key)

    def unwrap(self, tenant: UUID, wrapped: bytes) -> bytes:
        """The key as it was. Raises ``ConfigurationError`` under another root key or for another tenant."""
        return self._ring.open(tenant, TENANT_KEY, wrapped)


class AesGcm:
    """AES-256-GCM under keys that are given, with a random nonce in front. Satisfies ``store.keys.Seals``."""

    def seal(self, key: bytes, plain: bytes, bound: bytes) -> bytes:
        """Encrypt; ``bound`` is authenticated and not kept."""
        return _sealed(key, plain, bound)

    def open(self, key: bytes, sealed: bytes, bound: bytes) -> bytes:
        """The plain bytes.

        Raises:
            EvidenceError: Another key, bound to something else, or changed: these look the same.
        """
        try:
            return _opened(key, sealed, bound)
        except (InvalidTag, ValueError) as error:
            raise EvidenceError("a sealed object does not open: it was altered, moved, or is another's") from error

    def derive(self, key: bytes, purpose: str) -> bytes:
        """32 bytes for one purpose (HKDF-SHA256)."""
        return _derived(key, b"auditor\x1f" + purpose.encode())


def fingerprints(key: bytes) -> Callable[[bytes], str]:
    """What stands for a digest under a key, 16 hexadecimal digits: enough to tell two apart, nothing to whoever lacks the key."""

    def fingerprint(hashed: bytes) -> str:
        return hmac.digest(key, hashed, "sha256")[:_FINGERPRINT_BYTES].hex()

    return fingerprint


def _derived(secret: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(secret)


def _sealed(key: bytes, plain: bytes, bound: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, bound)


def _opened(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound)


def _bound_to(version: bytes, tenant: UUID, kind: str) -> bytes:
    return version + tenant.bytes + kind.encode()
