"""A message on its way to one receiver: what is sent, what came back, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one webhook, leased under ``fence``.

    ``event_id`` is the id that the receiver knows duplicates by: it never changes over attempts. ``secrets`` are the
    signing secrets (``whsec_…``), the newest first; two while one is being replaced. ``attempts`` were made before. ``checkpoint`` is the
    latest signed head of the tenant's ledger: who keeps it can tell later whether the log was rewritten.
    """

    tenant: UUID
    id: UUID
    fence: int
    webhook_id: UUID
    event_id: UUID
    type: str
    url: str
    secrets: tuple[str, ...]
    body: bytes
    attempts: int = 0
    checkpoint: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a receiver answered: ``head`` is the first of it, a kilobyte at most unless more was asked for; ``took`` seconds."""

    status: int
    head: bytes
    took: float
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try, as it is recorded: a status if something answered, else the error."""

    n: int
    at: datetime
    took_ms: int
    status: int | None = None
    error: str | None = None
    head: bytes = b""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver took it."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """It is tried again at ``at``; ``reason`` is why it must be."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It is given up: only a person sends it again."""

    reason: str


@dataclass(frozen=True, slots=True)
class Disable:
    """The receiver said that it is gone for good: it is given up, and its webhook is switched off."""

    reason: str


Outcome: TypeAlias = Delivered | RetryAt | Failed | Disable
