"""The keys that evidence is sealed under: one a tenant, wrapped by the root, and one an object, wrapped by the tenant's.

Kept apart from the objects, so that erasing is destroying a key: an object under a lock that nobody can lift is gone with it.
Beside each key lies the salt of the object's commitment in the ledger; both go together.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Connection, Row, text

from auditor.domain.errors import ConfigurationError, EvidenceError
from auditor.domain.ports import Clock
from auditor.store.database import Database

KEY_BYTES = 32
SALT_BYTES = 16

_TENANT_KEY = "SELECT version, wrapped, kind, destroyed_at FROM tenant_key ORDER BY version DESC LIMIT 1"
_MAKE_TENANT_KEY = """
INSERT INTO tenant_key (tenant_id, version, wrapped, kind, created_at) VALUES (:tenant, 1, :wrapped, :kind, :now)
ON CONFLICT DO NOTHING
"""
_FIND = """
SELECT k.digest, k.address, k.wrapped, k.salt, k.stored_at, k.locked_until, k.destroyed_at, k.key_version,
    t.wrapped AS tenant_wrapped, t.kind
FROM object_key k JOIN tenant_key t ON t.tenant_id = k.tenant_id AND t.version = k.key_version
WHERE k.digest = ANY (:digests)
ORDER BY k.destroyed_at
"""
_MAKE = """
INSERT INTO object_key (tenant_id, address, digest, key_version, wrapped, salt, created_at)
SELECT :tenant, r.address, r.digest, :version, r.wrapped, r.salt, :now
FROM unnest(CAST(:addresses AS text[]), CAST(:digests AS text[]), CAST(:keys AS bytea[]), CAST(:salts AS bytea[]))
    AS r (address, digest, wrapped, salt)
ORDER BY r.digest
ON CONFLICT DO NOTHING
"""
# Rows are taken in one order: two places that show the same contents mark the same rows at the same time.
_TAKEN = "WITH taken AS (SELECT address FROM object_key WHERE address = ANY (:addresses) ORDER BY address FOR UPDATE)"
_STORED = f"""
{_TAKEN}
UPDATE object_key k SET stored_at = :now, locked_until = greatest(k.locked_until, CAST(:until AS timestamptz))
FROM taken WHERE k.tenant_id = :tenant AND k.address = taken.address AND k.stored_at IS NULL
"""  # noqa: S608  (one part of our own text in another)
MOVE_LOCKS = f"""
{_TAKEN}
UPDATE object_key k SET locked_until = greatest(k.locked_until, r.until)
FROM taken JOIN unnest(CAST(:addresses AS text[]), CAST(:times AS timestamptz[])) AS r (address, until) USING (address)
WHERE k.tenant_id = :tenant AND k.address = taken.address
"""  # noqa: S608  (likewise)
SALTS = "SELECT digest, salt FROM object_key WHERE digest = ANY (:digests) AND destroyed_at IS NULL"


class Root(Protocol):
    """What wraps the keys of tenants: a root key of ours, or a key that never leaves its service."""

    kind: str
    """How rows name it, so that each is unwrapped by what wrapped it."""

    def wrap(self, tenant: UUID, key: bytes) -> bytes:
        """The key as it may be written down."""

    def unwrap(self, tenant: UUID, wrapped: bytes) -> bytes:
        """The key as it was. Raises ``ConfigurationError`` if this root did not wrap it for this tenant."""


class Seals(Protocol):
    """Authenticated encryption under a given key."""

    def seal(self, key: bytes, plain: bytes, bound: bytes) -> bytes:
        """Encrypt, bound to what the bytes are."""

    def open(self, key: bytes, sealed: bytes, bound: bytes) -> bytes:
        """The plain bytes. Raises ``EvidenceError`` if anything differs."""

    def derive(self, key: bytes, purpose: str) -> bytes:
        """Another key, for one purpose."""


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """An object's key, and what is known of where it lies."""

    digest: str
    address: str
    key: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    stored: bool
    locked_until: datetime | None


@dataclass(frozen=True, slots=True)
class Erased:
    """An object whose key was destroyed, and when."""

    digest: str
    at: datetime


class PostgresKeys:
    """Keys over the application role, each tenant's under its own policies.

    Args:
        database: Connections of their own: callers hold one of the store's while they ask for a key.
        roots: What unwraps; the first of them wraps what is new.
        seals: The cipher.
        clock: For the rows.
    """

    def __init__(self, database: Database, roots: Sequence[Root], seals: Seals, clock: Clock) -> None:
        self._database = database
        self._roots = tuple(roots)
        self._seals = seals
        self._clock = clock
        self._open: dict[tuple[UUID, bytes], bytes] = {}
        self._lock = Lock()

    def tenant_secret(self, tenant: UUID) -> bytes:
        """The tenant's own key, made on first use; for deriving others from it.

        Raises:
            EvidenceError: It was destroyed: everything of this tenant was erased.
        """
        with self._database.under(tenant) as connection:
            return self._tenant_key(connection, tenant)[1]

    def derived(self, tenant: UUID, purpose: str) -> bytes:
        """A key of the tenant's own for one purpose, gone with its secret. Raises as ``tenant_secret`` does."""
        return self._seals.derive(self.tenant_secret(tenant), purpose)

    def ensure(self, tenant: UUID, digests: Collection[str]) -> dict[str, ObjectKey]:
        """The key of each content, made and committed where there is none yet; whoever came first made it.

        A content that was erased and is seen again gets a new key and another address: what was destroyed stays so.
        """
        with self._database.under(tenant) as connection:
            version, secret = self._tenant_key(connection, tenant)
            known = self._found(connection, tenant, digests)
            missing = [digest for digest in digests if not isinstance(known.get(digest), ObjectKey)]
            if missing:
                self._make(connection, tenant, version, secret, missing)
                known |= self._found(connection, tenant, missing)
        return {digest: key for digest, key in known.items() if isinstance(key, ObjectKey)}

    def find(self, tenant: UUID, digests: Collection[str]) -> dict[str, ObjectKey | Erased]:
        """What is known of these contents, in one statement."""
        with self._database.under(tenant) as connection:
            return self._found(connection, tenant, digests)

    def salts(self, tenant: UUID, digests: Collection[str]) -> dict[str, bytes]:
        """The salts of contents that were not erased: what the ledger commits to is salt and digest."""
        with self._database.under(tenant) as connection:
            rows = connection.execute(text(SALTS), {"digests": list(digests)})
            return {row.digest: row.salt for row in rows}

    def mark_stored(self, tenant: UUID, addresses: Sequence[str], locked_until: datetime | None) -> None:
        """These objects lie where they should, locked until then."""
        if addresses:
            told = {"tenant": tenant, "addresses": list(addresses), "until": locked_until, "now": self._clock()}
            with self._database.under(tenant) as connection:
                connection.execute(text(_STORED), told)

    def mark_locked(self, tenant: UUID, until: Mapping[str, datetime]) -> None:
        """These objects are locked for longer; a time before the known one changes nothing."""
        if until:
            told = {"tenant": tenant, "addresses": list(until), "times": list(until.values())}
            with self._database.under(tenant) as connection:
                connection.execute(text(MOVE_LOCKS), told)

    def _tenant_key(self, connection: Connection, tenant: UUID) -> tuple[int, bytes]:
        row = connection.execute(text(_TENANT_KEY)).one_or_none()
        if row is None:
            root = self._roots[0]
            told = {"tenant": tenant, "kind": root.kind, "now": self._clock()}
            wrapped = root.wrap(tenant, secrets.token_bytes(KEY_BYTES))
            connection.execute(text(_MAKE_TENANT_KEY), {**told, "wrapped": wrapped})
            row = connection.execute(text(_TENANT_KEY)).one()
        if row.destroyed_at is not None:
            raise EvidenceError(
                f"the keys of this tenant were destroyed on {row.destroyed_at:%Y-%m-%d}",
                advice="Everything kept for it was erased; disconnect its sources, nothing more can be kept",
            )
        return row.version, self._unwrapped(tenant, row.kind, row.wrapped)

    def _unwrapped(self, tenant: UUID, kind: str, wrapped: bytes) -> bytes:
        with self._lock:
            known = self._open.get((tenant, wrapped))
        if known is not None:
            return known
        root = next((one for one in self._roots if one.kind == kind), None)
        if root is None:
            raise ConfigurationError(
                f"the keys of this tenant were wrapped by a root of the kind {kind}, which this process does not have",
                advice="Give it AUDITOR_ROOT_KEY, AUDITOR_ROOT_KEY_FILE or AUDITOR_KMS_KEY_ARN as it was",
            )
        key = root.unwrap(tenant, wrapped)
        with self._lock:
            self._open[tenant, wrapped] = key
        return key

    def _found(self, connection: Connection, tenant: UUID, digests: Collection[str]) -> dict[str, ObjectKey | Erased]:
        # Living rows have no time of destruction and sort last, so they stand over those erased before.
        rows = connection.execute(text(_FIND), {"digests": list(digests)})
        return {row.digest: self._read(tenant, row) for row in rows}

    def _read(self, tenant: UUID, row: Row[Any]) -> ObjectKey | Erased:
        if row.destroyed_at is not None:
            return Erased(row.digest, row.destroyed_at)
        secret = self._unwrapped(tenant, row.kind, row.tenant_wrapped)
        key = self._seals.open(secret, row.wrapped, _bound_to(tenant, row.address))
        return ObjectKey(row.digest, row.address, key, row.salt, row.stored_at is not None, row.locked_until)

    def _make(self, connection: Connection, tenant: UUID, version: int, secret: bytes, digests: Iterable[str]) -> None:
        rows = [(digest, secrets.token_bytes(SALT_BYTES)) for digest in digests]
        addresses = [self._address(tenant, secret, digest, salt) for digest, salt in rows]
        told = {
            "tenant": tenant,
            "version": version,
            "now": self._clock(),
            "digests": [digest for digest, _ in rows],
            "salts": [salt for _, salt in rows],
            "addresses": addresses,
            "keys": [
                self._seals.seal(secret, secrets.token_bytes(KEY_BYTES), _bound_to(tenant, address))
                for address in addresses
            ],
        }
        connection.execute(text(_MAKE), told)

    def _address(self, tenant: UUID, secret: bytes, digest: str, salt: bytes) -> str:
        """A name that only the row tells: salted, so that a content kept anew after its erasure lies elsewhere."""
        key = self._seals.derive(secret, "object address")
        name = hmac.new(key, salt + digest.encode("ascii"), hashlib.sha256).hexdigest()
        return f"t/{tenant}/o/{name[:2]}/{name}"


def _bound_to(tenant: UUID, address: str) -> bytes:
    return b"\x1f".join((b"auditor data key", address.encode("ascii"), tenant.bytes))
