"""The dashboard over an opened bundle: one reader, who comes in by a link that works once, and no door that changes anything."""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from auditor.bootstrap import now
from auditor.domain.errors import AccessError
from auditor.store.identity import SignedIn
from dashboard import create_app
from dashboard.context import DashboardContext
from dashboard.security import token_hash

if TYPE_CHECKING:
    from flask import Flask

    from auditor.bootstrap.opened import OpenedBooks
    from auditor.store.identity import Person, Tenant

ROLE = "auditor"


def application(books: OpenedBooks, *, base_url: str) -> tuple[Flask, str]:
    """The application, and the address that signs its reader in, once. Its clock stands at the bundle's as-of."""
    token = secrets.token_urlsafe(32)
    reader = Reader(books.tenant, token)
    shut: Any = Shut()
    context = DashboardContext(
        open_read=books.app.reading,
        people=reader,
        passwords=shut,
        webhooks=shut,
        preflights=shut,
        estate=shut,
        bundles=shut,
        evidence=books.evidence,
        retention=timedelta(0),  # told on a page that is not there
        library=books.library,
        clock=lambda: books.bundle.as_of,
        wall_clock=now,
        ready=books.app.answers,
        base_url=base_url,
        secure_cookies=False,  # http on the loopback
        opened=books.bundle,
        enter=reader.enter,
    )
    return create_app(context), f"{base_url}/open/{token}"


class Shut:
    """Stands where something could be changed or asked for."""

    def __getattr__(self, name: str) -> Any:
        raise AccessError(f"{name}: a bundle is shown read-only")


class Reader:
    """``dashboard.context.People``: whoever has the link, and nobody else. Sessions live in this process alone."""

    def __init__(self, tenant: Tenant, token: str) -> None:
        began = now()
        self._who = SignedIn(uuid4(), "", "", tenant, ROLE, began, began + timedelta(days=3650))
        self._token: str | None = token_hash(token)
        self._sessions: set[str] = set()
        self._lock = Lock()

    def enter(self, token: str) -> SignedIn | None:
        """Who signs in with the link's token: the reader, the first time."""
        with self._lock:
            if self._token is None or not hmac.compare_digest(self._token, token_hash(token)):
                return None
            self._token = None
        return self._who

    def session(self, token_hash: str, *, now: datetime, idle_for: float) -> SignedIn | None:
        """The reader, until the command ends."""
        del now, idle_for
        return self._who if token_hash in self._sessions else None

    def open_session(
        self, token_hash: str, *, identity: UUID, tenant: UUID, now: datetime, expires_at: datetime
    ) -> None:
        """A session of the reader."""
        del identity, tenant, now, expires_at
        self._sessions.add(token_hash)

    def revoke_session(self, token_hash: str, *, now: datetime) -> None:
        """End it."""
        del now
        self._sessions.discard(token_hash)

    def person(self, email: str) -> Person | None:
        """Nobody: no password opens a bundle."""
        del email
        return None

    def tenants_of(self, identity: UUID, *, now: datetime) -> tuple[tuple[Tenant, str], ...]:
        """None, likewise."""
        del identity, now
        return ()

    def failures(self, key: str, *, since: datetime) -> int:
        """None: there is nothing to guess but the link."""
        del key, since
        return 0

    def note_failure(self, key: str, *, now: datetime) -> None:
        """Nothing is counted."""

    def forgive(self, key: str) -> None:
        """Nothing is forgotten."""
