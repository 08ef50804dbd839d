"""Evidence objects as files: put once, durably, under an address that only this installation can compute.

The address is a keyed hash of the content's digest, under a key of the tenant's own: nobody can confirm by a file's name that
a tenant holds a known content, and equal contents of two tenants lie apart.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import tempfile
from pathlib import Path
from uuid import UUID

import zstandard

from auditor.domain.errors import EvidenceError

RAW = b"\x00"
ZSTD = b"\x01"
_LEVEL = 3
_MODE = 0o640
_LONGEST = 256 * 1024 * 1024


class LocalObjects:
    """``domain.ports.Objects`` in a folder.

    Args:
        folder: Where objects lie; made when the first one is put.
        root_key: The installation's secret; losing it loses the way to every object.
    """

    def __init__(self, folder: Path, root_key: bytes) -> None:
        self._folder = folder
        self._root_key = root_key

    def put(self, tenant: UUID, digest: str, data: bytes) -> str:
        """Keep the bytes durably and give the address they are found under.

        Raises:
            EvidenceError: The bytes are not what the digest says: kept so, they could never be read.
        """
        if hashlib.sha256(data).hexdigest() != digest:
            raise EvidenceError(f"the bytes put under {digest} have another digest")
        address = self.address(tenant, digest)
        path = self._folder / address
        if not path.exists():
            _write(path, _packed(data))
        return address

    def get(self, tenant: UUID, digest: str) -> bytes:
        """The bytes as they were put.

        Raises:
            EvidenceError: Missing, or not what the digest says.
        """
        try:
            stored = (self._folder / self.address(tenant, digest)).read_bytes()
        except FileNotFoundError as error:
            raise EvidenceError(f"evidence {digest} is missing") from error
        data = _unpacked(stored, digest)
        if hashlib.sha256(data).hexdigest() != digest:
            raise EvidenceError(f"evidence {digest} was altered")
        return data

    def address(self, tenant: UUID, digest: str) -> str:
        """``t/<tenant>/o/<aa>/<keyed hash>``."""
        tenant_key = hmac.digest(self._root_key, b"object address\x1f" + tenant.bytes, "sha256")
        name = hmac.new(tenant_key, digest.encode("ascii"), hashlib.sha256).hexdigest()
        return f"t/{tenant}/o/{name[:2]}/{name}"


def _packed(data: bytes) -> bytes:
    """Compressed where that makes it smaller; the first byte says which."""
    squeezed = zstandard.ZstdCompressor(level=_LEVEL).compress(data)
    return ZSTD + squeezed if len(squeezed) < len(data) else RAW + data


def _unpacked(stored: bytes, digest: str) -> bytes:
    header, body = stored[:1], stored[1:]
    if header == RAW:
        return body
    if header != ZSTD:
        raise EvidenceError(f"evidence {digest} is kept in a format that this release does not know")
    try:
        if not 0 <= zstandard.frame_content_size(body) <= _LONGEST:
            raise EvidenceError(f"evidence {digest} was altered: it claims to be longer than any evidence")
        return zstandard.ZstdDecompressor().decompress(body)
    except zstandard.ZstdError as error:
        raise EvidenceError(f"evidence {digest} was altered") from error


def _write(path: Path, stored: bytes) -> None:
    """All or nothing: a crash before the rename leaves a temp file, one after it leaves the object whole."""
    made = [folder.parent for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".put-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(stored)
            file.flush()
            os.fchmod(file.fileno(), _MODE)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    for folder in (path.parent, *made):
        _sync(folder)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
