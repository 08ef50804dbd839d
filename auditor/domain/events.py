"""What is told to the outside: typed events that leave through the outbox, at least once, under a stable id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

from auditor.proof.canonical import stamp

EventType: TypeAlias = Literal[
    "finding.opened",
    "finding.resolved",
    "source.baseline",
    "source.disconnected",
    "scope.changed",
    "inventory.changed",
    "ledger.broken",
    "webhook.test",
]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; ``data`` holds ids, facts and a link, never evidence or secrets."""

    id: UUID
    type: EventType
    at: datetime
    data: Mapping[str, Any]

    def envelope(self) -> dict[str, Any]:
        """The body of a webhook: type, timestamp, data."""
        return {"type": self.type, "timestamp": stamp(self.at), "data": dict(self.data)}
