"""Whom we tell, in which form: one file per channel, each turning a delivery into one request."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from auditor.domain.delivery import Delivery, Reply


class Post(Protocol):
    """The outbound door, as channels see it."""

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes, /) -> Reply:
        """Send once. Raises ``DeliveryError``, of which ``EgressError`` is the kind that will not mend itself."""


class Channel(Protocol):
    """One way to tell: it sends once and never retries, waits or records."""

    def send(self, delivery: Delivery, *, now: datetime) -> Reply:
        """Hand one message over and give what was answered. Raises ``DeliveryError`` when nothing usable was."""
