"""What the vault asks of a place where bytes lie, and the form they lie in.

A stored object begins with one byte: ``RAW`` and ``ZSTD`` hold content as such, ``SEALED`` holds a nonce and the AES-256-GCM
encryption of one of the former. Older forms stay readable.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import zstandard

from auditor.domain.errors import EvidenceError
from auditor.domain.retention import Lock

RAW = b"\x00"
ZSTD = b"\x01"
SEALED = b"\x02"
_LEVEL = 3
_LONGEST = 256 * 1024 * 1024


class Blobs(Protocol):
    """Bytes under addresses: written once, never changed, deleted only when no lock and no hold binds them."""

    locks: bool
    """Whether this place was told to lock what it keeps."""

    def put_once(self, address: str, data: bytes, retain_until: datetime | None) -> bool:
        """Keep the bytes durably and locked; False, and nothing written, where something lies already.

        Raises:
            EvidenceError: What was kept is not what was sent.
        """

    def get(self, address: str) -> bytes | None:
        """The bytes; none where nothing lies."""

    def lock(self, address: str) -> Lock | None:
        """What binds the object; none where nothing lies."""

    def extend(self, address: str, until: datetime) -> datetime | None:
        """Lock until then, or as long as it is locked already, whichever is later; gives the time that holds."""

    def hold(self, address: str, held: bool) -> None:  # noqa: FBT001  (the one thing there is to say)
        """Put a legal hold on the object or take it off."""

    def delete(self, address: str, now: datetime) -> None:
        """Remove the object for good; one that is gone is gone.

        Raises:
            LockedError: A lock or a hold binds it.
        """


def packed(data: bytes) -> bytes:
    """Compressed where that makes it smaller; the first byte says which."""
    squeezed = zstandard.ZstdCompressor(level=_LEVEL).compress(data)
    return ZSTD + squeezed if len(squeezed) < len(data) else RAW + data


def unpacked(stored: bytes, digest: str) -> bytes:
    """What ``packed`` was given.

    Raises:
        EvidenceError: Another form, or bytes that do not unpack.
    """
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
