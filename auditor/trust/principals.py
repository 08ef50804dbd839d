"""Who is asking, on behalf of which tenant, and what that allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditor.trust.access import Permission, granted

if TYPE_CHECKING:
    from uuid import UUID


@dataclass(frozen=True, slots=True)
class Principal:
    """A person in a role at one tenant. Every request has one, or gets nothing but the sign-in page."""

    identity: UUID
    tenant: UUID
    role: str
    permissions: frozenset[Permission]

    def may(self, permission: Permission) -> bool:
        """Whether the role grants this; what is not granted is denied."""
        return permission in self.permissions


def principal(identity: UUID, tenant: UUID, role: str) -> Principal:
    """A principal with exactly the permissions of the role."""
    return Principal(identity, tenant, role, granted(role))
