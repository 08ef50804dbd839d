"""Evidence bytes as the pipeline knows them: content-addressed per tenant, each sealed under a key of its own.

The key is committed before its object is put. A crash between leaves a key without an object, and the next try seals under
the same key; a crash after the put leaves an object that the next try finds and reads back. Whoever destroys the key has
destroyed the object, also where a lock keeps its bytes from being deleted.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from auditor.domain.errors import EvidenceError
from auditor.domain.ports import Clock
from auditor.domain.retention import pushed_out
from auditor.store.keys import Erased, ObjectKey, PostgresKeys, Seals
from auditor.store.objects.blobs import SEALED, Blobs, packed, unpacked

EVIDENCE = "evidence"
_T = TypeVar("_T")
_R = TypeVar("_R")


class Vault:
    """``domain.ports.Objects`` over a place where bytes lie and the keys beside it.

    Args:
        blobs: Where the bytes lie.
        keys: Where the keys lie; not in the same place.
        seals: The cipher.
        clock: For locks.
        period: How long an object put now is locked, if ``blobs`` locks.
        threads: How many puts and gets of one batch go at once.
        before: The address of an object that was put before there were keys.
    """

    def __init__(
        self,
        blobs: Blobs,
        keys: PostgresKeys,
        seals: Seals,
        *,
        clock: Clock,
        period: timedelta,
        threads: int = 1,
        before: Callable[[UUID, str], str] | None = None,
    ) -> None:
        self._blobs = blobs
        self._keys = keys
        self._seals = seals
        self._clock = clock
        self._period = period
        self._threads = threads
        self._before = before

    def put(self, tenant: UUID, digest: str, data: bytes) -> str:
        """Keep the bytes durably and sealed, and give the address they are found under.

        Raises:
            EvidenceError: The bytes are not what the digest says, or what was kept is not what was sent.
        """
        return self.put_many(tenant, {digest: data})[digest]

    def put_many(self, tenant: UUID, contents: Mapping[str, bytes]) -> dict[str, str]:
        """Keep several contents, with one statement for their keys; gives the address by digest."""
        for digest, data in contents.items():
            if hashlib.sha256(data).hexdigest() != digest:
                raise EvidenceError(f"the bytes put under {digest} have another digest")
        if not contents:
            return {}
        until = self._clock() + self._period if self._blobs.locks else None
        keys = self._keys.ensure(tenant, contents)
        fresh = [key for key in keys.values() if not key.stored]
        self._each(lambda key: self._put(tenant, key, contents[key.digest], until), fresh)
        self._keys.mark_stored(tenant, [key.address for key in fresh], until)
        if until is not None:
            self._push_out(tenant, [key for key in keys.values() if key.stored], until)
        return {digest: key.address for digest, key in keys.items()}

    def get(self, tenant: UUID, digest: str) -> bytes:
        """The bytes as they were put.

        Raises:
            EvidenceError: Missing, erased, or not what the digest says.
        """
        return self.get_many(tenant, [digest])[digest]

    def get_many(self, tenant: UUID, digests: Iterable[str]) -> dict[str, bytes]:
        """Several contents, with one statement for their keys.

        Raises:
            EvidenceError: One of them is missing, erased, or not what its digest says.
        """
        wanted = tuple(dict.fromkeys(digests))
        keys = self._keys.find(tenant, wanted)
        found = self._each(lambda digest: self._get(tenant, digest, keys.get(digest)), wanted)
        return dict(zip(wanted, found, strict=True))

    def seal_beside(self, tenant: UUID, digests: Sequence[str], values: Sequence[bytes]) -> list[bytes]:
        """Values sealed under the key of the object whose digest stands at the same place: erased with it.

        Raises:
            EvidenceError: There is no key for one of them, or none any more.
        """
        keys = self._keys.find(tenant, sorted(set(digests)))
        sealed = []
        for digest, value in zip(digests, values, strict=True):
            key = keys.get(digest)
            if not isinstance(key, ObjectKey):
                raise EvidenceError(f"evidence {digest} has no key that something could be sealed under")
            sealed.append(self._seals.seal(key.key, packed(value), _beside(tenant, digest)))
        return sealed

    def open_beside(self, tenant: UUID, digests: Sequence[str], sealed: Sequence[bytes]) -> list[bytes | None]:
        """The values as they were sealed; none for one whose object was erased or whose bytes do not open."""
        keys = self._keys.find(tenant, sorted(set(digests)))
        found: list[bytes | None] = []
        for digest, value in zip(digests, sealed, strict=True):
            key = keys.get(digest)
            try:
                opened = (
                    self._seals.open(key.key, value, _beside(tenant, digest)) if isinstance(key, ObjectKey) else None
                )
            except EvidenceError:
                opened = None
            found.append(None if opened is None else unpacked(opened, digest))
        return found

    def _put(self, tenant: UUID, key: ObjectKey, data: bytes, until: datetime | None) -> None:
        sealed = SEALED + self._seals.seal(key.key, packed(data), bound_to(tenant, key.digest))
        if not self._blobs.put_once(key.address, sealed, until):
            # Something lies there: what a broken try put under this key, or bytes that nobody may mistake for it.
            self._get(tenant, key.digest, key)
            if until is not None:
                self._blobs.extend(key.address, until)

    def _get(self, tenant: UUID, digest: str, key: ObjectKey | Erased | None) -> bytes:
        if isinstance(key, Erased):
            raise EvidenceError(f"evidence {digest} was erased on {key.at:%Y-%m-%d}: its key is destroyed")
        stored = self._blobs.get(key.address) if key is not None else None
        if stored is None and self._before is not None:  # sealing it may have ended between the key and the put
            stored = self._blobs.get(self._before(tenant, digest))
        if stored is None:
            raise EvidenceError(f"evidence {digest} is missing")
        if stored[:1] == SEALED:
            if key is None:
                raise EvidenceError(f"evidence {digest} is sealed, and its key is missing")
            stored = self._seals.open(key.key, stored[1:], bound_to(tenant, digest))
        data = unpacked(stored, digest)
        if hashlib.sha256(data).hexdigest() != digest:
            raise EvidenceError(f"evidence {digest} was altered")
        return data

    def _push_out(self, tenant: UUID, keys: Iterable[ObjectKey], until: datetime) -> None:
        """An unchanged content that is seen again is in effect again: its lock moves, once per twelfth of the period."""
        due = [key.address for key in keys if pushed_out(key.locked_until, until, self._period) is not None]
        held = self._each(lambda address: self._blobs.extend(address, until), due)
        told = zip(due, held, strict=True)
        self._keys.mark_locked(tenant, {address: at for address, at in told if at is not None})

    def _each(self, do: Callable[[_T], _R], items: Sequence[_T]) -> list[_R]:
        if self._threads == 1 or len(items) < 2:
            return [do(item) for item in items]
        with ThreadPoolExecutor(min(self._threads, len(items)), thread_name_prefix="vault") as pool:
            return list(pool.map(do, items))


def bound_to(tenant: UUID, digest: str) -> bytes:
    """What a sealed object is bound to: it opens under this tenant and digest only, and as this kind."""
    return b"\x1f".join((b"auditor object", EVIDENCE.encode(), digest.encode("ascii"), tenant.bytes))


def _beside(tenant: UUID, digest: str) -> bytes:
    return b"\x1f".join((b"auditor document", digest.encode("ascii"), tenant.bytes))


def address_before(root: bytes) -> Callable[[UUID, str], str]:
    """Where objects of the first release lie: under a hash keyed by the root key."""

    def address(tenant: UUID, digest: str) -> str:
        key = hmac.digest(root, b"object address\x1f" + tenant.bytes, "sha256")
        name = hmac.new(key, digest.encode("ascii"), hashlib.sha256).hexdigest()
        return f"t/{tenant}/o/{name[:2]}/{name}"

    return address
