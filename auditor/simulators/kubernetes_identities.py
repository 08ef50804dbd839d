"""Who asks the small cluster: bearer tokens and the users, groups and ends that stand behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_urlsafe

AUTHENTICATED, UNAUTHENTICATED, MASTERS = "system:authenticated", "system:unauthenticated", "system:masters"


@dataclass(frozen=True, slots=True)
class Identity:
    """A user as the cluster's roles see one; ``expires_at`` is when the token ends, None for never."""

    user: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    expires_at: datetime | None = None
    extra: dict[str, list[str]] = field(default_factory=dict)


ANONYMOUS = Identity("system:anonymous", (UNAUTHENTICATED,))


class Identities:
    """The tokens in force; a token that is unknown or over is nobody, not even anonymous."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._known: dict[str, Identity] = {}
        self.anonymous = True
        self.elsewhere: Callable[[str], Identity | None] = lambda _token: None
        """Who stands behind a token that was not issued here."""

    def issue(self, user: str, groups: Iterable[str] = (), *, uid: str = "", expires_at: datetime | None = None) -> str:
        """A new token of a user in these groups (and in ``system:authenticated``)."""
        token = token_urlsafe(24)
        self._known[token] = Identity(user, (*groups, AUTHENTICATED), uid, expires_at)
        return token

    def issue_for_account(self, namespace: str, name: str, *, uid: str = "", expires_at: datetime | None = None) -> str:
        """A new token of a service account, which is in the two groups of its kind."""
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
        return self.issue(f"system:serviceaccount:{namespace}:{name}", groups, uid=uid, expires_at=expires_at)

    def revoke(self, token: str) -> None:
        """Know the token no more."""
        self._known.pop(token, None)

    def of(self, authorization: str | None) -> Identity | None:
        """Whose request this is by its Authorization header; None is answered with 401."""
        if not authorization:
            return ANONYMOUS if self.anonymous else None
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        identity = self._known.get(token.strip()) or self.elsewhere(token.strip())
        if identity is None or (identity.expires_at is not None and identity.expires_at <= self._clock()):
            return None
        return identity
