"""What the pages ask of the outside, as protocols and one frozen value: the web process joins them, tests build them small."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, cast
from uuid import UUID

from flask import current_app

if TYPE_CHECKING:
    from auditor.domain.bundle import Asked, Bundle, Estimate
    from auditor.domain.control import Library
    from auditor.domain.opened import Opened
    from auditor.domain.ports import Clock
    from auditor.domain.scope import Scope
    from auditor.domain.source import Source, SourceKind
    from auditor.store.identity import Person, SignedIn, Tenant
    from auditor.store.preflights import Preflight
    from auditor.store.reads import Connection
    from auditor.trust.passwords import Passwords
    from auditor.trust.principals import Principal


class People(Protocol):
    """Signing in and sessions, over the global tables; ``store.identity.Identities`` is one."""

    def person(self, email: str) -> Person | None:
        """Who may sign in under that e-mail."""

    def tenants_of(self, identity: UUID, *, now: datetime) -> tuple[tuple[Tenant, str], ...]:
        """The organisations somebody belongs to, each with the role there."""

    def open_session(
        self, token_hash: str, *, identity: UUID, tenant: UUID, now: datetime, expires_at: datetime
    ) -> None:
        """A session for one organisation."""

    def session(self, token_hash: str, *, now: datetime, idle_for: float) -> SignedIn | None:
        """Who is signed in under that hash, unless it ended or idled too long."""

    def revoke_session(self, token_hash: str, *, now: datetime) -> None:
        """End a session."""

    def failures(self, key: str, *, since: datetime) -> int:
        """How often signing in failed under that key since then."""

    def note_failure(self, key: str, *, now: datetime) -> None:
        """Count a failed sign-in."""

    def forgive(self, key: str) -> None:
        """Forget the failures of a key."""


class Hook(Protocol):
    """A webhook as people may see it: never its secret. ``store.webhooks.Webhook`` is one."""

    @property
    def id(self) -> UUID:
        """Its id."""

    @property
    def url(self) -> str:
        """Where it is sent."""

    @property
    def created_at(self) -> datetime:
        """Since when."""

    @property
    def disabled_at(self) -> datetime | None:
        """When it was switched off, if it was."""

    @property
    def disabled_reason(self) -> str | None:
        """Why."""


class Webhooks(Protocol):
    """Webhooks of the principal's tenant. Every act is recorded by the implementation."""

    def list(self, principal: Principal) -> tuple[Hook, ...]:
        """Every webhook, disabled ones included."""

    def add(self, principal: Principal, url: str) -> str:
        """Keep a webhook and give its secret, this once.

        Raises:
            EgressError: The address may not be dialled from here; its advice is shown to the person.
        """

    def disable(self, principal: Principal, id: UUID) -> None:  # noqa: A002  (the word people use)
        """Send nothing more to it. Raises ``TenancyError`` if there is none of that id here."""


class Preflights(Protocol):
    """What may be asked of the sources of the principal's tenant."""

    def latest(self, principal: Principal, source: UUID) -> tuple[Source, Preflight | None]:
        """A source and its last test. Raises ``TenancyError`` if there is none of that id here."""

    def ask(self, principal: Principal, source: UUID) -> None:
        """Write the wish for a test down; a worker does it."""


class Estate(Protocol):
    """What is audited in the principal's tenant. Every act is recorded with ``by`` and the reason, and told.

    Each raises ``ConfigurationError`` if there is no reason or nothing to change, and ``TenancyError`` if what it names is
    not there for this tenant.
    """

    def change_scope(self, principal: Principal, source: UUID, scope: Scope, *, by: str, reason: str) -> None:
        """Put a scope in force; what is out of it turns to excluded at once."""

    def leave_out(self, principal: Principal, kind: SourceKind, native_id: str, *, by: str, reason: str) -> None:
        """Decide that an account or cluster stays unconnected."""

    def take_back(self, principal: Principal, kind: SourceKind, native_id: str, *, by: str, reason: str) -> None:
        """Decide that it does not."""


class Bundles(Protocol):
    """Bundles of the principal's tenant."""

    def list(self, principal: Principal) -> Sequence[Bundle]:
        """Every one asked for, the newest first, with who took it."""

    def sources(self, principal: Principal) -> Sequence[Source]:
        """What a part may be narrowed to."""

    def estimate(self, principal: Principal, asked: Asked) -> Estimate:
        """What such a bundle would hold."""

    def ask(self, principal: Principal, asked: Asked, *, by: str) -> None:
        """Ask for one; a worker writes it."""

    def take(self, principal: Principal, id: UUID, *, by: str) -> tuple[str, int, Iterator[bytes]]:  # noqa: A002
        """Its name, its size and its bytes, once it is written down who takes it. Raises ``TenancyError`` if there is none."""


@dataclass(frozen=True, slots=True)
class DashboardContext:
    """Everything a page may reach.

    ``open_read`` opens one read-only REPEATABLE READ transaction under a tenant, so a count and its rows agree. ``clock`` is
    the instant that pages show (the demo moves it); ``wall_clock`` is the real one, for sessions and limits. ``evidence``
    gives kept evidence by tenant and digest, or raises ``EvidenceError``; evidence and issued bundles are kept for
    ``retention``. ``proxies`` is how many reverse proxies stand before us: only then is X-Forwarded-For believed. ``opened`` is set
    where the books are those of a bundle that was opened: then nothing can be changed, and ``enter`` says who signs in with the
    token of a link, once.
    """

    open_read: Callable[[UUID], AbstractContextManager[Connection]]
    people: People
    passwords: Passwords
    webhooks: Webhooks
    preflights: Preflights
    estate: Estate
    bundles: Bundles
    evidence: Callable[[UUID, str], Mapping[str, Any]]
    retention: timedelta
    library: Library
    clock: Clock
    wall_clock: Clock
    ready: Callable[[], bool]
    base_url: str
    secure_cookies: bool
    proxies: int = 0
    opened: Opened | None = None
    enter: Callable[[str], SignedIn | None] = lambda _token: None

    def since(self, days: int) -> datetime:
        """So many days before the shown instant; of a bundle no earlier than its period, before which it does not tell all."""
        wanted = self.clock() - timedelta(days=days)
        return wanted if self.opened is None else max(wanted, self.opened.begins)


def here() -> DashboardContext:
    """The context of the application that serves this request."""
    return cast("DashboardContext", current_app.extensions["auditor"])
