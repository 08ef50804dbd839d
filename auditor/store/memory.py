"""Evidence bytes in a dictionary: for tests of what stands on ``Objects`` and not on where they lie."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from auditor.domain.errors import EvidenceError


class MemoryObjects:
    """``domain.ports.Objects`` in a dictionary."""

    def __init__(self) -> None:
        self._objects: dict[tuple[UUID, str], bytes] = {}

    def put(self, tenant: UUID, digest: str, data: bytes) -> str:
        """Keep the bytes and give an address that is good for this process only."""
        if hashlib.sha256(data).hexdigest() != digest:
            raise EvidenceError(f"the bytes put under {digest} have another digest")
        self._objects[tenant, digest] = data
        return f"t/{tenant}/o/{digest[:2]}/{digest}"

    def get(self, tenant: UUID, digest: str) -> bytes:
        """The bytes as they were put."""
        try:
            return self._objects[tenant, digest]
        except KeyError as error:
            raise EvidenceError(f"evidence {digest} is missing") from error

    def put_many(self, tenant: UUID, contents: Mapping[str, bytes]) -> dict[str, str]:
        """Keep several contents."""
        return {digest: self.put(tenant, digest, data) for digest, data in contents.items()}

    def seal_beside(self, tenant: UUID, digests: Sequence[str], values: Sequence[bytes]) -> list[bytes]:
        """The values as they are: a dictionary has no keys."""
        del tenant, digests
        return list(values)

    def open_beside(self, tenant: UUID, digests: Sequence[str], sealed: Sequence[bytes]) -> list[bytes | None]:
        """The values, as long as their object is there."""
        return [value if (tenant, one) in self._objects else None for one, value in zip(digests, sealed, strict=True)]

    def get_many(self, tenant: UUID, digests: Iterable[str]) -> dict[str, bytes]:
        """Several contents."""
        return {digest: self.get(tenant, digest) for digest in digests}
