"""What each role may do, and the mark by which every route says what it needs. Denied unless granted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias, TypeVar

Permission: TypeAlias = Literal[
    "posture:read",
    "findings:read",
    "evidence:read",
    "coverage:read",
    "history:read",
    "bundles:read",
    "bundles:create",
    "webhooks:read",
    "webhooks:manage",
    "sources:read",
    "sources:manage",
    "scope:manage",
    "people:manage",
    "session:own",
    "public",
]
"""``session:own`` is what everybody signed in may do with the session itself; ``public`` needs no principal at all."""

Role: TypeAlias = Literal["owner", "officer", "engineer", "auditor"]

PUBLIC: Final[Permission] = "public"
_MARK = "__needs_permission__"
_View = TypeVar("_View", bound=Callable[..., Any])

_READING: frozenset[Permission] = frozenset(
    {
        "posture:read",
        "findings:read",
        "evidence:read",
        "coverage:read",
        "history:read",
        "sources:read",
        "session:own",
    }
)
GRANTED: Mapping[Role, frozenset[Permission]] = {
    "auditor": _READING | {"bundles:read"},
    "officer": _READING | {"bundles:read", "bundles:create", "webhooks:read"},
    "engineer": _READING | {"webhooks:read", "webhooks:manage", "sources:manage"},
    "owner": _READING
    | {
        "bundles:read",
        "bundles:create",
        "webhooks:read",
        "webhooks:manage",
        "sources:manage",
        "scope:manage",
        "people:manage",
    },
}
"""Permissions by role; what is audited is not decided by those who are. Who holds none of these words holds nothing."""


def granted(role: str) -> frozenset[Permission]:
    """The permissions of a role; none for a role that is not known."""
    return next((permissions for known, permissions in GRANTED.items() if known == role), frozenset())


def needs(permission: Permission) -> Callable[[_View], _View]:
    """Mark a view with the permission it needs; the application asks for it before the view runs."""

    def mark(view: _View) -> _View:
        setattr(view, _MARK, permission)
        return view

    return mark


def permission_of(view: Callable[..., Any]) -> Permission | None:
    """The permission a view was marked with, none if it was forgotten."""
    permission: Permission | None = getattr(view, _MARK, None)
    return permission


def refuse_unmarked(views: Mapping[str, Callable[..., Any]]) -> None:
    """Stop the start of an application in which a route does not say what it needs.

    Raises:
        RuntimeError: Names the routes. Serving them would be a door that nobody decided about.
    """
    forgotten = sorted(name for name, view in views.items() if permission_of(view) is None)
    if forgotten:
        raise RuntimeError(f"these routes name no permission: {', '.join(forgotten)}")
