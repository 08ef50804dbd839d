"""How far the looking reached: per place and resource type, so that silence is never taken for health."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

CoverageState: TypeAlias = Literal["ok", "denied", "throttled", "error", "unsupported"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """One look at one resource type in one place: how the listing ended, and how much it showed.

    ``detail`` is the vendor's code and the action (``AccessDenied s3:ListAllMyBuckets``); ``action`` the permission that
    would show it. ``denied_details`` counts calls per resource that were refused, by action: those are judged, not laid over.
    ``rota`` is the number of runs in which every detail is read at least once, however quiet the listing is.
    ``within`` names the namespaces of a cluster that were listed one by one, where nobody looked into others; empty for all.
    """

    place: str
    resource_type: str
    state: CoverageState
    at: datetime
    listed: int = 0
    detail: str = ""
    action: str = ""
    denied_details: tuple[tuple[str, int], ...] = ()
    rota: int = 1
    within: tuple[str, ...] = ()

    def shows(self, native_id: str) -> bool:
        """Whether the listing would have shown a resource of this id: it tells nothing of namespaces that it left out."""
        return shown_within(self.within, native_id)

    @property
    def complete(self) -> bool:
        """Whether the listing showed everything there is; only then may a resource be called gone."""
        return self.state in {"ok", "unsupported"}


def shown_within(namespaces: tuple[str, ...], native_id: str) -> bool:
    """Whether a listing of these namespaces alone shows what has this id; one of none of them is of all."""
    return not namespaces or native_id.partition("/")[0] in namespaces


@dataclass(frozen=True, slots=True)
class Rota:
    """Whose turn it is to be read anew: each resource comes up once in ``every`` runs, spread by its id."""

    every: int = 1
    turn: int = 0

    def has(self, native_id: str) -> bool:
        """Whether the details of this resource are due in this run."""
        if self.every <= 1:
            return True
        return (
            int.from_bytes(hashlib.sha256(native_id.encode()).digest()[:8], "big") % self.every
            == self.turn % self.every
        )
