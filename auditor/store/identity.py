"""People and organisations across tenants, reached through the few functions that the application role may call.

Enters and leaves: hashes, never a password or a token. What is counted here holds for every web process at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError

from auditor.domain.errors import TenancyError
from auditor.store.database import Database


@dataclass(frozen=True, slots=True)
class Tenant:
    """An organisation. ``demo`` marks one whose account is simulated, so that pages can say so."""

    id: UUID
    slug: str
    name: str
    demo: bool


@dataclass(frozen=True, slots=True)
class Person:
    """An identity that may sign in. ``password_hash`` is for the hasher alone."""

    id: UUID
    email: str
    name: str
    password_hash: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who a session stands for, where, and in which role there."""

    identity: UUID
    email: str
    name: str
    tenant: Tenant
    role: str
    created_at: datetime
    expires_at: datetime


class Identities:
    """The global tables, as far as the application may know them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_tenant(self, id: UUID, *, slug: str, name: str, demo: bool = False, now: datetime) -> Tenant:  # noqa: A002  (as in ports)
        """A new organisation.

        Raises:
            TenancyError: The slug or the id is taken.
        """
        try:
            self._call(
                "SELECT tenant_add(:id, :slug, :name, :demo, :now)", id=id, slug=slug, name=name, demo=demo, now=now
            )
        except IntegrityError as error:
            raise TenancyError(f"a tenant {slug} exists already") from error
        return Tenant(id, slug, name, demo)

    def tenant(self, slug: str) -> Tenant | None:
        """The organisation of that slug."""
        rows = self._call("SELECT tenant_id, slug, name, demo FROM tenant_by_slug(:slug)", slug=slug)
        return next((_tenant(row) for row in rows), None)

    def add_user(self, id: UUID, *, email: str, name: str, password_hash: str, now: datetime) -> UUID:  # noqa: A002  (as in ports)
        """An identity; whose e-mail is known keeps id, name and password. Give it a role with ``add_member``."""
        rows = self._call(
            "SELECT identity_add(:id, :email, :name, :hash, :now)",
            id=id,
            email=email,
            name=name,
            hash=password_hash,
            now=now,
        )
        return UUID(str(rows[0][0]))

    def set_password(self, id: UUID, password_hash: str) -> None:  # noqa: A002  (as in ports)
        """Another password from now on."""
        self._call("SELECT identity_set_password(:id, :hash)", id=id, hash=password_hash)

    def person(self, email: str) -> Person | None:
        """Who may sign in under that e-mail, in any spelling of its letters."""
        rows = self._call("SELECT identity_id, email, name, password_hash FROM identity_by_email(:email)", email=email)
        return next((_person(row) for row in rows), None)

    def tenants_of(self, identity: UUID, *, now: datetime) -> tuple[tuple[Tenant, str], ...]:
        """The organisations somebody belongs to now, by name, each with the role there."""
        rows = self._call(
            "SELECT tenant_id, slug, name, demo, role FROM identity_tenants(:id, :now)", id=identity, now=now
        )
        return tuple((_tenant(row), row.role) for row in rows)

    def open_session(
        self, token_hash: str, *, identity: UUID, tenant: UUID, now: datetime, expires_at: datetime
    ) -> None:
        """A session for one organisation.

        Raises:
            TenancyError: The identity does not belong there, or is disabled.
        """
        rows = self._call(
            "SELECT session_open(:hash, :identity, :tenant, :now, :until)",
            hash=token_hash,
            identity=identity,
            tenant=tenant,
            now=now,
            until=expires_at,
        )
        if not rows[0][0]:
            raise TenancyError("no membership in this tenant")

    def session(self, token_hash: str, *, now: datetime, idle_for: float) -> SignedIn | None:
        """Who is signed in under that hash; none when it expired, idled ``idle_for`` seconds, or was revoked, or the role ended."""
        rows = self._call("SELECT * FROM session_by_hash(:hash, :now, :idle)", hash=token_hash, now=now, idle=idle_for)
        return next((_signed_in(row) for row in rows), None)

    def revoke_session(self, token_hash: str, *, now: datetime) -> None:
        """End a session; ending it twice ends it once."""
        self._call("SELECT session_revoke(:hash, :now)", hash=token_hash, now=now)

    def failures(self, key: str, *, since: datetime) -> int:
        """How often signing in failed under that key (an address, an e-mail) since then."""
        return int(self._call("SELECT sign_in_failures(:key, :since)", key=key, since=since)[0][0])

    def note_failure(self, key: str, *, now: datetime) -> None:
        """Count a failed sign-in; days-old ones are forgotten on the way."""
        self._call("SELECT sign_in_failed(:key, :now)", key=key, now=now)

    def forgive(self, key: str) -> None:
        """Forget the failures of a key that signed in."""
        self._call("SELECT sign_in_forgiven(:key)", key=key)

    def _call(self, sql: str, **values: Any) -> list[Row[Any]]:
        with self._database.plain() as connection:
            return list(connection.execute(text(sql), values))


def _tenant(row: Row[Any]) -> Tenant:
    return Tenant(row.tenant_id, row.slug, row.name, row.demo)


def _person(row: Row[Any]) -> Person:
    return Person(row.identity_id, row.email, row.name, row.password_hash)


def _signed_in(row: Row[Any]) -> SignedIn:
    tenant = Tenant(row.tenant_id, row.slug, row.tenant_name, row.demo)
    return SignedIn(row.identity_id, row.email, row.name, tenant, row.role, row.created_at, row.expires_at)
